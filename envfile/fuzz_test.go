package envfile

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

// What is parsed keeps its bytes, and its items survive Format.
func FuzzParse(f *testing.F) {
	for _, v := range readVectors(f) {
		f.Add([]byte(v.Input))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := Parse(text)
		if err != nil {
			if e, ok := errors.AsType[*ParseError](err); !ok || e.Line < 1 || file != nil {
				t.Fatalf("%v, %v", file, err)
			}
			return
		}
		if string(file.Bytes()) != string(text) {
			t.Fatalf("%q became %q", text, file.Bytes())
		}
		items := withoutLines(file)
		formatted, err := Format(items)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "items", withoutLines(mustParse(t, string(formatted))), items)
	})
}

// What is formatted is read back, whatever the values (separated by NUL) and comments are.
func FuzzFormat(f *testing.F) {
	for _, v := range readVectors(f) {
		for _, i := range v.Items {
			f.Add(i.Value+"\x00"+i.Value+`\`, i.Comment)
		}
	}
	f.Fuzz(func(t *testing.T, values, comment string) {
		var vars []Var
		items := []Item{{Kind: Comment, Comment: comment}}
		for i, value := range strings.Split(values, "\x00") {
			vars = append(vars, Var{key(i), value})
			items = append(items, Item{Kind: Entry, Key: key(i), Value: value}, Item{})
		}
		items[1].Comment = " #" + comment
		items[len(items)-2].Comment = "#" + comment

		valid := utf8.ValidString(values) && utf8.ValidString(comment) && !strings.ContainsAny(comment, "\n\x00") && !strings.HasSuffix(comment, "\r")
		text, err := Format(items)
		if valid != (err == nil) {
			t.Fatalf("valid: %v, but %v", valid, err)
		}
		if valid {
			equal(t, "items", withoutLines(mustParse(t, string(text))), items)
		}
		text, err = Dotenv(vars)
		if err != nil {
			if e, ok := errors.AsType[*ExpressError](err); !ok || e.Format != "dotenv" {
				t.Fatal(err)
			}
			return
		}
		equal(t, "variables", varsOf(mustParse(t, string(text))), vars)
	})
}

func varsOf(f *File) []Var {
	var vars []Var
	for _, item := range f.Items() {
		if item.Kind == Entry {
			vars = append(vars, Var{item.Key, item.Value})
		}
	}
	return vars
}
