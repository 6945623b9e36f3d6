package tomltree

import "slices"

// insert adds items, as TOML, behind those of a list or an inline table, which keeps
// its form: on one line, or on many with their indentation.
func (e *Editor) insert(q *sequence, items []string) {
	n, closing := len(q.items), q.end-1
	if n == 0 {
		e.insertFirst(q, items)
		return
	}
	last, comma := q.items[n-1], q.commas[n-1]
	ownLine := e.hasNewline(max(last.end, comma), closing) // the closing bracket's
	trailing := comma >= 0
	if !trailing && ownLine {
		e.splice(last.end, last.end, ",")
	}
	if ownLine {
		indent := e.itemIndent(q)
		start, eol := lineStart(e.text, closing), e.eol(closing)
		for i, item := range items {
			if i < len(items)-1 || trailing {
				item += ","
			}
			e.splice(start, start, indent+item+eol)
		}
		return
	}
	separator := e.separator(q)
	for _, item := range items {
		if trailing {
			e.splice(comma+1, comma+1, separator[1:]+item+",")
		} else {
			e.splice(last.end, last.end, separator+item)
		}
	}
}

func (e *Editor) insertFirst(q *sequence, items []string) {
	start, closing := q.start+1, q.end-1
	if e.hasNewline(start, closing) {
		line, eol := lineStart(e.text, closing), e.eol(closing)
		indent := e.indentAt(closing) + "  "
		if first := e.skipBlanks(lineEnd(e.text, start)); e.text[first] == '#' {
			indent = e.indentAt(first)
		}
		for _, item := range items {
			e.splice(line, line, indent+item+","+eol)
		}
		return
	}
	padding := string(e.text[start:closing])
	for i, item := range items {
		if i > 0 {
			padding = ", "
		}
		e.splice(start, start, padding+item)
	}
}

// separator returns the comma, and what follows it, in front of a new item that stands
// on the line of the closing bracket.
func (e *Editor) separator(q *sequence) string {
	n := len(q.items)
	last := q.items[n-1]
	if e.startsLine(last.start) && e.hasNewline(q.start, last.start) {
		return "," + e.eol(last.start) + e.indentAt(last.start)
	}
	if n > 1 && q.commas[n-2] >= 0 {
		between := string(e.text[q.commas[n-2]:last.start])
		if !slices.ContainsFunc([]byte(between[1:]), func(c byte) bool { return !isBlank(c) }) {
			return between
		}
	}
	return ", "
}

// itemIndent returns the indentation of the last item that stands first on its line.
func (e *Editor) itemIndent(q *sequence) string {
	for _, item := range slices.Backward(q.items) {
		if e.startsLine(item.start) {
			return e.indentAt(item.start)
		}
	}
	return e.indentAt(q.end-1) + "  "
}

// drop removes items of a list or an inline table, each with its comma, and with its
// line if nothing else stands on it.
func (e *Editor) drop(q *sequence, removed func(i int) bool) {
	n := len(q.items)
	last := n - 1 // the last one that stays
	for last >= 0 && removed(last) {
		last--
	}
	// Behind it, each takes the comma before it, so that there is a last comma if
	// there was one; but where lines go, each line has its own comma.
	leftwards := last >= 0 && !e.alone(q, n-1)
	for i, item := range q.items {
		switch {
		case !removed(i):
		case i > last && leftwards:
			e.dropLeftwards(q, i)
		case e.alone(q, i):
			e.splice(lineStart(e.text, item.start), lineEnd(e.text, max(item.end, q.commas[i])), "")
		default:
			e.dropRightwards(q, i)
		}
	}
	if last >= 0 && last < n-1 && !leftwards && q.commas[n-1] < 0 {
		e.splice(q.commas[last], q.commas[last]+1, "")
	}
}

// alone reports whether only an item, its comma and a comment stand on its lines.
func (e *Editor) alone(q *sequence, i int) bool {
	item := q.items[i]
	end := item.end
	if comma := q.commas[i]; comma >= 0 {
		if e.skipBlanks(end) != comma {
			return false
		}
		end = comma + 1
	}
	end = e.skipBlanks(end)
	return e.startsLine(item.start) && (e.text[end] == '#' || e.text[end] == '\n' || e.text[end] == '\r')
}

func (e *Editor) dropLeftwards(q *sequence, i int) {
	item, before := q.items[i], q.items[i-1]
	if e.isSpace(before.end, q.commas[i-1]) && e.isSpace(q.commas[i-1]+1, item.start) {
		e.splice(before.end, item.end, "")
		return
	}
	e.splice(q.commas[i-1], q.commas[i-1]+1, "")
	e.splice(e.skipBlanksBack(item.start), item.end, "")
}

func (e *Editor) dropRightwards(q *sequence, i int) {
	item, comma := q.items[i], q.commas[i]
	switch {
	case comma < 0:
		e.splice(item.start, e.skipBlanks(item.end), "")
	case i+1 < len(q.items) && e.isSpace(item.end, comma) && e.isSpace(comma+1, q.items[i+1].start):
		e.splice(item.start, q.items[i+1].start, "")
	case e.isSpace(item.end, comma):
		e.splice(item.start, e.skipBlanks(comma+1), "")
	default:
		e.splice(item.start, e.skipBlanks(item.end), "")
		e.splice(comma, comma+1, "")
	}
}
