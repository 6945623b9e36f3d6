package crypt

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
)

// FuzzOpen splices bytes into a file: nothing but the file's own plaintext ever
// comes out of it. The files lie in testdata, so that a failure can be repeated.
func FuzzOpen(f *testing.F) {
	p, q := fixture(f), secondFixture(f)
	files := []struct {
		name string
		o    Options
	}{
		{"testdata/sealed.env", staging},
		{"testdata/sealed.env", Options{Environment: "staging", Reseal: true}},
		{"testdata/sops/plain.env", Options{}},
		{"testdata/sops/mac_only_encrypted.env", Options{}},
		{"testdata/sops/strings.yaml", Options{Format: YAML}},
		{"testdata/sops/strings.json", Options{Format: JSON}},
		{"testdata/quorum/sealed.env", staging},
		{"testdata/quorum/sops.env", Options{}},
		{"testdata/quorum/sops.yaml", Options{Format: YAML}},
	}
	data := make([][]byte, len(files))
	want := make([]string, len(files))
	for i, file := range files {
		data[i] = mustRead(f, file.name)
		want[i] = fmt.Sprint(nonEmpty(mustOpen(f, data[i], file.o, p, q)))
		for at := range len(data[i]) / 97 {
			f.Add(uint8(i), uint16(97*at), uint16(at%3), []byte("A="))
		}
		f.Add(uint8(i), uint16(0), uint16(0xffff), data[i])
	}
	f.Fuzz(func(t *testing.T, which uint8, at, cut uint16, with []byte) {
		i := int(which) % len(files)
		from := min(int(at), len(data[i]))
		to := min(from+int(cut), len(data[i]))
		mutated := slices.Concat(data[i][:from], with, data[i][to:])
		d, err := Open(mutated, files[i].o, ids(p, q))
		if err != nil {
			if d != nil || !ours(err) {
				t.Fatalf("document %v, error of type %T", d, err)
			}
			return
		}
		whole := slices.ContainsFunc(data, func(file []byte) bool { return slices.Equal(mutated, file) })
		if files[i].o == staging && !whole { // one that is spliced in whole may be sealed for staging, too
			t.Fatal("a changed file was accepted")
		}
		// Only a seal tells one whole file from another.
		if got := fmt.Sprint(nonEmpty(d)); !slices.Contains(want, got) {
			t.Fatalf("%s became %s", want[i], got)
		}
	})
}

// nonEmpty returns the pairs whose values are not empty: without a valid seal,
// SOPS vouches for no others.
func nonEmpty(d *Document) []string {
	return slices.DeleteFunc(pairs(d), func(p string) bool { return p[len(p)-1] == '=' })
}

func ours(err error) bool {
	return errors.As(err, new(*DamagedError)) || errors.As(err, new(*SealError)) ||
		errors.As(err, new(*UnsupportedError)) || errors.As(err, new(*NoIdentityError))
}

// FuzzSeal makes a document of any names and texts: what is sealed opens as it was.
func FuzzSeal(f *testing.F) {
	p := fixture(f)
	f.Add("A", "x", "# x", " comment", "B", "y\nz", uint8(0))
	f.Add("A", "", "", "", "A", "", uint8(1))
	f.Add("_", "ENC[AES256_GCM,data:x,iv:y,tag:z,type:str]", "#ENC[AES256_GCM,data:", "ENC[AES256_GCM,data:", "a", "\\n\r\xff\u2028", uint8(2))
	f.Fuzz(func(t *testing.T, key1, value1, inline, comment, key2, value2 string, order uint8) {
		items := []Item{{Key: key1, Value: value1, Comment: inline}, {Kind: Comment, Comment: comment}, {Kind: Blank}, {Key: key2, Value: value2}}
		for i := range items {
			j := int(order>>(2*i)) % len(items)
			items[i], items[j] = items[j], items[i]
		}
		for items[len(items)-1].Kind == Blank {
			items = items[:len(items)-1]
		}
		d := new(Document)
		if d.Replace(items) != nil {
			if len(d.Items()) != 0 {
				t.Fatal("a refused Replace changed the document")
			}
			return
		}
		if got := d.Items(); !reflect.DeepEqual(got, items) {
			t.Fatalf("%v became %v", items, got)
		}
		first := mustSeal(t, d, "staging", p)
		opened := mustOpen(t, first, staging, p)
		if got := opened.Items(); !reflect.DeepEqual(got, items) {
			t.Fatalf("%v became %v", items, got)
		}
		if err := opened.Replace(items); err != nil {
			t.Fatal(err)
		}
		second := mustSeal(t, opened, "staging", p)
		a, b := lines(first), lines(second)
		for i := 1; i < len(a)-3; i++ { // the seal, and the MAC before two other lines
			if a[i] != b[i] {
				t.Fatalf("%q became %q", a[i], b[i])
			}
		}
	})
}
