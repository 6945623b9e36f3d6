package guard

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Hosts returns the hosts that a value names, sorted, each once: in lower case, without port,
// brackets, or a dot at the end. It finds them in URLs of any scheme, JDBC's too, wherever they
// stand; in DSNs, whether "user:password@tcp(host:1)/x" or "host=… port=…" or "Server=…;"; in
// what is "name:port" or "user@name"; and in a value that is nothing but hosts, or JSON with
// such values in it. User, password, path and query of a URL are no hosts, but a query's host=…
// of what is no web page is one. A file or a socket is none.
//
// A single word ("prod-db") might be anything: it is a host if alone says that hosts are what
// stands there.
func Hosts(value string, alone bool) []string {
	found := findHosts(value, alone)
	slices.Sort(found)
	return slices.Compact(found)
}

// namesHost reports whether a key, by its name, holds hosts: DB_HOST, PGHOST, API_URL,
// SMTP_SERVER_NAME, BROKERS_2.
func namesHost(key string) bool {
	key = strings.TrimRight(strings.ToUpper(key), "_0123456789")
	key = strings.TrimSuffix(key, "_NAME")
	for word := range strings.FieldsSeq(hostWords) {
		if strings.HasSuffix(key, word) {
			return true
		}
	}
	return false
}

const hostWords = `HOST HOSTS HOSTNAME HOSTNAMES HOSTADDR SERVER SERVERS ADDR ADDRS ADDRESS ADDRESSES URL URLS URI URIS DSN
ENDPOINT ENDPOINTS BROKER BROKERS NODES UPSTREAM UPSTREAMS PEERS DOMAIN DOMAINS FQDN PROXY`

// namesListener reports whether a key, by its name, says where to listen. That is no
// connection, and 127.0.0.1 is good there.
func namesListener(key string) bool {
	for part := range strings.SplitSeq(strings.ToUpper(key), "_") {
		if part == "LISTEN" || part == "BIND" || part == "BINDING" {
			return true
		}
	}
	return false
}

// findHosts is Hosts, in no order. The time that it takes is linear in the value.
func findHosts(value string, alone bool) []string {
	f := finder{alone: alone}
	f.value(value)
	return f.found
}

// value looks at a text that may be JSON.
func (f *finder) value(value string) {
	value = strings.TrimSpace(value)
	if value != "" && strings.IndexByte(`{["`, value[0]) >= 0 {
		var content any
		if json.Unmarshal([]byte(value), &content) == nil {
			f.json(content)
			return
		}
	}
	f.text(value)
}

type finder struct {
	alone bool // a single word is a host
	found []string
}

func (f *finder) add(host string) { f.found = append(f.found, host) }

// json looks at the strings of a JSON value. The name in front of one is to it what a key is to
// a value.
func (f *finder) json(content any) {
	switch content := content.(type) {
	case string:
		f.value(content) // which may be JSON again
	case []any:
		for _, item := range content {
			f.json(item)
		}
	case map[string]any:
		outer := f.alone
		for name, item := range content {
			f.alone = namesHost(name)
			f.json(item)
		}
		f.alone = outer
	}
}

// text looks at the URLs of a text, and at what is between them.
func (f *finder) text(s string) {
	from := 0
	for {
		start, end, found := nextURL(s, from)
		if !found {
			f.plain(s[from:])
			return
		}
		f.plain(s[from:start])
		f.url(s[start:end])
		from = end
	}
}

// nextURL returns where the next "scheme://…" stands. It ends at a blank, a quotation mark, the
// other one of the parentheses that it stands in, or a comma and the like with another behind it.
func nextURL(s string, from int) (start, end int, found bool) {
	for at := from; ; {
		i := strings.Index(s[at:], "://")
		if i < 0 {
			return 0, 0, false
		}
		i += at
		start = i
		for start > from && isSchemeByte(s[start-1]) {
			start--
		}
		at = i + len("://")
		const drive = 1 // of a Windows path
		if i-start <= drive {
			continue
		}
		closing := byte('"')
		if start > 0 {
			if pair := strings.IndexByte(`('[{`, s[start-1]); pair >= 0 {
				closing = `)']}`[pair]
			}
		}
		end = at
		for end < len(s) && s[end] != closing && !endsURL(s[end:]) {
			end++
		}
		return start, end, true
	}
}

