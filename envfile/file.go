package envfile

import (
	"slices"
	"strings"
)

// Kind tells the items of a file apart.
type Kind int

const (
	Blank Kind = iota
	Comment
	Entry
)

// Item is a blank line, a line with a comment, or an entry, which may span lines.
type Item struct {
	Kind Kind
	Line int // where it begins, from 1

	Key, Value string // of an Entry

	// Comment is, for a Comment, everything after its "#". For an Entry it is what follows the value: empty, or
	// blanks, "#" and the rest of the line, as in "  # rotate in May".
	Comment string
}

// File is dotenv text. Whatever is not changed keeps its bytes.
type File struct {
	bom      bool
	segments []segment
	index    map[string]int // from key to segment
}

// Items returns everything in the file, in order, blank lines and comments included.
func (f *File) Items() []Item {
	items := make([]Item, len(f.segments))
	line := 1
	for i, s := range f.segments {
		items[i] = s.Item
		items[i].Line = line
		line += strings.Count(s.text, "\n")
	}
	return items
}

// Warnings returns, in order, the constructs that other programs read differently.
func (f *File) Warnings() []Warning {
	var warnings []Warning
	line := 1
	for _, s := range f.segments {
		for _, w := range s.warnings {
			w.Line += line
			warnings = append(warnings, w)
		}
		line += strings.Count(s.text, "\n")
	}
	return warnings
}

// Get returns the value of key and whether there is one.
func (f *File) Get(key string) (string, bool) {
	i, found := f.index[key]
	if !found {
		return "", false
	}
	return f.segments[i].Value, true
}

// Set replaces the value of key where it stands, or appends an entry. Every other byte stays as it was: the key's
// "export", blanks and inline comment, too. Only a last line without an end is given one before something is appended. The
// error is an *ExpressError, for a key that is outside the pattern or reserved and for a value with NUL or invalid
// UTF-8; then nothing has changed.
func (f *File) Set(key, value string) error {
	if err := check([]Var{{key, value}}, dotenv); err != nil {
		return err
	}
	i, found := f.index[key]
	if !found {
		f.append(key, value)
		return nil
	}
	old := f.segments[i]
	if old.Value == value {
		return nil
	}
	text := old.text[:old.start] + f.written(value, old.Comment) + old.text[old.end:]
	f.segments[i] = mustFirst(text)
	return nil
}

// Delete removes the entry of key with its whole lines, and reports whether there was one.
func (f *File) Delete(key string) bool {
	i, found := f.index[key]
	if !found {
		return false
	}
	f.segments = slices.Delete(f.segments, i, i+1)
	delete(f.index, key)
	for k, at := range f.index {
		if at > i {
			f.index[k] = at - 1
		}
	}
	return true
}

// Bytes returns the text. For a file that was not changed it is what Parse was given.
func (f *File) Bytes() []byte {
	var text []byte
	if f.bom {
		text = append(text, bom...)
	}
	for _, s := range f.segments {
		text = append(text, s.text...)
	}
	return text
}

func (f *File) add(s segment) {
	if s.Kind == Entry {
		f.index[s.Key] = len(f.segments)
	}
	f.segments = append(f.segments, s)
}

func (f *File) append(key, value string) {
	if n := len(f.segments); n > 0 && !strings.HasSuffix(f.segments[n-1].text, "\n") {
		f.segments[n-1].text += f.lineEnd()
	}
	f.add(mustFirst(key + "=" + f.written(value, "") + f.lineEnd()))
}

// written returns value as this file writes it, with the file's line end inside quotes, too.
func (f *File) written(value, comment string) string {
	return strings.ReplaceAll(quoteAlways(value, comment), "\n", f.lineEnd())
}

func (f *File) lineEnd() string {
	if len(f.segments) > 0 && strings.HasSuffix(f.segments[0].text, "\r\n") {
		return "\r\n"
	}
	return "\n"
}

// mustFirst reads a line that this package wrote.
func mustFirst(text string) segment {
	s, err := first(text)
	if err != nil || s.text != text {
		panic("envfile: cannot read back what was written")
	}
	return s
}
