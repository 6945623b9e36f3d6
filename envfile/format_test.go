package envfile

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func equal[T comparable](t *testing.T, what string, got, want []T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("%s\n got %q\nwant %q", what, fmt.Sprint(got), fmt.Sprint(want))
	}
}

func key(i int) string { return fmt.Sprintf("K%d", i) }

// nasty returns a random value made of everything that some reader of dotenv text has an opinion on.
func nasty(r *rand.Rand) string {
	pieces := []string{
		"'", "'", `"`, `"`, `\`, `\`, "$", "`", "#", " #", " ", "\t", "\n", "\n", "\r", "\r\n", "=", "a", "n", "r", "t", "!", "~",
		"{a,b}", "é", "😀", "\u2028", "\ufeff", "\u00a0", "\u0085", "\uffff", "\x01", "\x7f", "\x0b", "(", ")", ";", "&", "*", "$(id)", "${PATH}",
		"$'x'", "export ", "K1=", "\nK2=x\n", "`id`", "%s", "<", ">", "|", "[", "-", ":", "0", "\n=======\n", "\n<<<<<<<", "\n>>>>>>>",
	}
	var value strings.Builder
	for range r.IntN(9) {
		value.WriteString(pieces[r.IntN(len(pieces))])
	}
	return value.String()
}

func TestFormat(t *testing.T) {
	items := []Item{
		{Kind: Comment, Comment: " about A"},
		{Kind: Entry, Key: "A", Value: "b", Comment: "  # rotate in May"},
		{Kind: Blank},
		{Kind: Entry, Key: "B"},
		{Kind: Entry, Key: "C", Comment: " # empty"},
		{Kind: Entry, Key: "D", Value: "x", Comment: "#right after"},
		{Kind: Comment},
		{Kind: Entry, Key: "E", Value: "d\ne", Comment: "\t# f "},
	}
	want := "# about A\nA=b  # rotate in May\n\nB=\nC= # empty\nD='x'#right after\n#\nE='d\ne'\t# f \n"
	got, err := Format(items)
	if err != nil || string(got) != want {
		t.Fatalf("got %q, %v, want %q", got, err, want)
	}
	equal(t, "items", withoutLines(mustParse(t, string(got))), items)
}

func TestFormatQuotes(t *testing.T) {
	for value, want := range map[string]string{
		"":                             ``,
		"postgres://a:b@c:5432/d":      `postgres://a:b@c:5432/d`,
		"a b":                          `'a b'`,
		" a":                           `' a'`,
		"a\t":                          "'a\t'",
		"#a":                           `'#a'`,
		"a#b":                          `'a#b'`,
		"pa$$":                         `'pa$$'`,
		"~":                            `'~'`,
		"é":                            `'é'`,
		"`id`":                         "'`id`'",
		`"a"`:                          `'"a"'`,
		`C:\dir\`:                      `'C:\dir\'`,
		"a\nb":                         "'a\nb'",
		"it's":                         `"it's"`,
		"it's\nB=c":                    "\"it's\nB=c\"",
		`it's C:\dir`:                  `"it's C:\dir"`,
		`it's \n`:                      `"it's \\n"`,
		`it's \t`:                      `"it's \\t"`,
		`it's \`:                       `"it's \\"`,
		"it's \\\n":                    "\"it's \\\\\n\"",
		`it's "$a"`:                    `"it's \"\$a\""`,
		"it's `id`":                    "\"it's `id`\"",
		"a\rb":                         `"a\rb"`,
		"a\r\nb":                       "\"a\\r\nb\"",
		"a\n<<<<<<<\n=======\n>>>>>>>": `"a\n<<<<<<<\n=======\n>>>>>>>"`,
		"a\n=======":                   "'a\n======='",
	} {
		got, err := Format([]Item{{Kind: Entry, Key: "A", Value: value}})
		if err != nil || string(got) != "A="+want+"\n" {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
		if read, _ := mustParse(t, string(got)).Get("A"); read != value {
			t.Errorf("%q is read back as %q", value, read)
		}
	}
}

func TestFormatRefuses(t *testing.T) {
	for name, items := range map[string][]Item{
		"key":                   {{Kind: Entry, Key: "A B", Value: secret}},
		"no key":                {{Kind: Entry, Value: secret}},
		"reserved":              {{Kind: Entry, Key: "sops_a", Value: secret}},
		"twice":                 {{Kind: Entry, Key: "A", Value: secret}, {Kind: Blank}, {Kind: Entry, Key: "A"}},
		"NUL":                   {{Kind: Entry, Key: "A", Value: secret + "\x00"}},
		"UTF-8":                 {{Kind: Entry, Key: "A", Value: secret + "\xff"}},
		"comment of two lines":  {{Kind: Comment, Comment: "a\nA=" + secret}},
		"comment with CR":       {{Kind: Comment, Comment: "a\r"}},
		"comment with NUL":      {{Kind: Comment, Comment: "\x00"}},
		"comment with no UTF-8": {{Kind: Comment, Comment: "\xff"}},
		"inline without #":      {{Kind: Entry, Key: "A", Value: "b", Comment: " " + secret}},
		"inline of blanks":      {{Kind: Entry, Key: "A", Value: "b", Comment: " "}},
		"inline of two lines":   {{Kind: Entry, Key: "A", Value: "b", Comment: " # \n"}},
		"inline with CR":        {{Kind: Entry, Key: "A", Value: "b", Comment: " # \r"}},
	} {
		got, err := Format(items)
		if _, ok := errors.AsType[*ExpressError](err); !ok || got != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		} else if strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error quotes the value: %v", name, err)
		}
	}
}

func withoutLines(f *File) []Item {
	items := f.Items()
	for i := range items {
		items[i].Line = 0
	}
	return items
}
