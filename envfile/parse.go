// Package envfile reads, edits and writes dotenv text, and writes variables in other formats.
//
// # The dialect
//
// UTF-8 with an optional byte order mark; lines end in LF or CRLF. A line is blank, a comment that begins with "#", or
//
//	[export] KEY=VALUE
//
// with blanks (spaces and tabs) around the key and "=" ignored. A key matches ^[A-Za-z_][A-Za-z0-9_]*$.
//
//   - An unquoted value goes to the end of the line, or to a blank followed by "#"; blanks around it are dropped, and
//     nothing in it is an escape.
//   - A value in single quotes is literal and may span lines.
//   - A value in double quotes may span lines; \n \r \t \\ \" \$ are escapes, any other backslash stays.
//   - After a closing quote there may be blanks and a comment.
//
// A CRLF inside quotes counts as LF. A CR without LF is an ordinary character, except at the end of an unquoted
// line, where every CR belongs to the line's end.
//
// There is deliberately no interpolation, no command substitution, no key without a value and no "KEY: value".
package envfile

import (
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	bom            = "\ufeff"
	blanks         = " \t"
	reservedPrefix = "sops_"
)

// Parse reads text in the dialect of the package comment. Any error is a *ParseError, and then there is no File.
func Parse(text []byte) (*File, error) {
	rest := string(text)
	if err := checkText(rest); err != nil {
		return nil, err
	}
	rest, hasBOM := strings.CutPrefix(rest, bom)
	lines := strings.Count(rest, "\n") + 1
	f := &File{bom: hasBOM, segments: make([]segment, 0, lines), index: make(map[string]int)}
	for line := 1; rest != ""; {
		s, err := first(rest)
		if err != nil {
			err.Line += line
			return nil, err
		}
		if i, found := f.index[s.Key]; found {
			return nil, &ParseError{Line: line, Reason: DuplicateKey, Key: s.Key, OtherLine: f.Items()[i].Line}
		}
		f.add(s)
		rest = rest[len(s.text):]
		line += strings.Count(s.text, "\n")
	}
	return f, nil
}

// ValidKey reports whether key matches ^[A-Za-z_][A-Za-z0-9_]*$.
func ValidKey(key string) bool {
	for i := range len(key) {
		c := key[i]
		letter := c == '_' || 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return key != ""
}

func checkText(text string) error {
	if i := strings.IndexByte(text, 0); i >= 0 {
		return &ParseError{Line: 1 + strings.Count(text[:i], "\n"), Reason: NULByte}
	}
	if utf8.ValidString(text) {
		return nil
	}
	line := 1
	for l := range strings.Lines(text) {
		if !utf8.ValidString(l) {
			break
		}
		line++
	}
	return &ParseError{Line: line, Reason: InvalidUTF8}
}

// segment is one item with the text that it was read from. Lines in it count from 0, so that it can move.
type segment struct {
	Item
	text       string // with its line end
	start, end int    // text[start:end] is the value as it is written, with its quotes
	warnings   []Warning
}

// first reads the item at the beginning of text. Lines in the error count from 0.
func first(text string) (segment, *ParseError) {
	line, size := cutLine(text)
	body := strings.TrimLeft(line, blanks)
	switch {
	case body == "":
		return segment{text: text[:size]}, nil
	case body[0] == '#':
		return segment{Item: Item{Kind: Comment, Comment: body[1:]}, text: text[:size]}, nil
	case isConflictMarker(line):
		return segment{}, &ParseError{Reason: ConflictMarker}
	}
	name, after, ok := strings.Cut(line, "=")
	if !ok {
		return segment{}, &ParseError{Reason: MissingEquals}
	}
	s := segment{Item: Item{Kind: Entry, Key: trimExport(name)}, text: text[:size]}
	switch {
	case !ValidKey(s.Key):
		return segment{}, &ParseError{Reason: InvalidKey}
	case strings.HasPrefix(s.Key, reservedPrefix):
		return segment{}, &ParseError{Reason: ReservedKey}
	}
	if value := strings.TrimLeft(after, blanks); value != "" && (value[0] == '\'' || value[0] == '"') {
		return s.quoted(text, len(line)-len(value))
	}
	return s.unquoted(after, len(line)), nil
}

// cutLine returns the first line of text without its end, and its size with it.
func cutLine(text string) (line string, size int) {
	line, _, ended := strings.Cut(text, "\n")
	size = len(line)
	if ended {
		size++
	}
	return strings.TrimRight(line, "\r"), size
}

func trimExport(name string) string {
	name = strings.Trim(name, blanks)
	if key := strings.TrimPrefix(name, "export"); key != "" && strings.Contains(blanks, key[:1]) {
		return strings.TrimLeft(key, blanks)
	}
	return name
}

// unquoted reads the value in after, which is what follows the "=" on a line of the given length.
func (s segment) unquoted(after string, length int) segment {
	comment := len(after)
	for i := 1; i < len(after); i++ {
		if after[i] == '#' && strings.IndexByte(blanks, after[i-1]) >= 0 {
			comment = i
			break
		}
	}
	value := strings.TrimRight(after[:comment], blanks)
	s.Value = strings.TrimLeft(value, blanks)
	switch {
	case comment < len(after):
		s.Comment = after[len(value):]
		s.end = length - len(s.Comment)
	case value == "":
		s.end = length // "KEY = " keeps its blank when the value is set
	default:
		s.end = length - len(after) + len(value)
	}
	s.start = s.end - len(s.Value)
	s.inspect(s.start, s.end, 0)
	return s
}

// quoted reads the value whose opening quote stands at text[start].
func (s segment) quoted(text string, start int) (segment, *ParseError) {
	quote := text[start]
	length := quotedLength(text[start:])
	if length < 0 {
		return segment{}, &ParseError{Reason: UnterminatedQuote}
	}
	s.start, s.end = start, start+length
	tail, size := cutLine(text[s.end:])
	s.text = text[:s.end+size]
	raw := text[s.start+1 : s.end-1]
	if i := conflict(raw); i >= 0 {
		return segment{}, &ParseError{Line: 1 + strings.Count(raw[:i], "\n"), Reason: ConflictMarker}
	}
	s.Value = strings.ReplaceAll(raw, "\r\n", "\n")
	if quote == '"' {
		s.Value = unescape(s.Value)
	}
	s.inspect(s.start+1, s.end-1, quote)
	switch rest := strings.TrimLeft(tail, blanks); {
	case rest == "":
	case rest[0] != '#':
		return segment{}, &ParseError{Line: strings.Count(text[:s.end], "\n"), Reason: TextAfterQuote}
	default:
		s.Comment = tail
		if tail[0] == '#' {
			s.warn(Hash, s.end)
		}
	}
	return s, nil
}

// quotedLength returns the length of the quoted string at the beginning of text with both quotes, or -1.
func quotedLength(text string) int {
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == text[0]:
			return i + 1
		case text[i] == '\\' && text[0] == '"':
			i++
		}
	}
	return -1
}

