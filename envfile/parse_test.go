package envfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// secret stands in every input that is refused, and must not stand in the refusal.
const secret = "hunter2"

type vector struct {
	Name  string
	Input string
	Items []struct {
		Kind, Key, Value, Comment string
		Line                      int
	}
	Warnings []Warning
	Error    *ParseError
}

func readVectors(t testing.TB) []vector {
	text, err := os.ReadFile("testdata/dialect.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []vector
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) == 0 {
		t.Fatal("no vectors")
	}
	return vectors
}

func TestDialect(t *testing.T) {
	kinds := map[string]Kind{"blank": Blank, "comment": Comment, "entry": Entry}
	for _, v := range readVectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			f, err := Parse([]byte(v.Input))
			if v.Error != nil {
				checkParseError(t, f, err, v.Error)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			items := []Item{}
			for _, i := range v.Items {
				kind, known := kinds[i.Kind]
				if !known {
					t.Fatalf("unknown kind %q", i.Kind)
				}
				items = append(items, Item{kind, i.Line, i.Key, i.Value, i.Comment})
			}
			if got := f.Items(); !slices.Equal(got, items) {
				t.Errorf("items\n got %+v\nwant %+v", got, items)
			}
			if got := f.Warnings(); !slices.Equal(got, v.Warnings) {
				t.Errorf("warnings\n got %q\nwant %q", got, v.Warnings)
			}
			if got := string(f.Bytes()); got != v.Input {
				t.Errorf("bytes\n got %q\nwant %q", got, v.Input)
			}
		})
	}
}

func checkParseError(t *testing.T, f *File, err error, want *ParseError) {
	t.Helper()
	var got *ParseError
	if !errors.As(err, &got) || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", err, want)
	}
	if f != nil {
		t.Error("a file in spite of the error")
	}
	if strings.Contains(fmt.Sprintf("%v %+v", err, err), secret) {
		t.Errorf("the error quotes the text: %v", err)
	}
}

func TestInvalidUTF8(t *testing.T) {
	for input, line := range map[string]int{
		"A=\xff" + secret:           1,
		"A=b\r\n\nB='\n\xc3'":       4,
		"#\xed\xa0\x80\n":           1,
		"A=b\nC=d\n\xffE=" + secret: 3,
		"\xff\xfeA=b":               1, // UTF-16
	} {
		f, err := Parse([]byte(input))
		checkParseError(t, f, err, &ParseError{Line: line, Reason: InvalidUTF8})
	}
}

func TestMessages(t *testing.T) {
	for want, message := range map[string]fmt.Stringer{
		`line 12: missing "="`:                                             stringer{&ParseError{Line: 12, Reason: MissingEquals}},
		"line 9: duplicate key A, first on line 3":                         stringer{&ParseError{9, DuplicateKey, "A", 3}},
		`line 2: A: unescaped "$": other programs may read it differently`: Warning{2, "A", Dollar},
		`"a b" cannot be expressed as shell: x`:                            stringer{&ExpressError{"a b", "shell", "x"}},
		`AB cannot be expressed as json: x`:                                stringer{&ExpressError{"AB", "json", "x"}},
		`a comment cannot be expressed as dotenv: x`:                       stringer{&ExpressError{"", "dotenv", "x"}},
	} {
		if got := message.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

type stringer struct{ error }

func (s stringer) String() string { return s.Error() }

func TestGet(t *testing.T) {
	f, err := Parse([]byte("A=b\n# C=d\nE=\n"))
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"A": "b", "E": ""} {
		if got, found := f.Get(key); got != want || !found {
			t.Errorf("%s: %q, %v", key, got, found)
		}
	}
	for _, key := range []string{"C", "", "a"} {
		if got, found := f.Get(key); got != "" || found {
			t.Errorf("%s: %q, %v", key, got, found)
		}
	}
}

func largeFile(keys int) []byte {
	var b bytes.Buffer
	for i := range keys {
		fmt.Fprintf(&b, "# comment %d\nKEY_%d=\"value \\$ of %d\" # inline\n", i, i, i)
	}
	return b.Bytes()
}

// Linear parsing takes ten times as long for ten times the keys.
func BenchmarkParse(b *testing.B) {
	for _, keys := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprint(keys), func(b *testing.B) {
			text := largeFile(keys)
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if _, err := Parse(text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
