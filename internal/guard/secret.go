package guard

import (
	"encoding/base64"
	"math"
	"net/url"
	"strings"
)

// LooksSecret reports whether a plain value of that name looks like a secret: a private key, a token
// as well-known services write them, a URL or DSN with a password, a value under the name
// of a secret, or text that looks random. UUIDs, versions, paths, hashes of git and placeholders
// do not.
//
// It is a guess for a warning: what it does not find may be a secret all the same.
func LooksSecret(name, value string) bool {
	value = strings.TrimSpace(value)
	if value == "" || isPlaceholder(value) {
		return false
	}
	name = strings.ToUpper(name)
	return isPrivateKey(value) || hasToken(value) || hasPassword(value) ||
		!isPublicName(name) && (isNamedSecret(name, value) || isRandom(name, value))
}

func isPrivateKey(value string) bool {
	return strings.Contains(value, "AGE-SECRET-KEY-") || strings.Contains(value, "AGE-PLUGIN-") ||
		strings.Contains(value, "PuTTY-User-Key-File-") ||
		strings.Contains(value, "-----BEGIN ") && strings.Contains(value, "PRIVATE KEY")
}

// tokens begin so. How many characters follow at least is what keeps other words out.
var tokens = [...]struct {
	prefix string
	least  int
}{
	{"AKIA", 16}, {"ASIA", 16}, {"ghp_", 30}, {"gho_", 30}, {"ghu_", 30}, {"ghs_", 30}, {"ghr_", 30}, {"github_pat_", 20},
	{"glpat-", 20}, {"gldt-", 20}, {"glrt-", 20}, {"xoxb-", 10}, {"xoxp-", 10}, {"xoxa-", 10}, {"xoxs-", 10}, {"xapp-", 10},
	{"AIza", 30}, {"ya29.", 20}, {"GOCSPX-", 20}, {"sk_live_", 8}, {"rk_live_", 8}, {"sk_test_", 8}, {"rk_test_", 8}, {"whsec_", 16},
	{"sk-ant-", 20}, {"sk-proj-", 20}, {"npm_", 30}, {"pypi-", 30}, {"rubygems_", 30}, {"dckr_pat_", 20}, {"SG.", 30}, {"key-", 32},
	{"shpat_", 30}, {"shpss_", 30}, {"dop_v1_", 40}, {"hvs.", 20}, {"hf_", 30}, {"dp.pt.", 30}, {"dp.st.", 30}, {"lin_api_", 30},
	{"sq0atp-", 20}, {"sq0csp-", 20}, {"access_token$", 20}, {"EAACEdEose0cBA", 10}, {"rzp_secret_", 8},
	{"hooks.slack.com/services/", 20}, {"discord.com/api/webhooks/", 20},
}

func hasToken(value string) bool {
	for _, token := range tokens {
		i := strings.Index(value, token.prefix)
		if i < 0 || i > 0 && isAlphanumeric(value[i-1]) {
			continue
		}
		rest := value[i+len(token.prefix):]
		if len(rest)-len(strings.TrimLeft(rest, tokenBytes)) >= token.least {
			return true
		}
	}
	return isJWT(value)
}

const tokenBytes = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_.$/"

// isJWT reports whether a value has three parts of base64, the first two of which are JSON
// objects.
func isJWT(value string) bool {
	i := strings.Index(value, "eyJ")
	if i < 0 {
		return false
	}
	parts := strings.SplitN(value[i:], ".", 3)
	if len(parts) < 3 || !strings.HasPrefix(parts[1], "eyJ") {
		return false
	}
	_, err := base64.RawURLEncoding.DecodeString(parts[1])
	return err == nil
}

// hasPassword reports whether a value is a URL or a DSN with a password in it.
func hasPassword(value string) bool {
	for from := 0; ; {
		start, end, found := nextURL(value, from)
		if !found {
			break
		}
		if urlHasPassword(value[start:end]) {
			return true
		}
		from = end
	}
	for rest := value; ; { // key=value
		name, after, ok := strings.Cut(rest, "=")
		if !ok {
			break
		}
		rest = after
		if namesPassword(name) {
			end := strings.IndexAny(rest, "=;& \t\r\n")
			if end < 0 {
				end = len(rest)
			}
			if isPassword(rest[:end]) {
				return true
			}
		}
	}
	return goPassword(value)
}

// namesPassword reports whether the end of s is the name of a DSN's password.
func namesPassword(s string) bool {
	s = strings.TrimRight(s, " \t")
	for _, word := range []string{"password", "pwd", "passwd", "accountkey", "sharedaccesskey", "access_token", "client_secret", "sig"} {
		i := len(s) - len(word)
		if i >= 0 && strings.EqualFold(s[i:], word) && (i == 0 || !isAlphanumeric(s[i-1])) {
			return true
		}
	}
	return false
}

