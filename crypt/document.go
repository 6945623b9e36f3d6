package crypt

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"
)

// commentPath is the additional data under which SOPS encrypts the comments of
// a dotenv file.
const commentPath = ":"

// macPath is the additional data under which SOPS encrypts a value.
func macPath(path []string) string { return strings.Join(path, ":") + ":" }

func flatName(path []string) string { return strings.Join(path, "_") }

// item is one line of a document.
type item struct {
	kind       kind
	line       int
	key        string
	value      string // of a comment: the text behind "#"
	cipher     string // the ciphertext of value under the document's data key, "" where there is none to keep
	unverified bool   // stands in the file, and nothing vouches for it
}

// A Document is a decrypted SOPS document: variables, comments and blank lines
// in their order. The zero Document is empty and ready for use. It is not safe for use by several
// goroutines at once.
type Document struct {
	items    []item
	meta     metadata
	dataKey  []byte
	state    SealState
	seal     sealText
	openedBy string
	dirty    bool // the seal's view of the keys differed from the file's
}

// Keys returns the names in their order.
func (d *Document) Keys() []string {
	keys := make([]string, 0, len(d.items))
	for _, it := range d.items {
		if it.kind == kindEntry && !it.unverified {
			keys = append(keys, it.key)
		}
	}
	return keys
}

// Len is how many lines there are, comments and blank ones too: at least as many as names.
func (d *Document) Len() int { return len(d.items) }

// All yields the names and values in their order.
func (d *Document) All() iter.Seq2[string, string] {
	return func(yield func(key, value string) bool) {
		for _, it := range d.items {
			if it.kind == kindEntry && !it.unverified && !yield(it.key, it.value) {
				return
			}
		}
	}
}

// Get returns the value of key. It looks through all entries: to visit many,
// use [Document.All].
func (d *Document) Get(key string) (value string, ok bool) {
	if i := d.index(key); i >= 0 {
		return d.items[i].value, true
	}
	return "", false
}

func (d *Document) index(key string) int {
	for i, it := range d.items {
		if it.kind == kindEntry && it.key == key && !it.unverified {
			return i
		}
	}
	return -1
}

// Set gives key a value, in its place or behind the last line. A value that key
// already has keeps its ciphertext; an unverified entry of that name gives way.
// The error says that the name is not [ValidKey] or that the value holds a NUL
// byte.
func (d *Document) Set(key, value string) error {
	if err := checkEntry(key, value); err != nil {
		return err
	}
	i := slices.IndexFunc(d.items, func(it item) bool { return it.kind == kindEntry && it.key == key })
	if i < 0 {
		d.items = append(d.items, item{key: key, value: value})
		return nil
	}
	it := &d.items[i]
	it.unverified = false
	if it.value != value {
		it.value, it.cipher = value, ""
	}
	return nil
}

// Delete removes key and its inline comment, and tells whether it was there.
func (d *Document) Delete(key string) bool {
	i := d.index(key)
	if i < 0 {
		return false
	}
	first := i
	if i > 0 && d.items[i-1].inline() {
		first--
	}
	d.items = append(d.items[:first], d.items[i+1:]...)
	return true
}

// Recipients returns whom the file that was opened is encrypted to, in all of its groups.
func (d *Document) Recipients() []string { return d.meta.recipients() }

// Groups returns the recipients by group: one group, unless it takes a quorum to open
// the file. A group is empty if its keys are all of [Document.OtherKinds].
func (d *Document) Groups() [][]string { return d.meta.recipientGroups() }

// Quorum returns how many of the groups together open the file, 0 for a document that
// was neither opened nor sealed.
func (d *Document) Quorum() int { return d.meta.quorum }

// OpenedBy returns which of the recipients the identity was that opened the
// document, or the first group of it; "" for one that was not opened.
func (d *Document) OpenedBy() string { return d.openedBy }

// OtherKinds names the SOPS keys beside age (pgp, kms, …) that also open the
// file. [Seal] cannot keep them.
func (d *Document) OtherKinds() []string { return d.meta.other }

// LastModified is when the file was last written, by its own account.
func (d *Document) LastModified() time.Time { return d.meta.lastModified }

// SealState tells how the seal of the opened file stands, and which environment
// it names.
func (d *Document) SealState() (state SealState, environment string) {
	return d.state, d.seal.environment
}

// SealKeysChanged tells of a stale seal whether the names are others than it
// vouches for, or in another order, or others among them are empty.
func (d *Document) SealKeysChanged() bool { return d.dirty }

// An Unverified is an entry or a comment that stands in a file that is not
// sealed, with nothing to vouch for it: SOPS neither encrypts nor authenticates
// an empty value, and does not bind a plain one to its name.
type Unverified struct {
	Line  int
	Key   string // "" for a comment
	Empty bool
}

// Unverified lists what [Open] left out of the document.
func (d *Document) Unverified() []Unverified {
	var u []Unverified
	for _, it := range d.items {
		if it.unverified {
			u = append(u, Unverified{Line: it.line, Key: it.key, Empty: it.value == ""})
		}
	}
	return u
}

// Adopt takes what [Document.Unverified] lists into the document, where it
// stood. It is for a person to decide, who has seen the list.
func (d *Document) Adopt() {
	for i := range d.items {
		d.items[i].unverified = false
	}
}

// NewDataKey makes the next [Seal] use a new data key and encrypt every value
// afresh.
func (d *Document) NewDataKey() {
	d.dataKey = nil
	d.meta.groups, d.meta.quorum = nil, 0
	for i := range d.items {
		d.items[i].cipher = ""
	}
}

func checkEntry(key, value string) error {
	if !ValidKey(key) {
		return fmt.Errorf("%s is not a name that a variable can have here", quoteName(key))
	}
	return checkValue(0, key, value)
}

func checkValue(line int, key, value string) error {
	if strings.IndexByte(value, 0) >= 0 {
		return damaged(line, key, "its value holds a NUL byte, which no variable can")
	}
	return nil
}
