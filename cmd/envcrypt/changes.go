package main

import (
	"strings"

	"envcrypt/crypt"
)

// changes is the difference of two sets of values, by name.
type changes struct {
	added, changed, removed []string
	kept                    int // keys that were there before and still are
}

func compareItems(before, after []crypt.Item) changes {
	old := make(map[string]string)
	for _, it := range before {
		if it.Kind == crypt.Entry {
			old[it.Key] = it.Value
		}
	}
	var d changes
	for _, it := range after {
		if it.Kind != crypt.Entry {
			continue
		}
		was, ok := old[it.Key]
		switch {
		case !ok:
			d.added = append(d.added, it.Key)
		case was != it.Value:
			d.changed = append(d.changed, it.Key)
			d.kept++
		default:
			d.kept++
		}
		delete(old, it.Key)
	}
	for _, it := range before {
		if _, gone := old[it.Key]; gone && it.Kind == crypt.Entry {
			d.removed = append(d.removed, it.Key)
		}
	}
	return d
}

// removesAll tells whether every key that was there is gone.
func (d changes) removesAll() bool { return len(d.removed) > 0 && d.kept == 0 }

// showChanges names what a write does. It shows no value.
func (a *app) showChanges(d changes) {
	for _, l := range []struct {
		verb string
		keys []string
	}{{"adds", d.added}, {"changes", d.changed}, {"removes", d.removed}} {
		if len(l.keys) > 0 {
			a.notef("%s %s", l.verb, strings.Join(l.keys, ", "))
		}
	}
}

// describe says what setting items would do to a document.
func (a *app) describe(doc *crypt.Document, items []crypt.Item) {
	for _, it := range items {
		old, ok := doc.Get(it.Key)
		switch {
		case !ok:
			a.notef("would add %s", it.Key)
		case old != it.Value:
			a.notef("would change %s", it.Key)
		default:
			a.notef("%s has that value already", it.Key)
		}
	}
}
