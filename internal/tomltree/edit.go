package tomltree

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"
)

var (
	// ErrMissing says that there is nothing at a path.
	ErrMissing = errors.New("nothing stands there")
	// ErrExists says that there is something at a path already.
	ErrExists = errors.New("something stands there already")
)

// FormError says that something is written in a form that an [Editor] does not change.
// It has nothing of the text.
type FormError struct {
	Line    int // from 1
	Problem string
}

func (e *FormError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Problem) }

// Editor changes a text of TOML and leaves every byte as it is that a change does not
// concern: comments, order, blanks, quotes, line ends.
//
// A path is the keys from the top. A method that returns an error has changed nothing.
// All work on the text that the Editor was made for: what one has written, another one
// does not see. Add to a list or table once. [Editor.Text] returns the result.
type Editor struct {
	mark     []byte // a byte order mark
	text     []byte
	root     *Node
	sections []*section
	changes  []change
}

// change replaces a range of the text.
type change struct {
	span
	by string
}

// NewEditor returns an Editor of a text. The error is a *[SyntaxError].
func NewEditor(text []byte) (*Editor, error) {
	root, err := Parse(text)
	if err != nil {
		return nil, err
	}
	rest := bytes.TrimPrefix(text, []byte("\ufeff"))
	return &Editor{mark: text[:len(text)-len(rest)], text: rest, root: root, sections: scan(rest)}, nil
}

// Text returns the text with all changes.
func (e *Editor) Text() ([]byte, error) {
	changes := slices.Clone(e.changes)
	slices.SortStableFunc(changes, func(a, b change) int { return a.start - b.start })
	text := slices.Clone(e.mark)
	end, writes := 0, false // of the range before
	for _, c := range changes {
		if c.start < end && (c.by != "" || writes) {
			return nil, e.formError(c.start, "two changes concern the same text")
		}
		writes = c.by != "" && c.end > c.start
		if c.start > end {
			text = append(text, e.text[end:c.start]...)
		}
		text = append(text, c.by...)
		end = max(end, c.end)
	}
	text = append(text, e.text[end:]...)
	if _, err := Parse(text); err != nil {
		return nil, fmt.Errorf("after the change: %w", err)
	}
	return text, nil
}

// Append adds strings to the list of strings at a path.
func (e *Editor) Append(path []string, items ...string) error {
	list, err := e.list(path)
	if err != nil {
		return err
	}
	like := []byte(nil)
	for _, item := range list.list {
		if !item.isText {
			return e.formError(item.start, "this is not a list of strings")
		}
		like = e.text[item.start:item.end]
	}
	encoded := make([]string, len(items))
	for i, item := range items {
		encoded[i] = encodeLike(like, item)
	}
	if len(items) == 0 {
		return nil
	}
	return e.try(func() { e.insert(list.members, encoded) }, items...)
}

// Drop removes each of some strings from the list at a path, and from the lists in it.
// It returns [ErrMissing] if none of them is there.
func (e *Editor) Drop(path []string, items ...string) error {
	list, err := e.list(path)
	if err != nil {
		return err
	}
	known := len(e.changes)
	e.dropStrings(list, items)
	if len(e.changes) == known {
		return ErrMissing
	}
	return nil
}

func (e *Editor) dropStrings(list *value, items []string) {
	wanted := func(i int) bool { return list.list[i].isText && slices.Contains(items, list.list[i].text) }
	e.drop(list.members, wanted)
	for i := range list.list {
		if list.list[i].isList {
			e.dropStrings(&list.list[i], items)
		}
	}
}

// Replace puts one string in the place of another in the list at a path, and in the
// lists in it. It returns [ErrMissing] if it is not there.
func (e *Editor) Replace(path []string, old, new string) error {
	list, err := e.list(path)
	if err != nil {
		return err
	}
	known := len(e.changes)
	if err := e.try(func() { e.replace(list, old, new) }, new); err != nil {
		return err
	}
	if len(e.changes) == known {
		return ErrMissing
	}
	return nil
}

func (e *Editor) replace(list *value, old, new string) {
	for i := range list.list {
		switch item := &list.list[i]; {
		case item.isList:
			e.replace(item, old, new)
		case item.isText && item.text == old:
			e.splice(item.start, item.end, encodeLike(e.text[item.start:item.end], new))
		}
	}
}

// Rename gives what is at a path another name, in every header and key that has it.
func (e *Editor) Rename(path []string, new string) error {
	places, err := e.find(path)
	if err != nil {
		return err
	}
	if e.get(path[:len(path)-1]).Get(new) != nil {
		return ErrExists
	}
	return e.try(func() {
		for _, p := range places {
			old := p.names[p.depth]
			by := encodeName(new)
			if raw := e.text[old.start:old.end]; raw[0] == '"' || raw[0] == '\'' {
				by = encodeLike(raw, new)
			}
			e.splice(old.start, old.end, by)
		}
	}, new)
}

// Remove removes what is at a path: a key with its value and its line, or a table with
// all that is in it. With a header go the comment lines directly above it and those
// directly below its body; but not those directly above the next header, and none that
// a blank line sets apart. A table that only existed because of what is removed exists
// no longer.
func (e *Editor) Remove(path []string) error {
	places, err := e.find(path)
	if err != nil {
		return err
	}
	inside := make(map[*value][]*pair)
	for _, p := range places {
		switch {
		case p.pair == nil:
			e.removeSection(p.section)
		case p.inside != nil:
			inside[p.inside] = append(inside[p.inside], p.pair)
		default:
			e.splice(lineStart(e.text, p.pair.start), lineEnd(e.text, p.pair.end), "")
		}
	}
	for table, pairs := range inside {
		e.drop(table.members, func(i int) bool { return slices.Contains(pairs, table.pairs[i]) })
	}
	return nil
}

func (e *Editor) removeSection(s *section) {
	start, end := e.commentsAbove(s), e.sectionEnd(s)
	before := e.blankLinesBack(start, s.previous)
	after := e.blankLines(end)
	switch {
	case after == len(e.text): // no blank lines at the end
		start, end = before, after
	case before < start || start == 0: // one gap, not two
		end = after
	}
	e.splice(start, end, "")
}

// list returns the list at a path.
func (e *Editor) list(path []string) (*value, error) {
	places, err := e.find(path)
	if err != nil {
		return nil, err
	}
	if p := places[0]; p.pair == nil || !p.exact() || !p.pair.value.isList {
		return nil, e.formError(p.names[p.depth].start, "this is not a list of strings")
	}
	return &places[0].pair.value, nil
}

// find returns where something at a path stands: at least one place.
func (e *Editor) find(path []string) ([]place, error) {
	places, list := find(e.sections, path)
	if list != nil {
		return nil, e.formError(list.header.start, "a list of tables is in the way")
	}
	if len(places) == 0 {
		return nil, ErrMissing
	}
	return places, nil
}

func (e *Editor) get(path []string) *Node {
	node := e.root
	for _, name := range path {
		node = node.Get(name)
	}
	return node
}

func (e *Editor) line(pos int) int { return 1 + bytes.Count(e.text[:pos], []byte("\n")) }

func (e *Editor) formError(pos int, problem string) error {
	return &FormError{Line: e.line(pos), Problem: problem}
}

func (e *Editor) splice(start, end int, by string) {
	e.changes = append(e.changes, change{span{start, end}, by})
}

// try runs a change that writes strings, which must be text.
func (e *Editor) try(change func(), written ...string) error {
	for _, s := range written {
		if !utf8.ValidString(s) {
			return errors.New("this is not UTF-8")
		}
	}
	change()
	return nil
}
