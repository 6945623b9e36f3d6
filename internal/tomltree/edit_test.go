package tomltree

import (
	"errors"
	"strings"
	"testing"
)

// edit is one change of a text, and of what a text means.
type edit func(*Editor) error

func appendTo(path string, items ...string) edit {
	return func(e *Editor) error { return e.Append(split(path), items...) }
}

func dropFrom(path string, items ...string) edit {
	return func(e *Editor) error { return e.Drop(split(path), items...) }
}

func replaceIn(path, old, new string) edit {
	return func(e *Editor) error { return e.Replace(split(path), old, new) }
}

func remove(path string) edit { return func(e *Editor) error { return e.Remove(split(path)) } }

func rename(path, new string) edit {
	return func(e *Editor) error { return e.Rename(split(path), new) }
}

func addKey(path, name string, value any) edit {
	return func(e *Editor) error { return e.AddKey(split(path), Pair{name, value}) }
}

func addTable(path, behind string, comments []string, pairs ...Pair) edit {
	return func(e *Editor) error { return e.AddTable(split(path), split(behind), comments, pairs...) }
}

func split(path string) []string {
	if path == "" {
		return nil
	}
	return strings.Split(path, "/")
}

func TestEdits(t *testing.T) {
	long := []string{strings.Repeat("x", 60), strings.Repeat("y", 60)}
	for _, tt := range []struct {
		name      string
		edit      edit
		old, want string
	}{
		{"append to none", appendTo("a", "x"), "a = []\n", "a = [\"x\"]\n"},
		{"append two to none", appendTo("a", "x", "y"), "a = []", "a = [\"x\", \"y\"]"},
		{"append to none, blanks", appendTo("a", "x"), "a = [ ] # c\n", "a = [ \"x\" ] # c\n"},
		{"append to no lines", appendTo("a", "x", "y"), "  a = [\r\n  ]\r\n", "  a = [\r\n    \"x\",\r\n    \"y\",\r\n  ]\r\n"},
		{"append to a comment", appendTo("a", "x"), "a = [ # none\n\t# yet\n]\n", "a = [ # none\n\t# yet\n\t\"x\",\n]\n"},
		{"append", appendTo("a", "x", "y"), "a = [\"b\", \"c\"] # d\n", "a = [\"b\", \"c\", \"x\", \"y\"] # d\n"},
		{"append like the others", appendTo("a", "x"), "a = [ 'b','c' ]\n", "a = [ 'b','c','x' ]\n"},
		{"append what needs other quotes", appendTo("a", "it's \"x\"\\\n"), "a = ['b']\n", `a = ['b', "it's \"x\"\\\u000A"]` + "\n"},
		{"append after a comma", appendTo("a", "x", "y"), "a = [\"b\", ]\n", "a = [\"b\", \"x\", \"y\", ]\n"},
		{"append a line", appendTo("a", "x", "y"),
			"a = [\r\n\t\"b\", # one\r\n\t# two,\r\n] # three\r\n", "a = [\r\n\t\"b\", # one\r\n\t# two,\r\n\t\"x\",\r\n\t\"y\",\r\n] # three\r\n"},
		{"append a line, no comma", appendTo("a", "x", "y"),
			"a = [\n    \"b\",\n    \"c\" # one, ]\n]\n", "a = [\n    \"b\",\n    \"c\", # one, ]\n    \"x\",\n    \"y\"\n]\n"},
		{"append, the bracket beside the last", appendTo("a", "x"),
			"a = [\"b\",\n     \"c\"]\n", "a = [\"b\",\n     \"c\",\n     \"x\"]\n"},
		{"append, comma and bracket beside the last", appendTo("a", "x"),
			"a = [\"b\",\n     \"c\",]\n", "a = [\"b\",\n     \"c\",\n     \"x\",]\n"},
		{"append, bracket on its line, first item not", appendTo("a", "x"),
			"a = [\"b\",\n]\n", "a = [\"b\",\n  \"x\",\n]\n"},
		{"append, a comma on its own line", appendTo("a", "x"), "a = [\"b\" # one\n, ]\n", "a = [\"b\" # one\n, \"x\", ]\n"},
		{"append in an inline table", appendTo("a/b/c", "x"), "a = {b.c = ['y'], d = 1}\n", "a = {b.c = ['y', 'x'], d = 1}\n"},
		{"append in a multi-line string's list", appendTo("a", "x"),
			"a = [\"\"\"\n]\"\"\", '''\n'',''']\n", "a = [\"\"\"\n]\"\"\", '''\n'',''', 'x']\n"},
		{"append behind a byte order mark", appendTo("s/a", "x"), "\ufeff[s]\na = []", "\ufeff[s]\na = [\"x\"]"},

		{"drop the only one", dropFrom("a", "x"), "a = [ \"x\" ] # c", "a = [ ] # c"},
		{"drop the only one and its comma", dropFrom("a", "x"), "a = [\"x\",]", "a = []"},
		{"drop the first", dropFrom("a", "x"), "a = [\"x\", \"y\"]", "a = [\"y\"]"},
		{"drop the middle", dropFrom("a", "x"), "a = [\"y\",  \"x\", 'z']", "a = [\"y\",  'z']"},
		{"drop the last", dropFrom("a", "x"), "a = [ \"y\", \"x\" ]", "a = [ \"y\" ]"},
		{"drop the last, comma", dropFrom("a", "x"), "a = [\"y\", \"x\",]", "a = [\"y\",]"},
		{"drop the last two", dropFrom("a", "x", "z"), "a = [\"y\", \"x\", \"z\"]", "a = [\"y\"]"},
		{"drop all", dropFrom("a", "x", "z", "y"), "a = [\"y\", \"x\", \"z\"]", "a = []"},
		{"drop each time", dropFrom("a", "x"), "a = ['x', \"\\u0078\", \"\"\"x\"\"\", 'y', '''x''']", "a = ['y']"},
		{"drop a line", dropFrom("a", "x"),
			"a = [\r\n  \"y\", # one\r\n  \"x\", # two\r\n  # three\r\n  \"z\",\r\n]\r\n", "a = [\r\n  \"y\", # one\r\n  # three\r\n  \"z\",\r\n]\r\n"},
		{"drop the last line", dropFrom("a", "x"),
			"a = [\n  \"y\", # one\n  \"x\" # two\n]\n", "a = [\n  \"y\" # one\n]\n"},
		{"drop the last line, comma", dropFrom("a", "x"), "a = [\n  \"y\",\n  \"x\",\n]\n", "a = [\n  \"y\",\n]\n"},
		{"drop all lines", dropFrom("a", "x", "y"), "a = [\n  \"y\", # y\n  # z\n  \"x\"\n]\n", "a = [\n  # z\n]\n"},
		{"drop from a line of two", dropFrom("a", "x"),
			"a = [\n  \"y\", \"x\", # one\n  \"z\"\n]\n", "a = [\n  \"y\", # one\n  \"z\"\n]\n"},
		{"drop beside the bracket", dropFrom("a", "x"), "a = [\"y\",\n     \"x\"]\n", "a = [\"y\"]\n"},
		{"drop beside the bracket, comment", dropFrom("a", "x"), "a = [\"y\", # one\n     \"x\"]\n", "a = [\"y\" # one\n]\n"},
		{"drop with commas first", dropFrom("a", "x"), "a = [ \"y\"\n    , \"x\" # one\n    , \"z\"\n    ]\n", "a = [ \"y\"\n    , # one\n     \"z\"\n    ]\n"},
		{"drop with a comma on its own line", dropFrom("a", "x"), "a = [\n  \"x\" # one\n  , # two\n  \"y\"\n]\n", "a = [\n  # one\n   # two\n  \"y\"\n]\n"},
		{"drop behind a comment and a comma", dropFrom("a", "x"), "a = [\"y\" # one\n, \"x\"]\n", "a = [\"y\" # one\n]\n"},
		{"drop in lists in a list", dropFrom("a", "x"), "a = [[\"x\"], [\"y\", [\"x\"]], \"x\"]\n", "a = [[], [\"y\", []]]\n"},

		{"replace", replaceIn("a", "x", "z"), "a = [ 'x', # x\n \"y\",\"x\",[\"x\", \"\"\"\nx\"\"\"] ]", "a = [ 'z', # x\n \"y\",\"z\",[\"z\", \"z\"] ]"},
		{"replace what needs other quotes", replaceIn("a", "x", "'"), "a = ['x']", "a = [\"'\"]"},

		{"remove a key", remove("a/x"), "[a]\n# c\nx = [\n1]  # d\ny = 2\n", "[a]\n# c\ny = 2\n"},
		{"remove the last key", remove("a"), "a = 1", ""},
		{"remove a dotted key", remove("a/b"), "a.b.c = 1\na.c = 2\na.b.d = 3\n", "a.c = 2\n"},
		{"remove from an inline table", remove("a/b"), "a = { b.c = 1, c = 2, b.d = 3 }\n", "a = { c = 2 }\n"},
		{"remove all of an inline table", remove("a/b"), "a = { b = 1 }\n", "a = { }\n"},
		{"remove a line of an inline table", remove("a/b"), "a = {\n  c = 1, # c\n  b = 2 # b\n}\n", "a = {\n  c = 1 # c\n}\n"},
		{"remove a table", remove("a/b"),
			"# above\n\n# of b\n[a.b] # b\nx = 1\n# of b\n\n# of c\n[a.c]\n", "# above\n\n# of c\n[a.c]\n"},
		{"remove a table between tight ones", remove("a/b"), "[a.a]\nx = 1\n[a.b]\nx = 1\n# of c\n[a.c]\n", "[a.a]\nx = 1\n# of c\n[a.c]\n"},
		{"remove a tight table before a gap", remove("a/b"), "[a.a]\nx = 1\n[a.b]\nx = 1\n\n[a.c]\n", "[a.a]\nx = 1\n\n[a.c]\n"},
		{"remove the last table", remove("a/b"), "[a.a]\r\nx = 1\r\n\r\n# of b\r\n[a.b]\r\nx = 1", "[a.a]\r\nx = 1\r\n"},
		{"remove the first table", remove("a/b"), "\ufeff[a.b]\nx = '''\n[a.c]\n'''\n\n[a.c]\n", "\ufeff[a.c]\n"},
		{"remove a table before a comment apart", remove("a/b"),
			"[a.a]\n\n[a.b]\nx = 1\n\n# apart\n\n[a.c]\n", "[a.a]\n\n# apart\n\n[a.c]\n"},
		{"remove a table and what is in it", remove("a/b"),
			"[a.b]\nx = 1\n[a.b.c]\ny = 1\n[d]\n[a.b.e]\n[[a.b.f]]\n[[a.b.f]]\n[a.b.f.g]\n[h]\n", "[d]\n[h]\n"},
		{"remove a list of tables", remove("a"), "[[a]]\nx = 1\n\n[[a]]\n\n[b]\n", "[b]\n"},

		{"add a key", addKey("a", "y", int64(2)), "[a]\n  x = 1 # c\n\n# of b\n[b]\n", "[a]\n  x = 1 # c\n  y = 2\n\n# of b\n[b]\n"},
		{"add a key at the end", addKey("a", "y", true), "[a]\r\nx = 1", "[a]\r\nx = 1\r\ny = true\r\n"},
		{"add the first key", addKey("a", "y z", "\u00e9\t"), "[ a ] # c\n[b]\n", "[ a ] # c\n\"y z\" = \"\u00e9\\u0009\"\n[b]\n"},
		{"add a list", addKey("a", "l", []string{"x", "y"}), "[a]", "[a]\nl = [\"x\", \"y\"]\n"},
		{"add a long list", addKey("a", "l", long), "\t[a]\n", "\t[a]\n\tl = [\n\t  \"" + long[0] + "\",\n\t  \"" + long[1] + "\",\n\t]\n"},
		{"add a key at the top", addKey("", "y", "z"), "x = 1\n\n[a]\n", "x = 1\ny = \"z\"\n\n[a]\n"},
		{"add the first key at the top", addKey("", "y", "z"), "# c\n\n# of a\n[a]\n", "# c\n\ny = \"z\"\n\n# of a\n[a]\n"},
		{"add the first line", addKey("", "y", "z"), "[a]\r\n", "y = \"z\"\r\n\r\n[a]\r\n"},
		{"add the first key of a file", addKey("", "y", "z"), "", "y = \"z\"\n"},
		{"add to an inline table", addKey("a/b", "y", long), "a = { b = { x = 1 } }\n", "a = { b = { x = 1, y = [\"" + long[0] + "\", \"" + long[1] + "\"] } }\n"},
		{"add to dots", addKey("a/b", "y", "z"), "[a]\nb . x = 1\nc = 1\n", "[a]\nb . x = 1\nb.y = \"z\"\nc = 1\n"},
		{"add to dots in an inline table", addKey("a/b", "y", "z"), "a = {b.x = 1,c = 1,}\n", "a = {b.x = 1,c = 1,b.y = \"z\",}\n"},
		{"add to a table without a header", addKey("a", "y", "z"), "[a.b]\nx = 1\n\n[c]\n", "[a.b]\nx = 1\n\n[a]\ny = \"z\"\n\n[c]\n"},

		{"add a table", addTable("a/c", "a", []string{"of\nc", ""}, Pair{"y", "z"}, Pair{"z", true}),
			"[a.a]\nx = 1\n\n[a.b]\nx = 1 # c\n# of b\n\n[d]\n", "[a.a]\nx = 1\n\n[a.b]\nx = 1 # c\n# of b\n\n# of c\n#\n[a.c]\ny = \"z\"\nz = true\n\n[d]\n"},
		{"add a table between tight ones", addTable("a/c", "a", nil, Pair{"y", "z"}),
			"[a.a]\nx = 1\n[a.b]\nx = 1\n# of d\n[d]\n", "[a.a]\nx = 1\n[a.b]\nx = 1\n[a.c]\ny = \"z\"\n# of d\n[d]\n"},
		{"add a table before a comment", addTable("a/c", "a", nil),
			"[a.a]\n# of d\n[d]\n", "[a.a]\n\n[a.c]\n\n# of d\n[d]\n"},
		{"add a table with an indentation", addTable("a/c", "a", nil, Pair{"y", "z"}),
			"\t[a.a]\n\t  x = 1\n\n[d]\n", "\t[a.a]\n\t  x = 1\n\n\t[a.c]\n\t  y = \"z\"\n\n[d]\n"},
		{"add a table at the end", addTable("b/c d", "b", nil, Pair{"y", "z"}), "[a]\r\nx = 1", "[a]\r\nx = 1\r\n\r\n[b.\"c d\"]\r\ny = \"z\"\r\n"},
		{"add a table to nothing", addTable("b", "", nil), "\ufeff", "\ufeff[b]\n"},
		{"add a table behind another", addTable("g", "a", nil), "[a.b]\n\n[e]\n", "[a.b]\n\n[g]\n\n[e]\n"},
		{"add a table to dots", addTable("a/c", "a", nil), "a.b.x = 1\n", "a.b.x = 1\n\n[a.c]\n"},
		{"add a table to an inline one", addTable("a/b/c/d", "a", []string{"lost"}, Pair{"y", "z"}, Pair{"l", long}),
			"a = { b = { x = 1 } }\n", "a = { b = { x = 1, c.d = { y = \"z\", l = [\"" + long[0] + "\", \"" + long[1] + "\"] } } }\n"},
		{"add an empty table to an inline one", addTable("a/b", "", nil), "a = {}\n", "a = {b = {}}\n"},

		{"rename", rename("a/b", "n"), "[a.b]\n# [a.b]\nb = 1\n[a . 'b'.c]\n[b]\n[[a.b.d]]\n", "[a.n]\n# [a.b]\nb = 1\n[a . 'n'.c]\n[b]\n[[a.n.d]]\n"},
		{"rename dots", rename("a/b", "n.x"), "a.b.c = 1\na.\"b\".d = 2\n", "a.\"n.x\".c = 1\na.\"n.x\".d = 2\n"},
		{"rename in inline tables", rename("a/b", "n"), "[a]\n\"b\" = { b = 1 }\n", "[a]\n\"n\" = { b = 1 }\n"},
		{"rename deep in inline tables", rename("a/b/c", ""), "a = { b = { c.d = 1, c.e = 2 } }\n", "a = { b = { \"\".d = 1, \"\".e = 2 } }\n"},
		{"rename a list of tables", rename("a", "n"), "[[a]]\n[a.b]\n[[a]]\n", "[[n]]\n[n.b]\n[[n]]\n"},
	} {
		e, err := NewEditor([]byte(tt.old))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		err = tt.edit(e)
		got, textErr := e.Text()
		if err != nil || textErr != nil || string(got) != tt.want {
			t.Errorf("%s: got %v, %v\n%q, want\n%q", tt.name, err, textErr, got, tt.want)
		}
	}
}

