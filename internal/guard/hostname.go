package guard

import (
	"net/netip"
	"net/url"
	"strings"
	"unicode"
)

// hasProductionPart reports whether a part of a name, between dots, hyphens and underscores, is
// prod, production or prd, digits allowed after it.
func hasProductionPart(name string) bool {
	for part := range strings.FieldsFuncSeq(name, func(r rune) bool { return r == '.' || r == '-' || r == '_' }) {
		if isProductionWord(part) {
			return true
		}
	}
	return false
}

func isProductionWord(s string) bool {
	switch strings.ToLower(strings.TrimRight(s, "0123456789")) {
	case "prod", "production", "prd":
		return true
	}
	return false
}

func isProductionHost(host string) bool { return hasProductionPart(host) }

// isLocalHost reports whether a host is the machine that asks, or, for a container, the one that
// runs it: the loopback addresses, those that stand for any address, and the names for them.
func isLocalHost(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		addr = addr.Unmap()
		return addr.IsLoopback() || addr.IsUnspecified()
	}
	switch host {
	case "localhost", "localhost.localdomain", "localhost4", "localhost6", "ip6-localhost", "ip6-loopback",
		"host.docker.internal", "gateway.docker.internal", "host.containers.internal", "0":
		return true
	}
	short := strings.HasPrefix(host, "127.") && isNumber(host) // 127.1 is 127.0.0.1
	return short || strings.HasSuffix(host, ".localhost")
}

// cutHost reads a host, and returns it as [findHosts] does, with what follows it. An IPv6
// address is in brackets.
func cutHost(s string) (host, rest string, ok bool) {
	if inner, isBracket := strings.CutPrefix(s, "["); isBracket {
		inner, rest, closed := strings.Cut(inner, "]")
		inner, _, _ = strings.Cut(inner, "%")
		addr, err := netip.ParseAddr(inner)
		if !closed || err != nil {
			return "", s, false
		}
		return addr.String(), rest, true
	}
	end := strings.IndexFunc(s, func(r rune) bool { return !isHostRune(r) && r != '.' && r != '%' })
	if end < 0 {
		end = len(s)
	}
	if end > 3*hostLengthLimit { // when every character is escaped
		return "", s, false
	}
	host, err := url.PathUnescape(s[:end])
	host = cleanHost(host)
	if err != nil || !isHost(host) {
		return "", s, false
	}
	return host, s[end:], true
}

// cleanHost writes a host as it is compared: in lower case, without a dot at its end, with ASCII in
// the place of the wide letters and dots that a resolver takes for it.
func cleanHost(host string) string {
	host = strings.Map(func(r rune) rune {
		switch {
		case r == '。' || r == '｡':
			return '.'
		case r >= '！' && r <= '～':
			return r - '！' + '!'
		}
		return unicode.ToLower(r)
	}, host)
	return strings.TrimSuffix(host, ".")
}

// hostLengthLimit is DNS's, in bytes.
const hostLengthLimit = 253

// isHost reports whether s, which is clean, is a name that a resolver might know, or an IPv4
// address. A name in letters other than ASCII is one.
func isHost(s string) bool {
	if s == "" || len(s) > hostLengthLimit {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		const limit = 63
		if label == "" || len(label) > limit || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		if strings.ContainsFunc(label, func(r rune) bool { return !isHostRune(r) }) {
			return false
		}
	}
	return true
}

func isHostRune(r rune) bool {
	if r < 0x80 {
		return isAlphanumeric(byte(r)) || r == '-' || r == '_'
	}
	return r != unicode.ReplacementChar && (unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) || r == '。' || r == '｡')
}

func isAlphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func isDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// isIPv4 reports whether s is four numbers with dots.
func isIPv4(s string) bool {
	addr, err := netip.ParseAddr(s)
	return err == nil && addr.Is4()
}

// isQualified reports whether a host, though it stands alone, is unlikely to be anything else: an
// IPv4 address, or a name with dots, the last part of which is letters, is not the end of a
// file's name, and not prod itself, as in the modules of a program ("app.settings.production").
func isQualified(host string) bool {
	if isIPv4(host) {
		return true
	}
	dot := strings.LastIndexByte(host, '.')
	last := host[dot+1:]
	if dot < 0 || len(last) < 2 || isProductionWord(last) || isFileExtension(last) {
		return false
	}
	return strings.HasPrefix(last, "xn--") || !strings.ContainsFunc(last, func(r rune) bool { return !unicode.IsLetter(r) })
}

func isFileExtension(s string) bool {
	for extension := range strings.FieldsSeq(fileExtensions) {
		if s == extension {
			return true
		}
	}
	return false
}

// Text, so that nothing is built before it is needed.
const fileExtensions = `
json jsonl yaml yml toml ini conf cfg config env properties txt log md xml csv tsv html htm css scss js mjs cjs ts jsx tsx
py rb go rs java kt php lua sh bash sql db sqlite sqlite3 mdf mdb pem key crt cer csr der pub p12 pfx jks gz tgz zip tar xz
lock tmp bak sock socket pid service timer jar war so dll exe tf tfvars hcl tpl tmpl png jpg jpeg svg gif ico pdf
settings module main`
