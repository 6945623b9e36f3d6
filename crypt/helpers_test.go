package crypt

import (
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
)

// canary is part of every secret value of these tests: no error may show it.
const canary = "hunter2-canary"

var testTime = time.Date(2026, 2, 3, 4, 5, 6, 7, time.FixedZone("", 3600))

// person is somebody with an X25519 key.
type person struct {
	Identity
	recipient Recipient
}

func newPerson(t testing.TB) person {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return personOf(id)
}

func personOf(id *age.X25519Identity) person {
	to := id.Recipient()
	return person{Identity{Identity: id, Recipient: to.String()}, Recipient{Recipient: to, Text: to.String()}}
}

// fixture is the person that the files in testdata are encrypted to.
func fixture(t testing.TB) person { return readPerson(t, "testdata/identity.txt") }

// secondFixture is who opens the files in testdata/quorum together with fixture.
func secondFixture(t testing.TB) person { return readPerson(t, "testdata/quorum/identity.txt") }

func readPerson(t testing.TB, file string) person {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	ids, err := age.ParseIdentities(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return personOf(ids[0].(*age.X25519Identity))
}

func to(people ...person) Audience {
	var r []Recipient
	for _, p := range people {
		r = append(r, p.recipient)
	}
	return AnyOf(r...)
}

func ids(people ...person) iter.Seq[Identity] {
	return func(yield func(Identity) bool) {
		for _, p := range people {
			if !yield(p.Identity) {
				return
			}
		}
	}
}

// sample is the text that most of these tests attack. Its lines are:
// 1 seal, 2 comment, 3 API_KEY, 4 blank, 5 DB_URL, 6 EMPTY, 7 DEBUG, metadata.
func sample(t testing.TB, environment string, people ...person) []byte {
	t.Helper()
	d := new(Document)
	err := d.Replace([]Item{
		{Kind: Comment, Comment: " " + canary + " in a comment"},
		{Key: "API_KEY", Value: canary + "-1"},
		{Kind: Blank},
		{Key: "DB_URL", Value: canary + "-2"},
		{Key: "EMPTY"},
		{Key: "DEBUG", Value: "42"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return mustSeal(t, d, environment, people...)
}

func mustSeal(t testing.TB, d *Document, environment string, people ...person) []byte {
	t.Helper()
	data, err := Seal(d, environment, to(people...), testTime)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func mustOpen(t testing.TB, data []byte, o Options, people ...person) *Document {
	t.Helper()
	d, err := Open(data, o, ids(people...))
	if err != nil {
		t.Fatalf("Open: %v\n%s", err, data)
	}
	return d
}

// refused opens data, which must be refused with an error of type E that shows
// no value.
func refused[E error](t testing.TB, data []byte, o Options, people ...person) E {
	t.Helper()
	d, err := Open(data, o, ids(people...))
	return refusal[E](t, d == nil, err)
}

func refusal[E error](t testing.TB, isNil bool, err error) (e E) {
	t.Helper()
	if err == nil {
		t.Fatal("accepted")
	}
	if !isNil {
		t.Errorf("a document came with the error %v", err)
	}
	if strings.Contains(err.Error(), canary) {
		t.Errorf("the error shows a value: %v", err)
	}
	if !errors.As(err, &e) {
		t.Fatalf("got %T instead of %T: %v", err, e, err)
	}
	return e
}

// pairs returns "KEY=value" for each verified entry.
func pairs(d *Document) []string {
	p := []string{}
	for k, v := range d.All() {
		p = append(p, k+"="+v)
	}
	return p
}

func lines(data []byte) []string {
	l := strings.SplitAfter(string(data), "\n")
	return l[:len(l)-1]
}

// line returns the line of data that begins with prefix.
func line(t testing.TB, data []byte, prefix string) string {
	t.Helper()
	for _, l := range lines(data) {
		if strings.HasPrefix(l, prefix) {
			return strings.TrimSuffix(l, "\n")
		}
	}
	t.Fatalf("no line begins with %s", prefix)
	return ""
}

// replaceOnce replaces the only occurrence of old.
func replaceOnce(t testing.TB, data []byte, old, new string) []byte {
	t.Helper()
	if n := strings.Count(string(data), old); n != 1 {
		t.Fatalf("%q stands %d times", old, n)
	}
	return []byte(strings.Replace(string(data), old, new, 1))
}

// otherTool does to a sealed file what a SOPS tool does that knows nothing of
// seals: it changes the lines, keeps the first, and writes a MAC that fits.
func otherTool(t testing.TB, data []byte, p person, change func(d *Document)) []byte {
	t.Helper()
	d := mustOpen(t, data, Options{}, p)
	change(d)
	values, err := newValueCipher(d.dataKey)
	if err != nil {
		t.Fatal(err)
	}
	out := d.appendItems(slices.Clone(firstLine(data)), values)
	return d.meta.appendDotenv(out)
}

// insider writes a seal that fits whatever stands in data: the work of somebody
// who holds the data key.
func insider(t testing.TB, data []byte, p person) []byte {
	t.Helper()
	d := mustOpen(t, data, Options{Reseal: true}, p)
	values, err := newValueCipher(d.dataKey)
	if err != nil {
		t.Fatal(err)
	}
	text := sealText{environment: "staging", keys: d.sealKeys()}.String()
	body := data[len(firstLine(data)):]
	head := values.sealWithNonce(text, commentPath, typeComment, sealNonce(d.dataKey, text, body))
	return fmt.Appendf(nil, "#%s\n%s", head, body)
}
