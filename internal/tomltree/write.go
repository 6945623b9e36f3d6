package tomltree

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Pair is a key and a value to be written: a string, a bool, an int64 or a []string.
type Pair struct {
	Name  string
	Value any
}

// A list that would make its line longer gets a line for each item.
const maxLine = 100

// encode returns a pair as TOML, without the end of its last line. An eol of "" asks
// for one line.
func (p Pair) encode(prefix, indent, eol string) string {
	items, _ := p.Value.([]string)
	line := prefix + encodeName(p.Name) + " = " + encodeValue(p.Value)
	if eol == "" || len(items) < 2 || len(indent)+len(line) <= maxLine {
		return line
	}
	var b strings.Builder
	b.WriteString(prefix + encodeName(p.Name) + " = [" + eol)
	for _, item := range items {
		b.WriteString(indent + "  " + encodeString(item) + "," + eol)
	}
	b.WriteString(indent + "]")
	return b.String()
}

// strings returns what a pair has of text.
func (p Pair) strings() []string {
	texts := []string{p.Name}
	switch value := p.Value.(type) {
	case string:
		texts = append(texts, value)
	case []string:
		texts = append(texts, value...)
	}
	return texts
}

func encodeValue(value any) string {
	switch value := value.(type) {
	case string:
		return encodeString(value)
	case bool, int64:
		return fmt.Sprint(value)
	case []string:
		items := make([]string, len(value))
		for i, item := range value {
			items[i] = encodeString(item)
		}
		return "[" + strings.Join(items, ", ") + "]"
	default:
		panic(fmt.Sprintf("tomltree: cannot write a %T", value))
	}
}

// encodeName returns a part of a key, in quotes if it needs them.
func encodeName(s string) string {
	if s != "" && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == "" {
		return s
	}
	return encodeString(s)
}

func encodeNames(path []string) string {
	names := make([]string, len(path))
	for i, s := range path {
		names[i] = encodeName(s)
	}
	return strings.Join(names, ".")
}

// encodeString returns a basic string.
func encodeString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// encodeLike returns a string in the quotes of another one, whose text in a file is
// raw, where it can stand in such quotes.
func encodeLike(raw []byte, s string) string {
	literal := len(raw) > 0 && raw[0] == '\''
	if literal && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r == '\'' || r < ' ' || r == 0x7f }) {
		return "'" + s + "'"
	}
	return encodeString(s)
}

// oneLine makes a comment of one line of any text.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}
