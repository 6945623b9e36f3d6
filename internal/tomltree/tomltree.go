// Package tomltree reads TOML into a tree that keeps what a decoder loses: the order
// of keys, and the line that everything stands on, for messages.
//
// It also edits TOML as text. [Parse] does not keep what only that needs: an [Editor]
// looks for it.
//
// Parse runs in front of every exec, and on files that came with a repository. Its time
// is proportional to the size of the text, which that of go-toml's own decoder is
// not: that one looks for a key by going through all keys before it.
//
// Dates are nodes without a value; whether one exists is not checked.
package tomltree

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/pelletier/go-toml/v2/unstable"
)

// Node is a table or a value.
type Node struct {
	Line  int      // from 1: of its key or header, the first if there are several; in a list, its own
	Value any      // a string, bool, int64, Float or []*Node; nil for a table and for everything else
	Names []string // the keys of a table, in the file's order

	nodes  []*Node          // for each name
	index  map[string]*Node // the same, once there are many
	origin origin
}

const manyNames = 16

// origin says how a node came to be, and thereby what may be added to it.
type origin uint8

const (
	asValue       origin = iota // also a list; complete
	asInlineTable               // complete
	byDots                      // a.b = 1 makes a table a: more dotted keys may
	byInnerHeader               // [a.b] makes a table a: its own header may follow
	byHeader                    // [a]
	byListHeader                // [[a]] makes a list: each adds a table, the last one is in use
)

// Float is a number with a fraction or an exponent, as it stands in the text.
type Float string

// SyntaxError says where text is not TOML. It has nothing of the text, which may be a
// secret.
type SyntaxError struct {
	Line  int  // from 1
	Twice bool // whether a key or table is defined a second time there
}

func (e *SyntaxError) Error() string {
	if e.Twice {
		return fmt.Sprintf("line %d: a key or table is defined twice", e.Line)
	}
	return fmt.Sprintf("line %d: this is not TOML", e.Line)
}

// Parse returns the table that a whole file is. The error is a *[SyntaxError].
func Parse(text []byte) (*Node, error) {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	root := &Node{Line: 1, origin: byHeader}
	r := reader{text: text, line: 1}
	r.parser.Reset(text)
	for table := root; r.parser.NextExpression(); {
		node := r.parser.Expression()
		switch node.Kind {
		case unstable.KeyValue:
			r.pair(table, node)
		default:
			table = r.header(root, node)
		}
		if r.err != nil {
			return nil, r.err
		}
	}
	if err := r.parser.Error(); err != nil {
		var at *unstable.ParserError
		if errors.As(err, &at) { // its place is a slice of the text
			r.advance(cap(text) - cap(at.Highlight))
		}
		return nil, &SyntaxError{Line: r.line}
	}
	return root, nil
}

// IsTable reports whether a node is a table, which nil is not.
func (n *Node) IsTable() bool {
	return n != nil && n.origin != asValue && n.origin != byListHeader
}

// Get returns what a table has under a key, nil if nothing or if n is no table.
func (n *Node) Get(name string) *Node {
	if n == nil {
		return nil
	}
	if n.index != nil {
		return n.index[name]
	}
	if i := slices.Index(n.Names, name); i >= 0 {
		return n.nodes[i]
	}
	return nil
}

func (n *Node) add(name string, node *Node) {
	if n.Names == nil {
		const few = 4
		n.Names, n.nodes = make([]string, 0, few), make([]*Node, 0, few)
	}
	n.Names = append(n.Names, name)
	n.nodes = append(n.nodes, node)
	if n.index != nil {
		n.index[name] = node
	} else if len(n.Names) > manyNames {
		n.index = make(map[string]*Node)
		for i, name := range n.Names {
			n.index[name] = n.nodes[i]
		}
	}
}

