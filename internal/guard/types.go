package guard

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/mail"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"envcrypt/internal/project"
)

// typeProblem says that a value is not of the declared type, "" if it is.
func typeProblem(d *project.Declaration, value string) string {
	ok, what := true, string(d.Type)
	switch d.Type {
	case "", project.TypeString:
	case project.TypeInt:
		ok, what = isInt(value), "a whole number of at most 64 bits"
	case project.TypeBool:
		ok, what = isBool(value), "true or false"
	case project.TypePort:
		ok, what = isPort(value), "a port, 1 to 65535"
	case project.TypeURL:
		ok, what = isURL(value), "an absolute URL"
	case project.TypeHost:
		ok, what = isBareHost(value), "the name or address of a host, without scheme or port"
	case project.TypeEmail:
		ok, what = isEmail(value), "a bare email address"
	case project.TypeEnum:
		ok, what = slices.Contains(d.Values, value), "one of "+strings.Join(d.Values, ", ")
	case project.TypeJSON:
		ok, what = json.Valid([]byte(value)), "JSON"
	case project.TypeBase64:
		ok, what = isBase64(value), "base64"
	case project.TypePEM:
		ok, what = isPEM(value), "blocks of PEM and nothing else"
	case project.TypeDuration:
		ok, what = isDuration(value), `a length of time, such as "90s", "1h30m" or "30d"`
	}
	switch {
	case ok:
		return ""
	case value == "":
		return "is empty, and not " + what
	}
	return "is not " + what
}

func isInt(s string) bool {
	_, err := strconv.ParseInt(s, 10, 64)
	return err == nil
}

// isBool takes what Go, YAML and the readers of dotenv files take, in any case.
func isBool(s string) bool {
	switch strings.ToLower(s) {
	case "true", "false", "t", "f", "yes", "no", "y", "n", "on", "off", "1", "0":
		return true
	}
	return false
}

// isURL reports whether s has a scheme and something that it is about: a host, or several as
// databases have, a path, or what only the scheme understands ("mailto:…", "jdbc:…"). "host:80" is
// none.
func isURL(s string) bool {
	scheme, rest, ok := strings.Cut(s, ":")
	if !ok || len(scheme) < 2 || rest == "" || strings.ContainsAny(s, " \t\r\n") {
		return false
	}
	u, err := url.Parse(s)
	if err != nil {
		if u, err = url.Parse(firstHost(s)); err != nil {
			return false
		}
	}
	digits := u.Opaque != "" && u.Opaque[0] >= '0' && u.Opaque[0] <= '9'
	switch {
	case u.Opaque != "":
		return !digits || scheme == "tel"
	case strings.HasPrefix(u.Host, ":"):
		return false
	}
	return u.Host != "" || len(u.Path) > 1
}

// firstHost removes all hosts but the first of "scheme://user@host:1,host:2/path", which are URLs
// to databases and to nobody else.
func firstHost(s string) string {
	scheme, rest, _ := strings.Cut(s, "://")
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	at := strings.LastIndexByte(rest[:end], '@') + 1
	first, others, _ := strings.Cut(rest[at:end], ",")
	for host := range strings.SplitSeq(others, ",") {
		_, port, ok := cutHost(host)
		if !ok || port != "" && !hasPort(port) {
			return s
		}
	}
	return scheme + "://" + rest[:at] + first + rest[end:]
}

// isBareHost takes a name or an address, IPv6 in brackets or not.
func isBareHost(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	host, rest, ok := cutHost(s)
	if !ok || rest != "" || strings.Contains(s, "%") {
		return false
	}
	last := host[strings.LastIndexByte(host, '.')+1:]
	return s[0] == '[' || !isDigits(last) || isIPv4(host)
}

func isEmail(s string) bool {
	addr, err := mail.ParseAddress(s)
	return err == nil && addr.Name == "" && addr.Address == s
}

// isBase64 takes both alphabets, with padding or without, and lines.
func isBase64(s string) bool {
	encoding := base64.StdEncoding
	if strings.ContainsAny(s, "-_") {
		encoding = base64.URLEncoding
	}
	if !strings.Contains(s, "=") {
		encoding = encoding.WithPadding(base64.NoPadding)
	}
	_, err := encoding.DecodeString(s)
	return err == nil && strings.Trim(s, "\r\n") != ""
}

// isPEM reports whether s is blocks of PEM and nothing else but blanks.
func isPEM(s string) bool {
	const begin = "-----BEGIN "
	rest := strings.TrimSpace(s)
	if rest == "" {
		return false
	}
	for rest != "" {
		block, after := pem.Decode([]byte(rest))
		read := rest[:len(rest)-len(after)]
		if block == nil || !strings.HasPrefix(read, begin) || strings.Count(read, begin) > 1 {
			return false // Decode skips what it cannot read
		}
		rest = strings.TrimSpace(string(after))
	}
	return true
}

func isDuration(s string) bool {
	if _, err := time.ParseDuration(s); err == nil {
		return true
	}
	_, ok := project.ParseAge(s)
	return ok
}
