package envfile

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestSet(t *testing.T) {
	for _, c := range []struct{ name, text, key, value, want string }{
		{"in place", "A=b\nC=d\nE=f\n", "C", "x", "A=b\nC=x\nE=f\n"},
		{"the same value keeps its quotes", "A=\"b\"\n", "A", "b", "A=\"b\"\n"},
		{"export, blanks and comment stay", " export\tA  = \tb \t# c \nD=e", "A", "x", " export\tA  = \tx \t# c \nD=e"},
		{"trailing blanks stay", "A=b \nC='d'\t\n", "A", "x", "A=x \nC='d'\t\n"},
		{"comment after quotes stays", "A='b' # c\n", "A", "x", "A=x # c\n"},
		{"comment right after quotes needs quotes", "A='b'#c\n", "A", "x", "A='x'#c\n"},
		{"to empty before such a comment", "A='b'#c\n", "A", "", "A=''#c\n"},
		{"to empty", "A=b # c\n", "A", "", "A= # c\n"},
		{"from empty before a comment", "A= # c\n", "A", "x", "A=x # c\n"},
		{"from empty after blanks", "A = \nB=c\n", "A", "x", "A = x\nB=c\n"},
		{"from several lines", "A='b\nc' # d\nE=f\n", "A", "x", "A=x # d\nE=f\n"},
		{"to several lines", "A=b # d\nE=f\n", "A", "x\ny", "A='x\ny' # d\nE=f\n"},
		{"CRLF stays", "A=b\r\nC=d\r\n", "A", "x", "A=x\r\nC=d\r\n"},
		{"several lines in a CRLF file", "A=b\r\n", "A", "x\ny", "A='x\r\ny'\r\n"},
		{"a value with CRLF in a CRLF file", "A=b\r\n", "A", "x\r\ny", "A=\"x\\r\r\ny\"\r\n"},
		{"byte order mark stays", "\ufeffA=b", "A", "x", "\ufeffA=x"},
		{"no final newline stays so", "A=b", "A", "x", "A=x"},
		{"a CR at the very end stays", "A=b\r", "A", "x", "A=x\r"},
		{"needs quotes", "A=b\n", "A", "it's $5", "A=\"it's \\$5\"\n"},
		{"append", "A=b\n", "C", "d e", "A=b\nC='d e'\n"},
		{"append to nothing", "", "A", "b", "A=b\n"},
		{"append after a byte order mark", "\ufeff", "A", "b", "\ufeffA=b\n"},
		{"append without a final newline", "A=b", "C", "d", "A=b\nC=d\n"},
		{"append in CRLF", "A=b\r\nC=d", "E", "f", "A=b\r\nC=d\r\nE=f\r\n"},
		{"append after a comment", "# a", "C", "d", "# a\nC=d\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := mustParse(t, c.text)
			if err := f.Set(c.key, c.value); err != nil {
				t.Fatal(err)
			}
			if got := string(f.Bytes()); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			sameAsParsed(t, f)
		})
	}
}

func TestSetRefuses(t *testing.T) {
	for _, v := range []Var{
		{"", secret}, {"1A", secret}, {"A-B", secret}, {"A=B", secret}, {"A\n", secret}, {"sops_a", secret},
		{"A", secret + "\x00"}, {"B", secret + "\xff"},
	} {
		f := mustParse(t, "A=b\n")
		err := f.Set(v.Key, v.Value)
		if e, ok := errors.AsType[*ExpressError](err); !ok || e.Key != v.Key {
			t.Errorf("%q: %v", v.Key, err)
		} else if strings.Contains(err.Error(), secret) {
			t.Errorf("the error quotes the value: %v", err)
		}
		if got := string(f.Bytes()); got != "A=b\n" {
			t.Errorf("changed to %q", got)
		}
	}
}

func TestDelete(t *testing.T) {
	for _, c := range []struct{ text, key, want string }{
		{"A=b\nC=d\nE=f\n", "C", "A=b\nE=f\n"},
		{"# about A\nexport A='b\nc' # d\n\nE=f", "A", "# about A\n\nE=f"},
		{"A=b\r\nC=d", "C", "A=b\r\n"},
		{"\ufeffA=b", "A", "\ufeff"},
	} {
		f := mustParse(t, c.text)
		if !f.Delete(c.key) {
			t.Errorf("%q: not found", c.text)
		}
		if got := string(f.Bytes()); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
		if f.Delete(c.key) {
			t.Errorf("%q: deleted twice", c.text)
		}
		sameAsParsed(t, f)
	}
	if mustParse(t, "#A\nB=c\n\n").Delete("A") {
		t.Error("deleted what is not there")
	}
}

// Random edits of random files: all other items keep their bytes, and what is left is what Parse reads from the result.
func TestEditsKeepEveryOtherByte(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	lines := []string{"", " \t", "# c", "  #c ", "%=b", "export % = b \t", "%= # c", "%='a\nb' # d", "%=\"\\n$x\"#e", "%=a#b"}
	for range 3000 {
		ends := []string{"\n", "\r\n"}[r.IntN(2)]
		var text strings.Builder
		n := r.IntN(8)
		for i := range n {
			text.WriteString(strings.ReplaceAll(lines[r.IntN(len(lines))], "%", key(i)) + ends)
		}
		f := mustParse(t, text.String())
		for range 4 {
			before, changed := f.segments, key(r.IntN(10))
			if _, found := f.Get(changed); !found {
				before = append(before[:len(before):len(before)], segment{})
			}
			before = append([]segment(nil), before...)
			if r.IntN(3) == 0 {
				f.Delete(changed)
				checkOthers(t, before, f, changed)
				continue
			}
			value := nasty(r)
			if err := f.Set(changed, value); err != nil {
				t.Fatal(err)
			}
			if got, _ := f.Get(changed); got != value {
				t.Fatalf("set %q, got %q", value, got)
			}
			checkOthers(t, before, f, changed)
			sameAsParsed(t, f)
		}
	}
}

func checkOthers(t *testing.T, before []segment, after *File, changed string) {
	t.Helper()
	kept := func(segments []segment) string {
		var text strings.Builder
		for _, s := range segments {
			switch s.Key {
			case changed: // what surrounds its value, if it is still there
				if _, found := after.Get(changed); found {
					text.WriteString(s.text[:s.start] + s.text[s.end:])
				}
			default:
				text.WriteString(s.text)
			}
		}
		return text.String()
	}
	want, got := kept(before), kept(after.segments)
	if got != want && got != want+changed+"=\n" && got != want+changed+"=\r\n" {
		t.Fatalf("after a change of %s\n got %q\nwant %q", changed, got, want)
	}
}

func mustParse(t testing.TB, text string) *File {
	t.Helper()
	f, err := Parse([]byte(text))
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return f
}

// sameAsParsed checks that a file that was edited is the file that its bytes say.
func sameAsParsed(t *testing.T, f *File) {
	t.Helper()
	g := mustParse(t, string(f.Bytes()))
	equal(t, "items", f.Items(), g.Items())
	equal(t, "warnings", f.Warnings(), g.Warnings())
	for _, item := range g.Items() {
		if item.Kind != Entry {
			continue
		}
		if got, found := f.Get(item.Key); got != item.Value || !found {
			t.Fatalf("%s: got %q, %v", item.Key, got, found)
		}
	}
}
