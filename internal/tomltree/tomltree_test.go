package tomltree

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/pelletier/go-toml/v2"
)

func TestLines(t *testing.T) {
	root, err := Parse([]byte("\ufeff" + strings.Join([]string{
		`a = """`, `b = "x"`, `"""`, // 1–3
		`["b".'c.d']  # [e]`, `list = ["x#", # "y"`, `  [ 'y' ], { z = "w" }]`, // 4–6
		`n . m = 2026-01-01`, `[[e]]`, `k = 1`, `[b.other]`, `[[e]]`, `k = 0x1_0`, `k2.t = true`, // 7–13
	}, "\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	table := root.Get("b").Get("c.d")
	list := table.Get("list").Value.([]*Node)
	e := root.Get("e").Value.([]*Node)
	for i, tt := range []struct {
		node  *Node
		line  int
		value any
	}{
		{root, 1, nil}, {root.Get("a"), 1, "b = \"x\"\r\n"}, {root.Get("b"), 4, nil}, {table, 4, nil},
		{list[0], 5, "x#"}, {list[1].Value.([]*Node)[0], 6, "y"}, {list[2], 6, nil}, {list[2].Get("z"), 6, "w"},
		{table.Get("n"), 7, nil}, {table.Get("n").Get("m"), 7, nil}, {root.Get("b").Get("other"), 10, nil},
		{e[0].Get("k"), 9, int64(1)}, {e[1], 11, nil}, {e[1].Get("k"), 12, int64(16)}, {e[1].Get("k2").Get("t"), 13, true},
	} {
		if tt.node == nil || tt.node.Line != tt.line || tt.node.Value != tt.value {
			t.Errorf("%d: got %+v, want %v on line %d", i, tt.node, tt.value, tt.line)
		}
	}
	for _, n := range []*Node{root.Get("x"), root.Get("a"), table.Get("list"), root.Get("e"), table.Get("n").Get("m")} {
		if n.IsTable() || n.Get("x") != nil {
			t.Errorf("%+v is a table", n)
		}
	}
	for _, n := range []*Node{root, table, table.Get("n"), list[2], e[0], root.Get("b").Get("other")} {
		if !n.IsTable() {
			t.Errorf("%+v is no table", n)
		}
	}
	if got := fmt.Sprint(root.Names, table.Names); got != "[a b e] [list n]" {
		t.Errorf("order: %s", got)
	}
}

func TestStrings(t *testing.T) {
	root, err := Parse([]byte("a = ['x', \"y\"]\nb = []\nc = ['x', 1]\nd = 'x'\n[e]\n"))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]string{"a": {"x", "y"}, "b": {}, "c": nil, "d": nil, "e": nil, "f": nil} {
		if got, ok := root.Get(name).Strings(); ok != (want != nil) || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %q, %v", name, got, ok)
		}
	}
}

func TestSyntaxErrors(t *testing.T) {
	for _, tt := range []struct {
		text  string
		line  int
		twice bool
	}{
		{"a = 1\nb = hunter2", 2, false},
		{"a = 1\n\nb = \"hunter2\n", 3, false},
		{"a = [\n1,\n", 2, false},
		{"a = 1\nb = 9223372036854775808", 2, false},
		{"a = [1,\n-9223372036854775809]", 2, false},
		{"a = 01", 1, false},
		{"a = 1\n# \xff", 2, false},
		{"a = 1\na = 2", 2, true},
		{"a = 1\na.b = 2", 2, true},
		{"a.b = 1\n[a]", 2, true},
		{"a.b = 1\na = 2", 2, true},
		{"[a]\nb = 1\n[a.b]", 3, true},
		{"[a]\nb = 1\n[a.b.c]", 3, true},
		{"[a]\n[a]", 2, true},
		{"[a.b]\n[a]\n[a]", 3, true},
		{"[a.b]\n[a]\nb.c = 1", 3, true},
		{"[[a]]\n[a]", 2, true},
		{"[a]\n[[a]]", 2, true},
		{"a = [{}]\n[[a]]", 2, true},
		{"a = {b = 1}\na.c = 2", 2, true},
		{"a = {b = 1}\n[a.c]", 2, true},
		{"a = {\nb = 1,\nb = 2}", 3, true},
		{"a = [{b = 1}, {b = {}, b.c = 2}]", 1, true},
		{"[[a]]\nb = 1\n[[a]]\nb = 1\nb = 1", 5, true},
	} {
		root, err := Parse([]byte(tt.text))
		var syntax *SyntaxError
		if root != nil || !errors.As(err, &syntax) || *syntax != (SyntaxError{tt.line, tt.twice}) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: got %v", tt.text, err)
		}
	}
}

