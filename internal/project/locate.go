package project

import (
	"slices"
	"strconv"
	"strings"
)

// locate returns the line, from 1, of a string value under the key at a path: of its
// last occurrence there, or else that of the key, or else that of the nearest table
// around it. Text must be TOML that was decoded already; toml itself tells the
// lines of syntax errors only.
func locate(text string, path []string, value string) int {
	l := locator{text: text, path: path, value: value}
	l.document()
	return 1 + strings.Count(text[:l.found], "\n")
}

// locator walks over TOML, trusting it, and notes the best place found so far.
type locator struct {
	text        string
	path        []string
	value       string
	pos         int
	found, best int // the place, and how well it fits
}

func (l *locator) document() {
	var table []string
	for l.skip(" \t\r\n"); l.pos < len(l.text); l.skip(" \t\r\n") {
		start := l.pos
		if l.text[l.pos] != '[' {
			l.pair(table)
		} else {
			l.skip("[ \t")
			table = l.key()
			l.visit(start, table)
			l.skip("] \t")
		}
		l.pos = max(l.pos, start+1)
	}
}

func (l *locator) pair(table []string) {
	start := l.pos
	path := slices.Concat(table, l.key())
	l.visit(start, path)
	l.skip("= \t")
	l.valueAt(path)
}

func (l *locator) valueAt(path []string) {
	if l.pos >= len(l.text) {
		return
	}
	start := l.pos
	switch c := l.text[l.pos]; c {
	case '"', '\'':
		if s := l.quoted(); s == l.value && s != "" && slices.Equal(path, l.path) {
			l.found, l.best = start, 1+2*len(path)
		}
	case '[', '{':
		l.pos++
		for l.skip(", \t\r\n"); l.pos < len(l.text) && strings.IndexByte("]}", l.text[l.pos]) < 0; l.skip(", \t\r\n") {
			item := l.pos
			if c == '[' {
				l.valueAt(path)
			} else {
				l.pair(path)
			}
			l.pos = max(l.pos, item+1)
		}
		l.pos = min(l.pos+1, len(l.text))
	default:
		l.until(",]}#\n")
	}
}

// visit notes the place of a key or table header by how much of the path it shares.
func (l *locator) visit(start int, path []string) {
	shared := 0
	for shared < min(len(path), len(l.path)) && path[shared] == l.path[shared] {
		shared++
	}
	if 2*shared > l.best {
		l.found, l.best = start, 2*shared
	}
}

// key reads a dotted key.
func (l *locator) key() (path []string) {
	for l.pos < len(l.text) {
		if c := l.text[l.pos]; c == '"' || c == '\'' {
			path = append(path, l.quoted())
		} else {
			start := l.pos
			l.until(".=] \t\r\n#")
			path = append(path, l.text[start:l.pos])
		}
		l.skip(" \t")
		if l.pos >= len(l.text) || l.text[l.pos] != '.' {
			break
		}
		l.skip(". \t")
	}
	return path
}

// quoted reads a string of any of TOML's four kinds.
func (l *locator) quoted() string {
	quote := l.text[l.pos : l.pos+1]
	if triple := strings.Repeat(quote, 3); strings.HasPrefix(l.text[l.pos:], triple) {
		quote = triple
	}
	l.pos += len(quote)
	start := l.pos
	for l.pos < len(l.text) && !strings.HasPrefix(l.text[l.pos:], quote) {
		if l.text[l.pos] == '\\' && quote[0] == '"' {
			l.pos++
		}
		l.pos++
	}
	end := min(l.pos, len(l.text))
	l.pos = min(end+len(quote), len(l.text))
	raw := l.text[start:end]
	if quote == `"` {
		if s, err := strconv.Unquote(`"` + raw + `"`); err == nil {
			return s
		}
	}
	return raw
}

// skip moves over a set of characters, and over comments where they may span lines.
func (l *locator) skip(set string) {
	for l.pos < len(l.text) {
		if l.text[l.pos] == '#' && strings.Contains(set, "\n") {
			l.until("\n")
		} else if strings.IndexByte(set, l.text[l.pos]) < 0 {
			return
		} else {
			l.pos++
		}
	}
}

func (l *locator) until(set string) {
	if n := strings.IndexAny(l.text[l.pos:], set); n >= 0 {
		l.pos += n
	} else {
		l.pos = len(l.text)
	}
}
