package tomltree

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// meaning is what a node means, in a form that a test changes and compares.
type meaning struct {
	Value    any // of neither a table nor a list
	IsList   bool
	List     []*meaning
	Tables   map[string]*meaning // nil for what is no table
	implicit bool                // gone when it is empty
}

func meaningOf(n *Node) *meaning {
	m := &meaning{implicit: n.origin == byDots || n.origin == byInnerHeader}
	if n.IsTable() {
		m.Tables = make(map[string]*meaning)
		for _, name := range n.Names {
			m.Tables[name] = meaningOf(n.Get(name))
		}
		return m
	}
	items, isList := n.Value.([]*Node)
	if m.IsList = isList; !isList {
		m.Value = n.Value
		return m
	}
	for _, item := range items {
		m.List = append(m.List, meaningOf(item))
	}
	return m
}

func (m *meaning) get(path []string) *meaning {
	for _, name := range path {
		if m = m.Tables[name]; m == nil {
			return nil
		}
	}
	return m
}

// make returns the table at a path, new if need be.
func (m *meaning) make(path []string) *meaning {
	for _, name := range path {
		if m.Tables[name] == nil {
			m.Tables[name] = &meaning{Tables: make(map[string]*meaning)}
		}
		m = m.Tables[name]
	}
	return m
}

func (m *meaning) remove(path []string) {
	for n := len(path); n > 0; n-- {
		table := m.get(path[:n-1])
		delete(table.Tables, path[n-1])
		if !table.implicit || len(table.Tables) > 0 {
			return
		}
	}
}

func (m *meaning) drop(s string) {
	m.List = slices.DeleteFunc(m.List, func(item *meaning) bool { return item.Value == s })
	for _, item := range m.List {
		if item.IsList {
			item.drop(s)
		}
	}
}

func (m *meaning) replace(old, new string) {
	for _, item := range m.List {
		if item.Value == old {
			item.Value = new
		} else if item.IsList {
			item.replace(old, new)
		}
	}
}

// clear forgets how tables came to be, and what a list is that has nothing.
func (m *meaning) clear() *meaning {
	m.implicit = false
	if len(m.List) == 0 {
		m.List = nil
	}
	for _, item := range m.List {
		item.clear()
	}
	for _, item := range m.Tables {
		item.clear()
	}
	return m
}

// paths returns those of all that is not in a list.
func paths(n *Node, at []string) [][]string {
	var found [][]string
	for _, name := range n.Names {
		path := append(slices.Clone(at), name)
		found = append(append(found, path), paths(n.Get(name), path)...)
	}
	return found
}

// subsequence reports whether b is a with bytes left out.
func subsequence(a, b []byte) bool {
	for _, c := range a {
		if len(b) > 0 && b[0] == c {
			b = b[1:]
		}
	}
	return len(b) == 0
}

// applyEdit does the edit of a number to a text and to what it means.
func applyEdit(e *Editor, m *meaning, kind byte, path []string, s, old string) error {
	var err error
	switch at := m.get(path); kind % 7 {
	case 0:
		if err = e.Append(path, s, old); err == nil {
			at.List = append(at.List, &meaning{Value: s}, &meaning{Value: old})
		}
	case 1:
		if err = e.Drop(path, old); err == nil {
			at.drop(old)
		}
	case 2:
		if err = e.Replace(path, old, s); err == nil {
			at.replace(old, s)
		}
	case 3:
		if err = e.Remove(path); err == nil {
			m.remove(path)
		}
	case 4:
		if err = e.Rename(path, s); err == nil {
			parent := m.get(path[:len(path)-1])
			delete(parent.Tables, path[len(path)-1])
			parent.Tables[s] = at
		}
	case 5:
		if err = e.AddKey(path, Pair{s, old}); err == nil {
			at.Tables[s] = &meaning{Value: old}
		}
	case 6:
		path = append(slices.Clone(path), s, s)
		if err = e.AddTable(path, path[:1], []string{old}, Pair{s, []string{old}}); err == nil {
			m.make(path).Tables[s] = &meaning{IsList: true, List: []*meaning{{Value: old}}}
		}
	}
	return err
}

// strings returns all strings in lists.
func (m *meaning) strings() []string {
	var found []string
	for _, item := range m.List {
		if s, ok := item.Value.(string); ok {
			found = append(found, s)
		}
		found = append(found, item.strings()...)
	}
	return found
}

