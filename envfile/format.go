package envfile

import (
	"strings"
	"unicode/utf8"
)

// Format writes items in the dialect; Parse reads identical items back, but for their Line. It expresses every value
// that is valid UTF-8 without NUL, and writes as Dotenv does whatever bash can read, too. Use it for text that a person
// edits, and Dotenv for other programs.
//
// The error is an *ExpressError: for a key that is outside the pattern, reserved or there twice, for NUL or invalid
// UTF-8, and for a comment that is not on one line, or an inline one that does not begin with blanks and "#".
func Format(items []Item) ([]byte, error) {
	var vars []Var
	for _, item := range items {
		if !expressible(item) {
			return nil, &ExpressError{item.Key, dotenv, "its comment is not one line of UTF-8 after a #"}
		}
		if item.Kind == Entry {
			vars = append(vars, Var{item.Key, item.Value})
		}
	}
	if err := check(vars, dotenv); err != nil {
		return nil, err
	}
	var text []byte
	for _, item := range items {
		switch item.Kind {
		case Comment:
			text = append(text, "#"+item.Comment...)
		case Entry:
			text = append(text, item.Key+"="+quoteAlways(item.Value, item.Comment)+item.Comment...)
		}
		text = append(text, '\n')
	}
	return text, nil
}

// expressible reports whether the comment of item can be read back. A CR at its end would belong to the line's end.
func expressible(item Item) bool {
	c := item.Comment
	if item.Kind == Entry && c != "" && !strings.HasPrefix(strings.TrimLeft(c, blanks), "#") {
		return false
	}
	return utf8.ValidString(c) && !strings.ContainsAny(c, "\n\x00") && !strings.HasSuffix(c, "\r")
}

// quote writes value so that we and bash read it, and Node's dotenv if it can, too; or says why that is impossible.
//
// Bash knows no escape for a newline or a CR, and in double quotes it runs what stands in backticks, which we, in
// turn, cannot escape. Node removes no backslash: it reads a value with a single quote only where the rest can stand
// unescaped between double quotes.
func quote(value string) (text, impossible string) {
	switch {
	case strings.Contains(value, "\r\n"):
		return "", "it has a CR LF line end; use json or shell"
	case conflict(value) >= 0:
		return "", "it reads as a git conflict; use json or shell"
	case isPlain(value):
		return value, ""
	case !strings.Contains(value, "'"):
		return "'" + value + "'", ""
	case strings.Contains(value, "`"):
		return "", "it has both a backtick and a single quote; use json or shell"
	case isVerbatim(value):
		return `"` + value + `"`, ""
	}
	return `"` + escape(value) + `"`, ""
}

// quoteAlways writes value before an inline comment, for us alone if bash cannot read it.
func quoteAlways(value, comment string) string {
	text, impossible := quote(value)
	switch {
	case conflict(value) >= 0:
		return `"` + strings.NewReplacer("\n", `\n`, "\r", `\r`).Replace(escape(value)) + `"`
	case impossible != "", strings.Contains(value, "\r"): // editors take a bare CR for a line end
		return `"` + strings.ReplaceAll(escape(value), "\r", `\r`) + `"`
	case text == value && strings.HasPrefix(comment, "#"):
		return "'" + value + "'"
	}
	return text
}

// isPlain reports whether value needs no quotes anywhere. The set is narrow on purpose: "~" and blanks, for example, are
// read differently by bash.
func isPlain(value string) bool {
	for i := range len(value) {
		c := value[i]
		alphanumeric := 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9'
		if !alphanumeric && strings.IndexByte("_-./:@%+,=", c) < 0 {
			return false
		}
	}
	return true
}

// isVerbatim reports whether everybody reads value as it stands between double quotes: nothing in it is an escape for
// us, bash or Node, or a control character after a backslash: bash removes newline and DEL there.
func isVerbatim(value string) bool {
	for i := range len(value) {
		switch value[i] {
		case '"', '$', '`':
			return false
		case '\\':
			if i+1 == len(value) || value[i+1] < ' ' || strings.IndexByte("nrt\\\x7f", value[i+1]) >= 0 {
				return false
			}
		}
	}
	return true
}

func escape(value string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`).Replace(value)
}