// TestEditErrors: an error changes nothing.
func TestEditErrors(t *testing.T) {
	const text = "a = 1\nb = ['x', 1]\nc.d = {}\n[[l]]\nk = ['x']\n[e]\nf = {g = ['hunter2']}\n[l.m]\n"
	form := func(line int) error { return &FormError{Line: line} }
	for name, tt := range map[string]struct {
		edit edit
		want error
	}{
		"append to nothing":           {appendTo("z", "x"), ErrMissing},
		"append to a number":          {appendTo("a", "x"), form(1)},
		"append to a mixed list":      {appendTo("b", "x"), form(2)},
		"append to a table":           {appendTo("e", "x"), form(6)},
		"append to dots":              {appendTo("c", "x"), form(3)},
		"append to a list of tables":  {appendTo("l", "x"), form(4)},
		"append in a list of tables":  {appendTo("l/k", "x"), form(4)},
		"append what is no text":      {appendTo("e/f/g", "\xff"), nil},
		"drop what is not there":      {dropFrom("b", "y", "1"), ErrMissing},
		"replace what is not there":   {replaceIn("b", "y", "z"), ErrMissing},
		"replace by what is no text":  {replaceIn("b", "x", "\xff"), nil},
		"remove nothing":              {remove("e/z"), ErrMissing},
		"remove in a list of tables":  {remove("l/m"), form(4)},
		"rename nothing":              {rename("z", "y"), ErrMissing},
		"rename to what exists":       {rename("a", "e"), ErrExists},
		"rename to itself":            {rename("a", "a"), ErrExists},
		"rename to what is no text":   {rename("a", "\xff"), nil},
		"rename in a list of tables":  {rename("l/k", "y"), form(4)},
		"add a key that exists":       {addKey("c", "d", "x"), ErrExists},
		"add a key to nothing":        {addKey("z", "y", "x"), ErrMissing},
		"add a key to a number":       {addKey("a", "y", "x"), form(1)},
		"add a key to a list":         {addKey("l", "y", "x"), form(4)},
		"add a key that is no text":   {addKey("e", "\xff", "x"), nil},
		"add a value that is no text": {addKey("e", "y", "\xff"), nil},
		"add a table that exists":     {addTable("c", "", nil), ErrExists},
		"add a table to a number":     {addTable("a/b/c", "", nil), form(1)},
		"add a table to a list":       {addTable("l/b", "", nil), form(4)},
		"add a comment, no text":      {addTable("z", "", []string{"\xff"}), nil},
		"add a table in a value":      {addTable("e/f/g/h", "", nil), form(7)},
	} {
		e, err := NewEditor([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		err = tt.edit(e)
		var wantForm, gotForm *FormError
		switch {
		case err == nil:
			t.Errorf("%s: no error", name)
		case errors.As(tt.want, &wantForm):
			if !errors.As(err, &gotForm) || gotForm.Line != wantForm.Line {
				t.Errorf("%s: got %v", name, err)
			}
		case tt.want != nil && !errors.Is(err, tt.want):
			t.Errorf("%s: got %v", name, err)
		case strings.Contains(err.Error(), "hunter2"):
			t.Errorf("%s: %v shows the text", name, err)
		}
		if got, err := e.Text(); err != nil || string(got) != text {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
	if e, err := NewEditor([]byte("a = hunter2")); e != nil || err == nil {
		t.Errorf("got %v, %v", e, err)
	}
}

// TestSeveralEdits: changes of one text, and changes that contradict each other.
func TestSeveralEdits(t *testing.T) {
	const text = "[m.x]\n[g]\na = ['x', 'y']\nb = ['x']\n"
	for name, tt := range map[string]struct {
		edits []edit
		want  string
	}{
		"apart":             {[]edit{dropFrom("g/b", "x"), remove("m/x"), dropFrom("g/a", "x")}, "[g]\na = ['y']\nb = []\n"},
		"one in the other":  {[]edit{dropFrom("g/b", "x"), remove("g")}, "[m.x]\n"},
		"written, removed":  {[]edit{replaceIn("g/b", "x", "z"), remove("g")}, ""},
		"renamed, removed":  {[]edit{rename("g/b", "x"), remove("g/b")}, ""},
		"a key added twice": {[]edit{addKey("g", "c", "x"), addKey("g", "c", "x")}, ""},
	} {
		e, err := NewEditor([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		for _, edit := range tt.edits {
			if err := edit(e); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if got, err := e.Text(); (err == nil) != (tt.want != "") || string(got) != tt.want {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
}
