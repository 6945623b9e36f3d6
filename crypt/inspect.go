package crypt

import (
	"time"
)

// A Summary is what a document says of itself to everybody. Nothing of it has
// been verified: only [Open] does that.
type Summary struct {
	Keys         []string   // the names in their order
	Recipients   []string   // whom the data key is wrapped for
	Groups       [][]string // the same, by group
	Quorum       int        // how many of the groups open it: 1 where there is one
	OtherKinds   []string   // SOPS's names of keys other than age
	LastModified time.Time
}

// Inspect reads a document without an identity. The errors are those of [Open]
// that need none.
func Inspect(data []byte, f Format) (*Summary, error) {
	leaves, meta, err := scan(data, f)
	if err != nil {
		return nil, err
	}
	s := &Summary{
		Recipients:   meta.recipients(),
		Groups:       meta.recipientGroups(),
		Quorum:       meta.quorum,
		OtherKinds:   meta.other,
		LastModified: meta.lastModified,
	}
	for _, l := range leaves {
		if l.kind == kindEntry {
			s.Keys = append(s.Keys, flatName(l.path))
		}
	}
	return s, nil
}

// ReadPlain reads a YAML or JSON document that is not encrypted, with the names
// that [Open] would give its values.
func ReadPlain(data []byte, f Format) ([]Item, error) {
	leaves, fields, err := scanTree(data, f)
	if err != nil {
		return nil, err
	}
	if len(fields) > 0 {
		return nil, damaged(fields[0].line, metadataRoot, "is SOPS's own name: the file is encrypted")
	}
	items := make([]Item, 0, len(leaves))
	for _, l := range leaves {
		key := flatName(l.path)
		if err := checkValue(l.line, key, l.text); err != nil {
			return nil, err
		}
		items = append(items, Item{Key: key, Value: l.text})
	}
	return items, nil
}