func isSchemeByte(c byte) bool { return isAlphanumeric(c) || c == '+' || c == '.' || c == '-' }

// endsURL reports whether a URL in front of s is over.
func endsURL(s string) bool {
	switch {
	case s[0] <= ' ' || strings.IndexByte("\"<>`\x7f", s[0]) >= 0:
		return true
	case strings.IndexByte(",;|", s[0]) < 0:
		return false
	}
	i := 1
	for i < len(s) && isSchemeByte(s[i]) {
		i++
	}
	return i > 1 && strings.HasPrefix(s[i:], "://")
}

func (f *finder) url(s string) {
	scheme, rest, _ := strings.Cut(s, "://")
	web := false
	switch strings.ToLower(scheme) {
	case "unix", "http+unix", "redis+socket", "sqlite", "sqlite3", "npipe":
		return // what follows is a file
	case "http", "https", "ws", "wss":
		web = true
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	authority := rest[:end]
	at := strings.LastIndexByte(authority, '@')
	if at < 0 && hasOddPort(authority) {
		at = strings.IndexByte(rest, '@') // a password with a "/" in it
	}
	// SQL Server's parameters may have an "@" in them, and a password elsewhere a ";".
	if host, _, ok := strings.Cut(authority, ";"); ok && len(host) < at {
		f.list(host)
		f.parameters(rest[len(host):])
	}
	rest = rest[at+1:]
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		f.list(rest[:i])
	} else {
		f.list(rest)
	}
	if !web {
		f.parameters(rest)
	}
}

// hasOddPort reports whether what looks like "host:port" has a port that is no number.
func hasOddPort(s string) bool {
	_, port, ok := strings.Cut(s, ":")
	return ok && port != "" && !isDigits(port) && s[0] != '['
}

// list reads "host:1,host:2", and "tcp(host:1)" as in Go's DSNs for MySQL.
func (f *finder) list(s string) {
	for item := range strings.SplitSeq(s, ",") {
		if network, inner, ok := strings.Cut(item, "("); ok && strings.TrimRight(network, "46") == "tcp" {
			item = inner
		}
		if addr, err := netip.ParseAddr(item); err == nil && addr.Is6() {
			f.add(addr.WithZone("").String())
		} else if host, _, ok := cutHost(item); ok {
			f.add(host)
		}
	}
}

// parameters reads what is called host in "host=… port=…", "Server=…;", "?host=…&" and "(HOST=…)".
func (f *finder) parameters(s string) {
	for {
		i := strings.IndexByte(s, '=')
		if i < 0 {
			return
		}
		name, ok := parameterName(s[:i])
		s = s[i+1:]
		if ok {
			f.parameter(name, strings.TrimLeft(s, " \t"))
		}
	}
}

// parameterName reports whether the end of s is a name for hosts, and which.
func parameterName(s string) (string, bool) {
	s = strings.TrimRight(s, " \t")
	for _, name := range []string{
		"host", "hosts", "hostaddr", "hostname", "server", "servers", "servername", "addr", "address", "data source", "datasource",
		"endpoint", "failoverpartner", "failover partner",
	} {
		i := len(s) - len(name)
		if i >= 0 && strings.EqualFold(s[i:], name) && (i == 0 || !isAlphanumeric(s[i-1])) {
			return name, true
		}
	}
	return "", false
}

