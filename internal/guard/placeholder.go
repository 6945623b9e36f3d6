package guard

import "strings"

// isPlaceholder reports whether a whole value stands for one that somebody was to put there. An
// empty one does not: it says that there is none.
func isPlaceholder(value string) bool {
	const limit = 100 // no placeholder is longer
	value = strings.TrimSpace(value)
	if value == "" || len(value) > limit {
		return false
	}
	value = strings.ToLower(value)
	joined := strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || r == ' ' {
			return -1
		}
		return r
	}, value)
	for word := range strings.FieldsSeq(placeholders) {
		if joined == word {
			return true
		}
	}
	if len(value) > 2 && strings.IndexByte("x*.?#", value[0]) >= 0 && strings.Trim(value, value[:1]) == "" {
		return true // xxx, ***, ...
	}
	if value[0] == '<' && value[len(value)-1] == '>' && !strings.Contains(value, "</") && !strings.Contains(value, "/>") {
		return strings.Count(value, "<") == 1
	}
	return isInstruction(value)
}

// isInstruction reports whether a value is "your-…" or "insert-…-here".
func isInstruction(value string) bool {
	if strings.ContainsAny(value, "./:@") {
		return false
	}
	if strings.HasPrefix(value, "your-") || strings.HasPrefix(value, "your_") {
		return true
	}
	if !strings.HasSuffix(value, "here") {
		return false
	}
	for _, verb := range []string{"your", "insert", "enter", "put", "add", "paste", "set"} {
		if strings.HasPrefix(value, verb) {
			return true
		}
	}
	return false
}

// Without hyphens, underscores and blanks. Text, so that nothing is built before it is needed.
const placeholders = `
changeme changethis changeit pleasechange pleasechangeme replaceme replacethis fixme fillme fillmein fillin todo tbd tba
password passw0rd passwd password1 password123 mypassword secret mysecret topsecret supersecret secretkey mysecretkey
mytoken letmein qwerty insecure notsecure
example exampleval placeholder dummy dummyvalue fake fakevalue test testing test123 foo bar baz foobar asdf
123456 1234567 12345678 123456789 1234567890 abc123`