func urlHasPassword(s string) bool {
	_, rest, _ := strings.Cut(s, "://")
	authority := rest
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		authority = rest[:end]
		if hasOddPort(authority) {
			authority = rest
		}
	}
	at := strings.LastIndexByte(authority, '@')
	if at < 0 {
		return false
	}
	_, password, ok := strings.Cut(authority[:at], ":")
	if plain, err := url.PathUnescape(password); err == nil {
		password = plain
	}
	return ok && isPassword(password)
}

// goPassword reports whether a value is "user:password@tcp(…)…".
func goPassword(value string) bool {
	before, _, ok := strings.Cut(value, "(")
	user, password, colon := strings.Cut(before, ":")
	at := strings.LastIndexByte(password, '@')
	return ok && colon && at >= 0 && !strings.ContainsAny(user, " \t") && isPassword(password[:at])
}

// isPassword reports whether what stands in a password's place is one, and not a placeholder,
// stars, or a variable that another program puts there.
func isPassword(s string) bool {
	s = strings.Trim(s, `"'`)
	return s != "" && !isPlaceholder(s) && strings.Trim(s, "*x") != "" && s[0] != '$' && s[0] != '<' && s[0] != '{' && s[0] != '%'
}

func isPublicName(name string) bool {
	return strings.Contains(name, "PUBLIC") || strings.Contains(name, "PUBLISHABLE")
}

// isNamedSecret reports whether the name, in upper case, is that of a secret, and the value could
// be one.
func isNamedSecret(name, value string) bool {
	if strings.ContainsAny(value, " \t") || strings.Contains(value, "://") || isPath(value) || isBool(value) || isDuration(value) {
		return false
	}
	for word := range strings.FieldsSeq("PASSWORD PASSWD PASSPHRASE SECRET SECRETS TOKEN APIKEY API_KEY PRIVATE_KEY PRIVATE CREDENTIALS CREDENTIAL _PASS _PWD _PAT") {
		const least = 6
		if strings.HasSuffix(name, word) {
			return len(value) >= least
		}
	}
	const least = 12 // there are keys of caches and tables
	return strings.HasSuffix(name, "_KEY") && len(value) >= least && strings.ContainsAny(value, "0123456789") && !strings.ContainsAny(value, ":.")
}

func isPath(s string) bool {
	return strings.HasPrefix(s, "/") || strings.HasPrefix(s, "./") || strings.HasPrefix(s, "../") || strings.HasPrefix(s, "~/") ||
		len(s) > 2 && s[1] == ':' && (s[2] == '\\' || s[2] == '/')
}

// isRandom reports whether a value is one word of at least 20 characters that change between
// letters and digits, or upper and lower case, as often as those of random text.
func isRandom(name, value string) bool {
	const least, most = 20, 4096
	value = strings.TrimRight(value, "=")
	if len(value) < least || len(value) > most || isPath(value) || strings.Trim(value, tokenBytes+"+") != "" || isUUID(value) {
		return false
	}
	if strings.HasPrefix(value, "age1") || isQualified(strings.ToLower(value)) || strings.Contains(value, ".") {
		return false
	}
	if strings.Trim(value, "0123456789abcdefABCDEF") == "" {
		return isRandomHex(name, value)
	}
	classes, changes := 0, 0
	seen := [4]bool{}
	for i := range len(value) {
		c := class(value[i])
		if !seen[c] && c != other {
			classes++
		}
		seen[c] = true
		if i > 0 && c != class(value[i-1]) {
			changes++
		}
	}
	rate := float64(changes) / float64(len(value)-1)
	switch {
	case !seen[digit] || classes < 2 || entropy(value) < 3.5:
		return false
	case classes == 3:
		return rate > 0.4
	}
	return rate > 0.25 && !seen[other]
}

// isRandomHex leaves out numbers, and the hashes that are no secret: git's, and those called so.
func isRandomHex(name, value string) bool {
	const git = 40
	if isDigits(value) || len(value) == git || entropy(value) < 3 {
		return false
	}
	for word := range strings.FieldsSeq("SHA HASH DIGEST CHECKSUM COMMIT REVISION FINGERPRINT MD5 ETAG TRACE") {
		if strings.Contains(name, word) {
			return false
		}
	}
	return true
}

func isUUID(s string) bool {
	const length = 36
	return len(s) == length && s[8] == '-' && s[13] == '-' && s[18] == '-' && s[23] == '-' &&
		strings.Trim(s, "0123456789abcdefABCDEF-") == ""
}

const (
	other = iota
	digit
	lowerCase
	upperCase
)

func class(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return digit
	case c >= 'a' && c <= 'z':
		return lowerCase
	case c >= 'A' && c <= 'Z':
		return upperCase
	}
	return other
}

// entropy is Shannon's, in bits per character.
func entropy(s string) float64 {
	var counts [256]int
	for i := range len(s) {
		counts[s[i]]++
	}
	bits := 0.0
	for _, n := range counts {
		if n > 0 {
			p := float64(n) / float64(len(s))
			bits -= p * math.Log2(p)
		}
	}
	return bits
}
