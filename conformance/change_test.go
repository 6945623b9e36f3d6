package conformance

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"envcrypt/crypt"
)

var staging = crypt.Options{Environment: "staging"}

var before = []crypt.Item{
	{Kind: crypt.Comment, Comment: " about A"},
	{Key: "A", Value: "one", Comment: " # behind"},
	{Kind: crypt.Blank},
	{Key: "B", Value: "line 1\nline 2"},
	{Key: "EMPTY"},
	{Key: "C_unencrypted", Value: "three"},
}

// refusedStale opens a file that another tool has changed: it is refused as stale.
func refusedStale(t *testing.T, data []byte, p *keyPair) *crypt.SealError {
	t.Helper()
	d, err := crypt.Open(data, staging, id(p))
	var e *crypt.SealError
	if d != nil || !errors.As(err, &e) || e.State != crypt.SealStale || e.Environment != "staging" {
		t.Fatalf("got %v, %v", d, err)
	}
	return e
}

// resealed opens such a file for a person, adopts what is in it, and seals it.
func resealed(t *testing.T, data []byte, p *keyPair, people []*keyPair) (d *crypt.Document, sealed []byte) {
	t.Helper()
	d = open(t, data, crypt.Options{Environment: "staging", Reseal: true}, p)
	d.Adopt()
	return d, seal(t, d, "staging", people)
}

func TestAfterSops(t *testing.T) {
	const edit = `#!/bin/sh
sed -i -e 's/^A=.*/A=edited/' -e '/^EMPTY=/d' "$1"
printf 'ADDED=by hand\nNONE=\n' >> "$1"
`
	c := [2]string{"C_unencrypted", "three"}
	a, b, empty := [2]string{"A", "one"}, [2]string{"B", "line 1\nline 2"}, [2]string{"EMPTY", ""}
	tests := []struct {
		name string
		do   func(t *testing.T, b *box)
		want [][2]string
		keys bool
	}{
		{"set a new key", func(t *testing.T, b *box) { b.sops(t, "set", "x.env", `["NEW"]`, `"text"`) },
			[][2]string{a, b, empty, c, {"NEW", "text"}}, true},
		{"set a key", func(t *testing.T, b *box) { b.sops(t, "set", "x.env", `["A"]`, `"other"`) },
			[][2]string{{"A", "other"}, b, empty, c}, false},
		{"set a number", func(t *testing.T, b *box) { b.sops(t, "set", "x.env", `["A"]`, `42`) },
			[][2]string{{"A", "42.0"}, b, empty, c}, false}, // as sops decrypt shows it
		{"set a new fraction", func(t *testing.T, b *box) { b.sops(t, "set", "x.env", `["F"]`, `1.50`) },
			[][2]string{a, b, empty, c, {"F", "1.5"}}, true},
		{"set a bool", func(t *testing.T, b *box) { b.sops(t, "set", "x.env", `["A"]`, `true`) },
			[][2]string{{"A", "true"}, b, empty, c}, false},
		{"set an empty key", func(t *testing.T, b *box) { b.sops(t, "set", "x.env", `["EMPTY"]`, `"x"`) },
			[][2]string{a, b, {"EMPTY", "x"}, c}, true},
		{"set to nothing", func(t *testing.T, b *box) { b.sops(t, "set", "x.env", `["A"]`, `""`) },
			[][2]string{{"A", ""}, b, empty, c}, true},
		{"unset", func(t *testing.T, b *box) { b.sops(t, "unset", "x.env", `["B"]`) },
			[][2]string{a, empty, c}, true},
		{"rotate", func(t *testing.T, b *box) { b.sops(t, "rotate", "-i", "x.env") },
			[][2]string{a, b, empty, c}, false},
		{"edit", func(t *testing.T, b *box) { b.edit(t, edit) },
			[][2]string{{"A", "edited"}, b, c, {"ADDED", "by hand"}, {"NONE", ""}}, true},
		{"edit that adds a first line", func(t *testing.T, b *box) { b.edit(t, "#!/bin/sh\nsed -i '1i FIRST=line' \"$1\"\n") },
			[][2]string{{"FIRST", "line"}, a, b, empty, c}, true},
		{"updatekeys", func(t *testing.T, b *box) {
			b.write(t, ".sops.yaml", []byte("creation_rules:\n- age: '"+b.reader.recipient.Text+","+everybody()[4].recipient.Text+"'\n"))
			b.sops(t, "updatekeys", "-y", "x.env")
		}, [][2]string{a, b, empty, c}, false},
	}
	for i, p := range everybody()[:4] {
		for _, tt := range tests {
			t.Run(fmt.Sprintf("%s/%d", tt.name, i), func(t *testing.T) {
				t.Parallel()
				b := newBox(t, p)
				b.write(t, "x.env", seal(t, newDocument(t, before), "staging", []*keyPair{p}))
				tt.do(t, b)
				after := b.read(t, "x.env")
				if tt.name == "edit that adds a first line" {
					// The seal is an ordinary comment now: what is left is a file without one.
					var e *crypt.SealError
					if _, err := crypt.Open(after, staging, id(p)); !errors.As(err, &e) || e.State != crypt.SealMissing {
						t.Fatalf("got %v", err)
					}
				} else if e := refusedStale(t, after, p); e.KeysChanged != tt.keys {
					t.Errorf("got %+v", e)
				}
				people := []*keyPair{p, everybody()[4]}
				d, sealed := resealed(t, after, p, people)
				if diff := difference(valuesOf(d), tt.want); diff != "" {
					t.Fatal(diff)
				}
				if items := d.Items(); d.Replace(items) != nil || !slices.Contains(items, before[0]) {
					t.Errorf("items cannot be edited on: %v", items)
				}
				for _, q := range people {
					if diff := difference(valuesOf(open(t, sealed, staging, q)), tt.want); diff != "" {
						t.Fatal(diff)
					}
				}
				checkProgram(t, d.Items(), sealed, p)
			})
		}
	}
}

func (b *box) edit(t *testing.T, script string) {
	t.Helper()
	b.write(t, "editor", []byte(script))
	b.env = append(b.env, "EDITOR=sh "+b.path("editor"))
	b.sops(t, "edit", "x.env")
}

// sops cannot tell a backslash and an n from a newline, once a file has been
// through its editor. docs say so; this notices when it changes.
func TestSopsEditTurnsBackslashNIntoNewline(t *testing.T) {
	p := newX25519()
	b := newBox(t, p)
	b.write(t, "x.env", seal(t, newDocument(t, []crypt.Item{{Key: "A", Value: `a\nb`}}), "staging", []*keyPair{p}))
	b.edit(t, "#!/bin/sh\necho B=1 >> \"$1\"\n")
	d, _ := resealed(t, b.read(t, "x.env"), p, []*keyPair{p})
	if v, _ := d.Get("A"); v != "a\nb" {
		t.Errorf("A is %q", v)
	}
}

// With its default suffix, sops would write such keys in the clear; our metadata
// has another, which it respects.
func TestSopsEncryptsUnencryptedSuffixInOurFiles(t *testing.T) {
	p := newX25519()
	b := newBox(t, p)
	b.write(t, "x.env", seal(t, newDocument(t, before), "staging", []*keyPair{p}))
	b.sops(t, "set", "x.env", `["NEW_unencrypted"]`, `"hunter2-canary"`)
	if after := string(b.read(t, "x.env")); strings.Contains(after, "hunter2-canary") || strings.Contains(after, "three") {
		t.Error("a value is in the clear")
	}
}