// FuzzEdit: after an edit a text means what it meant, but for that change, and has all
// its bytes but those removed; or there is an error and no change.
func FuzzEdit(f *testing.F) {
	for kind := range byte(7) {
		f.Add([]byte("# c\nv = 1\n[m.a] # c\nk = ['x', \"y\"]\n# b\n\n[m.'b']\nk = [\n 'x', # x\n \"y\"\n]\n# g\n[g]\na = [[\"x\"],['y',]]\nb.c = {d = 1, e.f = [ ]}\n[[l]]\n[l.b]\n"), kind, byte(5), byte(0), "n")
		f.Add([]byte("\ufeffm = { a = {\r\nk = ['x' # c\r\n, \"y\"]}, b.k = [], }\r\ng.a = [\"x\",\r\n]\r\ng.b = [\"\"\"\r\nx\"\"\"]"), kind, byte(2), byte(0), "a.b")
	}
	f.Fuzz(func(t *testing.T, text []byte, kind, place, which byte, s string) {
		e, err := NewEditor(text)
		if err != nil || len(text) > 1<<12 || len(s) > 1<<8 {
			return
		}
		all := paths(e.root, nil)
		if len(all) == 0 {
			return
		}
		m := meaningOf(e.root)
		path, old := all[int(place)%len(all)], "x"
		if known := m.get(path).strings(); len(known) > 0 {
			old = known[int(which)%len(known)]
		}
		err = applyEdit(e, m, kind, path, s, old)
		got, textErr := e.Text()
		if textErr != nil {
			t.Fatalf("%q: %d of %q: %v, %v", text, kind%7, path, err, textErr)
		}
		var form *FormError
		switch {
		case err == nil:
		case string(got) != string(text):
			t.Errorf("%q: changed, and %v", text, err)
		case errors.As(err, &form) && (form.Line < 1 || form.Line > 1+strings.Count(string(text), "\n")),
			form == nil && utf8.ValidString(s) && !errors.Is(err, ErrMissing) && !errors.Is(err, ErrExists):
			t.Errorf("%q: %d of %q: got %v", text, kind%7, path, err)
		}
		root, err := Parse(got)
		if err != nil || !reflect.DeepEqual(meaningOf(root).clear(), m.clear()) {
			t.Errorf("%d of %q with %q, %q:\n%q became\n%q, %v", kind%7, path, s, old, text, got, err)
		}
		switch kind % 7 {
		case 0, 5, 6:
			if !subsequence(got, text) {
				t.Errorf("%d of %q: %q lost something: %q", kind%7, path, text, got)
			}
		case 1, 3:
			if !subsequence(text, got) {
				t.Errorf("%d of %q: %q gained something: %q", kind%7, path, text, got)
			}
		}
	})
}

// TestHostileEdits: what a repository may bring takes moments to edit, too.
func TestHostileEdits(t *testing.T) {
	const size = 1 << 18
	for name, text := range map[string]string{
		"strings":         "a=[" + strings.Repeat(`"x",`, size/4) + "]",
		"lines":           "a=[" + strings.Repeat("\"x\",\n", size/5) + "]",
		"comments":        "a=['x'," + strings.Repeat("#\n", size/2) + "]",
		"blanks":          "a=['x'" + strings.Repeat(" ", size) + ",'x']",
		"blanks at lines": "a=[" + strings.Repeat("'x',"+strings.Repeat(" ", 1<<10)+"\n", size/(1<<10)) + "]",
		"long line":       "a=[" + strings.Repeat("'x',#", 1) + strings.Repeat("x", size) + "\n'x']",
		"lists in lists":  "a=" + strings.Repeat("['x',", 9999) + strings.Repeat("]", 9999),
		"dots":            "a" + strings.Repeat(".a", size/2) + "=1",
		"tables":          strings.Repeat("[[a.b]]\n", size/8),
		"tables, comment": strings.Repeat("#\n", size/4) + strings.Repeat("[[a.b]]\n", size/16),
		"dotted keys":     "[" + strings.Repeat("a.", size/4) + "a]\n" + strings.Repeat("[[b]]\nx.y={z={}}\n", size/32),
		"inline tables":   "a=" + strings.Repeat("{a=", 9999) + "1" + strings.Repeat("}", 9999),
	} {
		start := time.Now()
		for kind := range byte(7) {
			e, err := NewEditor([]byte(text))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			switch path := []string{"a"}; kind {
			case 0:
				err = e.Append(path, "x", "y")
			case 1:
				err = e.Drop(path, "x")
			case 2:
				err = e.Replace(path, "x", "y")
			case 3:
				err = e.Remove(path)
			case 4:
				err = e.Rename(path, "n")
			case 5:
				err = e.AddKey(path, Pair{"n", "x"})
			case 6:
				err = e.AddTable([]string{"n"}, path, nil)
			}
			if _, textErr := e.Text(); textErr != nil {
				t.Errorf("%s: %d: %v, %v", name, kind, err, textErr)
			}
		}
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("%s: %v", name, took)
		} else {
			t.Logf("%s: %v", name, took)
		}
	}
}
