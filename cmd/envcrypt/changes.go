package main

import (
	"strings"

	"envcrypt/crypt"
	"envcrypt/internal/vault"
)

// showChanges names what a write does, or would do. It shows no value.
func (a *app) showChanges(d vault.Changes, would bool) {
	for _, l := range []struct {
		verb string
		keys []string
	}{{"add", d.Added}, {"change", d.Changed}, {"remove", d.Removed}} {
		if len(l.keys) > 0 {
			verb := l.verb + "s"
			if would {
				verb = "would " + l.verb
			}
			a.notef("%s %s", verb, strings.Join(l.keys, ", "))
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
