package tomltree

import (
	"errors"
	"slices"
	"strings"
)

// AddKey adds a key to the table at a path, behind the others that it has.
func (e *Editor) AddKey(path []string, p Pair) error {
	if e.get(append(slices.Clone(path), p.Name)) != nil {
		return ErrExists
	}
	places, err := e.find(path)
	if err != nil {
		return err
	}
	if !e.get(path).IsTable() {
		return e.formError(places[0].names[len(places[0].names)-1].start, "this is not a table")
	}
	return e.try(func() { e.addKey(places, path, p) }, p.strings()...)
}

func (e *Editor) addKey(places []place, path []string, p Pair) {
	var dotted *place
	for i := range places {
		switch at := &places[i]; {
		case at.pair == nil && at.exact():
			e.addLine(at.section, "", p)
			return
		case at.pair == nil: // a header of a table in it
		case at.exact():
			e.insert(at.pair.value.members, []string{p.encode("", "", "")})
			return
		default:
			dotted = at
		}
	}
	if dotted == nil {
		e.addSection(path, nil, path, []Pair{p})
		return
	}
	prefix := string(e.text[dotted.names[0].start:dotted.names[dotted.depth].end]) + "."
	if dotted.inside != nil {
		e.insert(dotted.inside.members, []string{p.encode(prefix, "", "")})
		return
	}
	e.addBelow(dotted.pair, prefix, p)
}

// addLine adds a key to a table that has a header, or to the top.
func (e *Editor) addLine(s *section, prefix string, p Pair) {
	if len(s.pairs) > 0 {
		e.addBelow(s.pairs[len(s.pairs)-1], prefix, p)
		return
	}
	if s.names == nil {
		start := len(e.text)
		if len(e.sections) > 1 {
			start = e.commentsAbove(e.sections[1])
		}
		eol := e.eol(start)
		line := e.lineBreak(start) + p.encode(prefix, "", eol) + eol
		if start < len(e.text) {
			line += eol
		}
		e.splice(start, start, line)
		return
	}
	indent, eol := e.indentAt(s.header.start), e.eol(s.header.end)
	e.splice(s.header.end, s.header.end, e.lineBreak(s.header.end)+indent+p.encode(prefix, indent, eol)+eol)
}

func (e *Editor) addBelow(above *pair, prefix string, p Pair) {
	end := lineEnd(e.text, above.end)
	indent, eol := e.indentAt(above.start), e.eol(end)
	e.splice(end, end, e.lineBreak(end)+indent+p.encode(prefix, indent, eol)+eol)
}

// AddTable adds a table at a path, with comment lines above its header. It comes behind
// the last table that is the one at the path behind, or in it; else at the end. In an
// inline table it becomes one, without comments.
func (e *Editor) AddTable(path, behind, comments []string, pairs ...Pair) error {
	if e.get(path) != nil {
		return ErrExists
	}
	var inline *pair
	inlineDepth := 0
	for n := 1; n < len(path); n++ {
		around, err := e.find(path[:n])
		if errors.Is(err, ErrMissing) {
			break
		} else if err != nil {
			return err
		}
		first := around[0]
		at := first.names[len(first.names)-1].start
		if !e.get(path[:n]).IsTable() {
			return e.formError(at, "this is not a table")
		}
		if first.pair != nil && first.exact() {
			inline, inlineDepth = first.pair, n
		}
	}
	if inline != nil {
		return e.addInline(inline, path[inlineDepth:], pairs)
	}
	texts := append(slices.Clone(path), comments...)
	for _, p := range pairs {
		texts = append(texts, p.strings()...)
	}
	return e.try(func() { e.addSection(behind, comments, path, pairs) }, texts...)
}

func (e *Editor) addInline(table *pair, path []string, pairs []Pair) error {
	texts, encoded := slices.Clone(path), make([]string, len(pairs))
	for i, p := range pairs {
		texts = append(texts, p.strings()...)
		encoded[i] = p.encode("", "", "")
	}
	item := encodeNames(path) + " = {}"
	if len(pairs) > 0 {
		item = encodeNames(path) + " = { " + strings.Join(encoded, ", ") + " }"
	}
	return e.try(func() { e.insert(table.value.members, []string{item}) }, texts...)
}

// addSection adds a header with its pairs, set apart as those beside it are.
func (e *Editor) addSection(behind, comments, path []string, pairs []Pair) {
	pos, indent, inner, apart := len(e.text), "", "", true
	for _, s := range slices.Backward(e.sections[1:]) {
		if n := len(behind); n > 0 && len(s.names) >= n && samePath(s.names[:n], behind) {
			pos = e.sectionEnd(s)
			indent = e.indentAt(s.header.start)
			inner = indent
			if len(s.pairs) > 0 {
				inner = e.indentAt(s.pairs[0].start)
			}
			start := e.commentsAbove(s)
			apart = start == 0 || e.blankLinesBack(start, s.previous) < start
			break
		}
	}
	eol := e.eol(pos)
	var b strings.Builder
	b.WriteString(e.lineBreak(pos))
	if apart && pos > 0 && e.blankLinesBack(pos, 0) == pos {
		b.WriteString(eol)
	}
	for _, comment := range comments {
		b.WriteString(indent + strings.TrimRight("# "+oneLine(comment), " ") + eol)
	}
	b.WriteString(indent + "[" + encodeNames(path) + "]" + eol)
	for _, p := range pairs {
		b.WriteString(inner + p.encode("", inner, eol) + eol)
	}
	if apart && pos < len(e.text) && e.blankLines(pos) == pos {
		b.WriteString(eol)
	}
	e.splice(pos, pos, b.String())
}