// Strings returns the items of a list of strings, and whether n is one.
func (n *Node) Strings() ([]string, bool) {
	if n == nil {
		return nil, false
	}
	items, ok := n.Value.([]*Node)
	result := make([]string, len(items))
	for i := 0; ok && i < len(items); i++ {
		result[i], ok = items[i].Value.(string)
	}
	if !ok {
		return nil, false
	}
	return result, true
}

// reader builds the tree. It keeps the first error and goes on with the expression.
type reader struct {
	parser    unstable.Parser
	text      []byte
	pos, line int // line is that of pos
	err       *SyntaxError
	nodes     []Node // that are still free
}

// node returns a new one for where the reader is. They are made many at a time.
func (r *reader) node(origin origin) *Node {
	if len(r.nodes) == 0 {
		const many = 32
		r.nodes = make([]Node, many)
	}
	node := &r.nodes[0]
	r.nodes = r.nodes[1:]
	node.Line, node.origin = r.line, origin
	return node
}

// advance counts lines; what is read stands behind what was read before.
func (r *reader) advance(pos int) {
	if pos = min(pos, len(r.text)); pos > r.pos {
		r.line += bytes.Count(r.text[r.pos:pos], []byte("\n"))
		r.pos = pos
	}
}

func (r *reader) fail(twice bool) {
	if r.err == nil {
		r.err = &SyntaxError{Line: r.line, Twice: twice}
	}
}

// header returns the table that a [header] or [[header]] begins.
func (r *reader) header(table *Node, header *unstable.Node) *Node {
	key := header.Key()
	for key.Next() {
		name := key.Node()
		if !key.IsLast() {
			table = r.child(table, name, byInnerHeader)
			switch table.origin {
			case asValue, asInlineTable:
				r.fail(true)
			case byListHeader:
				items := table.Value.([]*Node)
				table = items[len(items)-1]
			}
			continue
		}
		if header.Kind == unstable.Table {
			table = r.child(table, name, byInnerHeader)
			if table.origin != byInnerHeader {
				r.fail(true)
			}
			table.origin = byHeader
			continue
		}
		list := r.child(table, name, byListHeader)
		if list.origin != byListHeader {
			r.fail(true)
		}
		table = r.node(byHeader)
		items, _ := list.Value.([]*Node)
		list.Value = append(items, table)
	}
	return table
}

// pair reads key = value.
func (r *reader) pair(table *Node, pair *unstable.Node) {
	key := pair.Key()
	for key.Next() {
		if key.IsLast() {
			known := len(table.Names)
			node := r.child(table, key.Node(), asValue)
			if len(table.Names) == known {
				r.fail(true)
			}
			r.value(node, pair.Value())
			return
		}
		if table = r.child(table, key.Node(), byDots); table.origin != byDots {
			r.fail(true)
		}
	}
}

// child returns what is in a table under a key, and makes it if there is nothing.
func (r *reader) child(table *Node, key *unstable.Node, origin origin) *Node {
	r.advance(int(key.Raw.Offset))
	name := string(key.Data)
	node := table.Get(name)
	if node == nil {
		node = r.node(origin)
		table.add(name, node)
	}
	return node
}

func (r *reader) value(node *Node, value *unstable.Node) {
	switch value.Kind {
	case unstable.String:
		node.Value = string(value.Data)
	case unstable.Bool:
		node.Value = string(value.Data) == "true"
	case unstable.Integer:
		n, err := strconv.ParseInt(string(value.Data), 0, 64)
		if err != nil {
			r.fail(false) // too large
		}
		node.Value = n
	case unstable.Float:
		node.Value = Float(value.Data)
	case unstable.InlineTable:
		node.origin = asInlineTable
		for pairs := value.Children(); pairs.Next(); {
			r.pair(node, pairs.Node())
		}
	case unstable.Array:
		var items []*Node
		for values := value.Children(); values.Next(); {
			r.advance(int(values.Node().Raw.Offset))
			item := r.node(asValue)
			r.value(item, values.Node())
			items = append(items, item)
		}
		node.Value = items
	}
}