func (f *finder) parameter(name, s string) {
	s = strings.TrimLeft(s, `"'{`)
	if hasPrefixFold(s, "(local") || s == "." || strings.HasPrefix(s, ".;") || strings.HasPrefix(s, `.\`) { // so SQL Server calls it
		f.add("localhost")
		return
	}
	if end := strings.IndexAny(s, "=;&)\"'} \t\r\n#"); end >= 0 {
		s = s[:end]
	}
	for item := range strings.SplitSeq(s, ",") {
		for _, protocol := range []string{"tcp:", "np:", "admin:", "lpc:"} {
			if hasPrefixFold(item, protocol) {
				item = item[len(protocol):]
			}
		}
		item = strings.TrimLeft(item, `\`)
		_, last, dotted := strings.Cut(item, ".")
		file := strings.HasPrefix(name, "data") && dotted && isFileExtension(last[strings.LastIndexByte(last, '.')+1:])
		if !isDigits(item) && !file {
			f.list(item)
		}
	}
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// plain looks at a text without URLs: at its words, which in a text that is nothing but hosts
// need less to be taken for one.
func (f *finder) plain(s string) {
	f.parameters(s)
	f.networks(s)
	var likely []string
	only := true
	for item := range strings.FieldsFuncSeq(s, func(r rune) bool { return strings.ContainsRune(",;|\r\n", r) }) {
		words := strings.FieldsFunc(item, func(r rune) bool { return r <= ' ' || strings.ContainsRune("\"'`(){}<>", r) })
		for _, word := range words {
			host, certainty := f.word(word, len(words) == 1)
			switch {
			case certainty == sure:
				f.add(host)
			case certainty == possible:
				likely = append(likely, host)
			case !isDigits(word):
				only = false
			}
		}
	}
	if only {
		f.found = append(f.found, likely...)
	}
}

// networks reads "tcp(host)" of a Go DSN for MySQL; with a port it is found anyway.
func (f *finder) networks(s string) {
	for {
		i := strings.IndexByte(s, '(')
		if i < 0 {
			return
		}
		before := strings.TrimRight(s[:i], "46")
		s = s[i+1:]
		if strings.HasSuffix(before, "tcp") || strings.HasSuffix(before, "udp") {
			if host, rest, ok := cutHost(s); ok && strings.HasPrefix(rest, ")") {
				f.add(host)
			}
		}
	}
}

// certainty is how sure it is that a word is a host.
type certainty int

const (
	none     certainty = iota
	possible           // if there is nothing but hosts
	sure
)

// word looks at a word of a text. If it is single, it is all that stands between two commas.
func (f *finder) word(s string, single bool) (string, certainty) {
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		return f.address(s[:i], s[i+1:])
	}
	if addr, err := netip.ParseAddr(s); err == nil && addr.Is6() {
		return addr.WithZone("").String(), possible
	}
	for _, prefix := range []string{"//", `\\`, "tcp:", "*.", "."} { // of any scheme, of Windows, of SQL Server, of all hosts below
		s = strings.TrimPrefix(s, prefix)
	}
	host, rest, ok := cutHost(s)
	switch {
	case !ok:
		return "", none
	case hasPort(rest) && (isIPv4(host) || strings.ContainsFunc(host, unicode.IsLetter) || s[0] == '['):
		return host, sure
	case rest != "" && strings.IndexByte(`/?\`, rest[0]) < 0:
		return "", none
	case isQualified(host), isLocalHost(host) && !isNumber(host), s[0] == '[':
		return host, possible
	case f.alone && !isDigits(host) && (single || strings.ContainsAny(host, "-.0123456789")):
		return host, possible
	}
	return "", none
}

// isNumber leaves out 127.1, which is a number in the first place.
func isNumber(s string) bool { return strings.Trim(s, "0123456789.") == "" }

// address looks at a word with an "@" in it.
func (f *finder) address(before, after string) (string, certainty) {
	host, rest, ok := cutHost(strings.TrimPrefix(after, "//"))
	switch host {
	case "tcp", "tcp4", "tcp6", "udp", "unix", "sha256", "sha512": // of a DSN's network, of an image
		return "", none
	}
	switch {
	case !ok || before == "":
		return "", none
	case hasPort(rest) || isQualified(host) || hasPrefixFold(before, "jdbc:"):
		return host, sure
	case strings.HasPrefix(rest, ":") || strings.Contains(before, ":") && (rest == "" || rest[0] == '/'):
		return host, sure // "git@host:path", "user:password@host/database"
	case f.alone && rest == "":
		return host, possible
	}
	return "", none
}

// hasPort reports whether s begins with ":" and a port, after which a host's neighbours may
// stand.
func hasPort(s string) bool {
	s, ok := strings.CutPrefix(s, ":")
	rest := strings.TrimLeft(s, "0123456789")
	return ok && isPort(s[:len(s)-len(rest)]) && (rest == "" || strings.IndexByte(`/?:;\`, rest[0]) >= 0)
}

// isPort reports whether s is a number from 1 to 65535, without a sign or a zero in front.
func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0 && s[0] != '0'
}
