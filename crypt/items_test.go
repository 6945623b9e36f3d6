package crypt

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

var someItems = []Item{
	{Kind: Comment, Comment: " about keys"},
	{Key: "A", Value: "1", Comment: "   # behind A"},
	{Kind: Blank},
	{Kind: Blank},
	{Kind: Comment},
	{Key: "B", Value: "line 1\nline 2", Comment: "#tight"},
	{Key: "C"},
	{Kind: Comment, Comment: "# doubled"},
	{Kind: Comment, Comment: " about keys"},
}

func itemsDocument(t testing.TB) *Document {
	t.Helper()
	d := new(Document)
	if err := d.Replace(someItems); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestItemsRoundTrip(t *testing.T) {
	p := newPerson(t)
	d := itemsDocument(t)
	if got := d.Items(); !reflect.DeepEqual(got, someItems) {
		t.Errorf("before sealing: %v", got)
	}
	data := mustSeal(t, d, "staging", p)
	if got := mustOpen(t, data, staging, p).Items(); !reflect.DeepEqual(got, someItems) {
		t.Errorf("got %v", got)
	}
	if strings.Contains(string(data), "behind A") || strings.Contains(string(data), inlinePrefix) {
		t.Errorf("an inline comment is in the clear:\n%s", data)
	}
}

func TestReplaceKeepsCiphertext(t *testing.T) {
	p := newPerson(t)
	first := mustSeal(t, itemsDocument(t), "staging", p)
	d := mustOpen(t, first, staging, p)
	if err := d.Replace(d.Items()); err != nil {
		t.Fatal(err)
	}
	same(t, first, mustSeal(t, d, "staging", p), 0, 15) // the MAC, under a nonce of its own, and so the seal
}

// Blank lines at the end of a text come to stand before the metadata, where
// nobody can tell them from its surroundings.
func TestBlanksAtTheEnd(t *testing.T) {
	p := newPerson(t)
	d := new(Document)
	d.Replace([]Item{{Key: "A", Value: "1"}, {Kind: Blank}, {Kind: Blank}})
	got := mustOpen(t, mustSeal(t, d, "staging", p), staging, p).Items()
	if len(got) != 1 {
		t.Errorf("got %v", got)
	}
}

func TestReplaceErrors(t *testing.T) {
	d := itemsDocument(t)
	for _, comment := range []string{"envcrypt-seal v1 environment=x keys=y", "envcrypt-seal ", "envcrypt-inline # x", "envcrypt-inline"} {
		err := d.Replace([]Item{{Kind: Blank}, {Kind: Comment, Comment: comment}})
		var e *ReservedError
		if !errors.As(err, &e) || e.Index != 1 {
			t.Errorf("%q: got %v", comment, err)
		}
	}
	for _, items := range [][]Item{
		{{Key: "A", Value: canary}, {Key: "A", Value: canary}},
		{{Key: "not a name", Value: canary}},
		{{Key: "A", Value: canary + "\x00"}},
		{{Kind: Comment, Comment: " x\nA=" + canary}},
		{{Key: "A", Comment: " # x\nB=" + canary}},
	} {
		if err := d.Replace(items); err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("%v: got %v", items, err)
		}
	}
	if got := d.Items(); !reflect.DeepEqual(got, someItems) {
		t.Errorf("a refused Replace changed the document: %v", got)
	}
}

func TestDeleteTakesTheInlineComment(t *testing.T) {
	d := itemsDocument(t)
	if !d.Delete("A") || !d.Delete("C") || d.Delete("C") {
		t.Error("Delete tells wrongly what was there")
	}
	want := []Item{someItems[0], someItems[2], someItems[3], someItems[4], someItems[5], someItems[7], someItems[8]}
	if got := d.Items(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
}

// What other tools make of seals and inline comments can be edited on.
func TestItemsAfterOtherTools(t *testing.T) {
	p := newPerson(t)
	sealed := mustSeal(t, itemsDocument(t), "staging", p)
	l := lines(otherTool(t, sealed, p, func(d *Document) {
		d.items = append(d.items[:2:2], d.items[3:]...) // A, but not its inline comment
	}))
	moved := []byte(strings.Join(append([]string{"NEW=\n"}, l...), "")) // and the seal is not first
	d := mustOpen(t, moved, Options{Environment: "staging", Reseal: true}, p)
	d.Adopt()
	items := d.Items()
	if items[0].Key != "NEW" || items[1].Comment != " about keys" || items[2].Comment != " behind A" {
		t.Errorf("got %v", items)
	}
	if err := d.Replace(items); err != nil {
		t.Fatal(err)
	}
	if got := mustOpen(t, mustSeal(t, d, "staging", p), staging, p).Items(); !reflect.DeepEqual(got, items) {
		t.Errorf("got %v, want %v", got, items)
	}
}

// An inline comment never goes over to another entry.
func TestInlineCommentOfUnverified(t *testing.T) {
	d := itemsDocument(t)
	d.items[2].unverified = true
	for _, it := range d.Items() {
		if it.Kind == Entry && it.Key != "B" && it.Comment != "" {
			t.Errorf("got %v", it)
		}
	}
}
