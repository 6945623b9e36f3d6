package main

import (
	"strings"

	"envcrypt/crypt"
	"envcrypt/internal/vault"
)

// showChanges names what a write does. It shows no value.
func (a *app) showChanges(d vault.Changes) {
	for _, l := range []struct {
		verb string
		keys []string
	}{{"adds", d.Added}, {"changes", d.Changed}, {"removes", d.Removed}} {
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