func unescape(raw string) string {
	if !strings.Contains(raw, `\`) {
		return raw
	}
	value := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if e := escaped(raw[i:]); e != 0 {
			c = e
			i++
		}
		value = append(value, c)
	}
	return string(value)
}

// escaped returns what the escape at the beginning of raw stands for, or 0 if there is none.
func escaped(raw string) byte {
	if len(raw) < 2 || raw[0] != '\\' {
		return 0
	}
	switch raw[1] {
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case '\\', '"', '$':
		return raw[1]
	}
	return 0
}

// inspect warns of what other programs read differently in text[start:end], which stands in the given quotes.
func (s *segment) inspect(start, end int, quote byte) {
	for i := start; i < end; i++ {
		switch c := s.text[i]; {
		case c == '\r' && s.text[i+1] != '\n': // a value's last CR is followed by a quote or a blank
			s.warn(CarriageReturn, i)
		case quote == '\'':
		case quote == '"' && escaped(s.text[i:end]) != 0:
			i++
		case c == '\\':
			s.warn(Backslash, i)
		case c == '$':
			s.warn(Dollar, i)
		case c == '`':
			s.warn(Backtick, i)
		case c == '#' && quote == 0:
			s.warn(Hash, i)
		}
	}
}

func (s *segment) warn(c Construct, at int) {
	if !slices.ContainsFunc(s.warnings, func(w Warning) bool { return w.Construct == c }) {
		s.warnings = append(s.warnings, Warning{strings.Count(s.text[:at], "\n"), s.Key, c})
	}
}

func isConflictMarker(line string) bool {
	for _, marker := range []string{"<<<<<<<", "|||||||", "=======", ">>>>>>>"} {
		if strings.HasPrefix(line, marker) {
			return true
		}
	}
	return false
}

// conflict returns the index of a whole git conflict in a value of several lines, or -1. A conflict between two
// versions of a private key lies wholly inside its quotes. A single marker there is text: "=======" underlines titles.
func conflict(value string) int {
	before, rest, found := strings.Cut(value, "\n<<<<<<<")
	for _, marker := range []string{"\n=======", "\n>>>>>>>"} {
		if found {
			_, rest, found = strings.Cut(rest, marker)
		}
	}
	if !found {
		return -1
	}
	return len(before)
}
