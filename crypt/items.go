package crypt

import (
	"fmt"
	"strings"
)

// inlinePrefix marks the comment line in front of an entry that holds the
// comment behind it: SOPS's dotenv format has no room for one on the same line.
const inlinePrefix = "envcrypt-inline"

func (it *item) inline() bool {
	return it.kind == kindComment && strings.HasPrefix(it.value, inlinePrefix)
}

// Kind tells what an [Item] is.
type Kind int

const (
	Entry Kind = iota
	Comment
	Blank
)

// An Item is one line of a document as a person edits it.
type Item struct {
	Kind       Kind
	Key, Value string
	// Comment is a comment line's text behind its "#"; of an entry, what follows
	// it on its line: blanks, "#" and text.
	Comment string
}

// Items returns the document's lines in their order.
func (d *Document) Items() []Item {
	items := make([]Item, 0, len(d.items))
	inline := ""
	for i, it := range d.items {
		switch {
		case it.unverified:
		case it.kind == kindBlank:
			items = append(items, Item{Kind: Blank})
		case it.inline() && d.verifiedEntryAt(i+1):
			inline = it.value[len(inlinePrefix):]
		case it.inline(): // whose entry another tool took away
			_, text, _ := strings.Cut(it.value, "#")
			items = append(items, Item{Kind: Comment, Comment: text})
		case it.kind == kindComment:
			items = append(items, Item{Kind: Comment, Comment: it.value})
		default:
			items = append(items, Item{Kind: Entry, Key: it.key, Value: it.value, Comment: inline})
			inline = ""
		}
	}
	return items
}

func (d *Document) verifiedEntryAt(i int) bool {
	return i < len(d.items) && d.items[i].kind == kindEntry && !d.items[i].unverified
}

// A ReservedError says that a comment begins with a word that is envcrypt's own.
type ReservedError struct {
	Index int // of the item
}

func (e *ReservedError) Error() string {
	return fmt.Sprintf("a comment must not begin with %s or %s", strings.TrimSpace(sealPrefix), inlinePrefix)
}

// Replace gives the document other lines. Values and comments that it held
// before keep their ciphertext. The errors are those of [Document.Set],
// [*ReservedError], and one for a name that stands twice or a comment of several
// lines; the document then is what it was.
func (d *Document) Replace(items []Item) error {
	old := make(map[string][]item, len(d.items))
	for _, it := range d.items {
		if it.kind != kindBlank {
			old[it.key+"="+it.value] = append(old[it.key+"="+it.value], it)
		}
	}
	keep := func(it item) item {
		id := it.key + "=" + it.value
		if was := old[id]; len(was) > 0 {
			it.cipher = was[0].cipher
			old[id] = was[1:]
		}
		return it
	}
	lines := make([]item, 0, len(items))
	seen := make(map[string]bool, len(items))
	for i, in := range items {
		if strings.Contains(in.Comment, "\n") {
			return fmt.Errorf("a comment has more than one line")
		}
		switch in.Kind {
		case Blank:
			lines = append(lines, item{kind: kindBlank})
		case Comment:
			if strings.HasPrefix(in.Comment, sealPrefix) || strings.HasPrefix(in.Comment, inlinePrefix) {
				return &ReservedError{Index: i}
			}
			lines = append(lines, keep(item{kind: kindComment, value: in.Comment}))
		default:
			if err := checkEntry(in.Key, in.Value); err != nil {
				return err
			}
			if seen[in.Key] {
				return fmt.Errorf("%s stands twice", in.Key)
			}
			seen[in.Key] = true
			if in.Comment != "" {
				lines = append(lines, keep(item{kind: kindComment, value: inlinePrefix + in.Comment}))
			}
			lines = append(lines, keep(item{key: in.Key, value: in.Value}))
		}
	}
	d.items = lines
	return nil
}