// TestHostile: what a repository may bring, of the largest size, takes moments.
func TestHostile(t *testing.T) {
	const size = 1 << 20
	many := func(format string) string {
		var b strings.Builder
		for i := 0; b.Len() < size; i++ {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	for name, text := range map[string]string{
		"lists in lists":   "a=" + strings.Repeat("[", size),
		"tables in tables": "a=" + strings.Repeat("{a=", size/3),
		"both":             "a=" + strings.Repeat("[{a=", size/4),
		"unclosed strings": "a=[" + strings.Repeat(`"""\n`, size/5),
		"strings":          "a=[" + strings.Repeat(`"\n",`, size/5) + "]",
		"long strings":     "a=[" + strings.Repeat(`"""\n""",`, size/9) + "]",
		"dots":             "a" + strings.Repeat(".a", size/2) + "=1",
		"dots in a header": "[a" + strings.Repeat(".a", size/2) + "]",
		"keys":             many("%x=1\n"),
		"headers":          many("[%x]\n"),
		"lists of tables":  many("[[a]]\n[[b%x]]\n"),
		"inline keys":      "a={" + strings.TrimSuffix(many("%x=1,"), ",") + "}",
		"inline tables":    "a=[" + strings.Repeat("{},", size/3) + "]",
		"numbers":          "a=[" + strings.Repeat("1,\n", size/3) + "]",
	} {
		start := time.Now()
		_, err := Parse([]byte(text))
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s: %v, %v", name, took, err)
		} else {
			t.Logf("%s: %v, %v", name, took, err)
		}
	}
}

// FuzzParse: go-toml's decoder judges what is TOML, and what it means.
func FuzzParse(f *testing.F) {
	f.Add([]byte("a = 1\n[b.'c']\nd . e = [\"x\", {y = true}]\n[[f]]\n[f.g]\n[[f]]\n[b]\n"))
	f.Add([]byte("a = {b.c = 1, b.d = [[], [2]]}\na.b = 0x1_f # x\r\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 1<<14 {
			return // the decoder's time is quadratic
		}
		root, err := Parse(text)
		var want any
		wantErr := toml.Unmarshal([]byte(strings.TrimPrefix(string(text), "\ufeff")), &want)
		if err != nil {
			var syntax *SyntaxError
			if wantErr == nil || !errors.As(err, &syntax) || syntax.Line < 1 || syntax.Line > 1+strings.Count(string(text), "\n") {
				t.Errorf("got %#v, want %v", err, wantErr)
			}
			return
		}
		got, complete := plain(root)
		if complete && (wantErr != nil || !reflect.DeepEqual(got, want)) {
			t.Errorf("got %v, want %v, %v", got, want, wantErr)
		}
	})
}

// plain returns what a decoder makes of a tree, and whether there is no date or float
// in it.
func plain(n *Node) (value any, complete bool) {
	complete = true
	if items, ok := n.Value.([]*Node); ok {
		list := make([]any, len(items))
		for i, item := range items {
			value, ok := plain(item)
			list[i], complete = value, complete && ok
		}
		return list, complete
	}
	if !n.IsTable() {
		return n.Value, n.Value != nil
	}
	table := make(map[string]any, len(n.Names))
	for _, name := range n.Names {
		value, ok := plain(n.Get(name))
		table[name], complete = value, complete && ok
	}
	return table, complete
}
