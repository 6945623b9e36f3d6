package tomltree

import (
	"bytes"
	"slices"
)

// commentsAbove returns where the comment lines directly above a header begin.
func (e *Editor) commentsAbove(s *section) int {
	start := s.header.start
	for start > s.previous {
		line := lineStart(e.text, start-1)
		if e.text[e.skipBlanks(line)] != '#' {
			break
		}
		start = line
	}
	return start
}

// sectionEnd returns where a table with a header ends, with the comment lines directly
// below its body unless they are those of the next header.
func (e *Editor) sectionEnd(s *section) int {
	end := s.header.end
	if len(s.pairs) > 0 {
		end = lineEnd(e.text, s.pairs[len(s.pairs)-1].end)
	}
	pos := end
	for pos < len(e.text) && bytes.HasPrefix(e.text[e.skipBlanks(pos):], []byte("#")) {
		pos = lineEnd(e.text, pos)
	}
	if i := s.index + 1; i < len(e.sections) && e.sections[i].header.start == pos {
		return end
	}
	return pos
}

// blankLines returns where the blank lines that begin at pos end.
func (e *Editor) blankLines(pos int) int {
	for pos < len(e.text) {
		end := lineEnd(e.text, pos)
		if !e.isSpace(pos, end) {
			break
		}
		pos = end
	}
	return pos
}

// blankLinesBack returns where the blank lines begin that end at pos, limit at least.
func (e *Editor) blankLinesBack(pos, limit int) int {
	for pos > limit {
		start := lineStart(e.text, pos-1)
		if !e.isSpace(start, pos) {
			break
		}
		pos = start
	}
	return pos
}

// lineBreak returns what ends the line before pos, if nothing does yet.
func (e *Editor) lineBreak(pos int) string {
	if pos == 0 || e.text[pos-1] == '\n' {
		return ""
	}
	return e.eol(pos)
}

func (e *Editor) hasNewline(start, end int) bool { return slices.Contains(e.text[start:end], '\n') }

// isSpace reports whether nothing but blanks and line ends stand in a range.
func (e *Editor) isSpace(start, end int) bool {
	return !slices.ContainsFunc(e.text[start:end], func(c byte) bool { return !isBlank(c) && c != '\r' && c != '\n' })
}

func (e *Editor) skipBlanks(pos int) int {
	for pos < len(e.text) && isBlank(e.text[pos]) {
		pos++
	}
	return pos
}

func (e *Editor) skipBlanksBack(pos int) int {
	for pos > 0 && isBlank(e.text[pos-1]) {
		pos--
	}
	return pos
}

// startsLine reports whether only blanks stand before pos on its line.
func (e *Editor) startsLine(pos int) bool {
	pos = e.skipBlanksBack(pos)
	return pos == 0 || e.text[pos-1] == '\n'
}

// indentAt returns the blanks that the line of pos begins with.
func (e *Editor) indentAt(pos int) string {
	start := lineStart(e.text, pos)
	return string(e.text[start:e.skipBlanks(start)])
}

// eol returns how the line before pos ends, or else the one at pos.
func (e *Editor) eol(pos int) string {
	end := lineStart(e.text, pos)
	if end == 0 {
		end = lineEnd(e.text, pos)
	}
	if end >= 2 && e.text[end-1] == '\n' && e.text[end-2] == '\r' {
		return "\r\n"
	}
	return "\n"
}
