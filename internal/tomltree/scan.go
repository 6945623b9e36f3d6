package tomltree

import (
	"bytes"
	"slices"

	"github.com/pelletier/go-toml/v2/unstable"
)

// span is a range of bytes of a text.
type span struct{ start, end int }

// name is one part of a key or header, and where it stands.
type name struct {
	span
	text string
}

// section is a header and the pairs below it. The first one of a text has no header.
type section struct {
	index    int
	names    []name
	list     bool // [[header]]
	previous int  // the end of what stands before the header, but for blanks and comments
	header   span // whole lines
	pairs    []*pair
}

// pair is a key = value.
type pair struct {
	span
	names []name
	value value
}

// value is what stands behind a key, or in a list.
type value struct {
	span
	text    string    // if isText
	isText  bool      // a string
	members *sequence // of a list or an inline table
	list    []value   // a list's
	pairs   []*pair   // an inline table's
	isList  bool
}

// sequence is what stands between the brackets of a list or an inline table.
type sequence struct {
	span           // with the brackets
	items   []span // list and pairs, without blanks, commas and comments
	commas  []int  // the place of the comma behind each item, -1 if there is none
	comment bool   // whether there is one between the items
}

// scanner finds out where everything stands in a text that is TOML.
type scanner struct {
	parser unstable.Parser
	text   []byte
}

func scan(text []byte) []*section {
	s := scanner{text: text}
	s.parser.Reset(text)
	sections := []*section{{}}
	end := 0
	for s.parser.NextExpression() {
		node := s.parser.Expression()
		current := sections[len(sections)-1]
		if node.Kind == unstable.KeyValue {
			p := s.pair(node)
			end = lineEnd(text, p.end)
			current.pairs = append(current.pairs, p)
			continue
		}
		names := s.names(node.Key())
		header := span{lineStart(text, names[0].start), lineEnd(text, names[len(names)-1].end)}
		sections = append(sections, &section{
			index: len(sections), names: names, list: node.Kind == unstable.ArrayTable, previous: end, header: header,
		})
		end = header.end
	}
	return sections
}

func (s *scanner) names(key unstable.Iterator) []name {
	var names []name
	for key.Next() {
		node := key.Node()
		names = append(names, name{s.span(node), string(node.Data)})
	}
	return names
}

func (s *scanner) span(node *unstable.Node) span {
	start := int(node.Raw.Offset)
	return span{start, start + int(node.Raw.Length)}
}

func (s *scanner) pair(node *unstable.Node) *pair {
	p := &pair{span: s.span(node), names: s.names(node.Key())}
	start := s.blanks(p.names[len(p.names)-1].end)
	p.value = s.value(node.Value(), s.blanks(start+len("=")))
	return p
}

func (s *scanner) value(node *unstable.Node, start int) value {
	v := value{span: span{start, start + int(node.Raw.Length)}}
	switch node.Kind {
	case unstable.String:
		v.text, v.isText = string(node.Data), true
	case unstable.Array:
		v.isList, v.members = true, &sequence{}
		s.sequence(v.members, start, node.Children(), func(item *unstable.Node, start int) span {
			v.list = append(v.list, s.value(item, start))
			return v.list[len(v.list)-1].span
		})
		v.span = v.members.span
	case unstable.InlineTable:
		v.members = &sequence{}
		s.sequence(v.members, start, node.Children(), func(item *unstable.Node, _ int) span {
			v.pairs = append(v.pairs, s.pair(item))
			return v.pairs[len(v.pairs)-1].span
		})
		v.span = v.members.span
	}
	return v
}

// sequence reads what begins with the bracket at start.
func (s *scanner) sequence(q *sequence, start int, items unstable.Iterator, read func(*unstable.Node, int) span) {
	pos := s.gap(q, start+1)
	for items.Next() {
		item, comma := read(items.Node(), pos), -1
		if pos = s.gap(q, item.end); s.text[pos] == ',' {
			comma = pos
			pos = s.gap(q, pos+1)
		}
		q.items, q.commas = append(q.items, item), append(q.commas, comma)
	}
	q.span = span{start, pos + 1}
}

// gap returns what comes behind blanks, line ends and comments.
func (s *scanner) gap(q *sequence, pos int) int {
	for {
		switch s.text[pos] {
		case ' ', '\t', '\r', '\n':
			pos++
		case '#':
			q.comment = true
			pos = lineEnd(s.text, pos)
		default:
			return pos
		}
	}
}

func (s *scanner) blanks(pos int) int {
	for isBlank(s.text[pos]) {
		pos++
	}
	return pos
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

// lineStart returns where the line of pos begins.
func lineStart(text []byte, pos int) int { return bytes.LastIndexByte(text[:pos], '\n') + 1 }

// lineEnd returns where the line after that of pos begins.
func lineEnd(text []byte, pos int) int {
	if i := bytes.IndexByte(text[pos:], '\n'); i >= 0 {
		return pos + i + 1
	}
	return len(text)
}

// place is where something of a path stands: in a header, or in a key. A table may
// stand in many places.
type place struct {
	section *section
	pair    *pair  // nil for a header
	inside  *value // the inline table around the pair, if any
	names   []name // the header's or key's
	depth   int    // the path ends with names[depth]
}

// exact reports whether the path ends where the header or key ends.
func (p place) exact() bool { return p.depth == len(p.names)-1 }

// find returns the places of what is at a path, in the order of the text. It returns
// a section that is in the way if the path leads into a list of tables.
func find(sections []*section, path []string) (places []place, list *section) {
	for _, s := range sections {
		n := min(len(s.names), len(path))
		if !samePath(s.names[:n], path[:n]) {
			continue
		}
		rest := path[n:]
		if len(rest) == 0 {
			places = append(places, place{section: s, names: s.names, depth: n - 1})
			continue
		}
		if s.list {
			return nil, s
		}
		places = findPairs(places, s, nil, s.pairs, rest)
	}
	return places, nil
}

func findPairs(places []place, s *section, inside *value, pairs []*pair, path []string) []place {
	for _, p := range pairs {
		n := min(len(p.names), len(path))
		if !samePath(p.names[:n], path[:n]) {
			continue
		}
		if n == len(path) {
			places = append(places, place{section: s, pair: p, inside: inside, names: p.names, depth: n - 1})
		} else {
			places = findPairs(places, s, &p.value, p.value.pairs, path[n:])
		}
	}
	return places
}

func samePath(names []name, path []string) bool {
	return slices.EqualFunc(names, path, func(n name, s string) bool { return n.text == s })
}
