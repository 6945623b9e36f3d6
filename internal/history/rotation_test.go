package history

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// writeAs is one write that change has shaped.
func (e *environment) writeAs(name string, change func(r *Record)) *environment {
	e.t.Helper()
	e.writes++
	r := record(name, e.writes)
	r.Keys = Keys{}
	change(&r)
	data, err := Parse(e.data).Append(r, e.file, e.known)
	if err != nil {
		e.t.Fatal(err)
	}
	e.data, e.file = data, r.File
	e.git[e.file] = true
	return e
}

func (e *environment) mark(name, who string, keys ...string) *environment {
	e.t.Helper()
	return e.writeAs(name, func(r *Record) { r.Action, r.Rotate, r.Readers.Lost = "rekey", keys, []string{who} })
}

func (e *environment) change(name string, keys ...string) *environment {
	e.t.Helper()
	return e.writeAs(name, func(r *Record) { r.Keys.Changed = keys })
}

func (e *environment) rotation() Rotation { return Parse(e.data).Rotation(e.file, e.known) }

// left reads "KEY: who, who; KEY: who".
func (e *environment) left() string {
	var all []string
	for _, m := range e.rotation().Marks {
		var who []string
		for _, r := range m.Records {
			who = append(who, r.Readers.Lost...)
		}
		all = append(all, m.Key+": "+strings.Join(who, ", "))
	}
	return strings.Join(all, "; ")
}

func TestMarks(t *testing.T) {
	for name, c := range map[string]struct {
		make func(e *environment)
		want string
	}{
		"none":           {func(e *environment) { e.change("1", "A") }, ""},
		"marked":         {func(e *environment) { e.mark("1", "bob", "B", "A") }, "A: bob; B: bob"},
		"changed later":  {func(e *environment) { e.mark("1", "bob", "A", "B").change("2", "A") }, "B: bob"},
		"changed before": {func(e *environment) { e.change("1", "A").mark("2", "bob", "A") }, "A: bob"},
		"changed in the same write": {func(e *environment) {
			e.writeAs("1", func(r *Record) {
				r.Rotate, r.Keys.Changed, r.Readers.Lost = []string{"A"}, []string{"A"}, []string{"bob"}
			})
		}, "A: bob"},
		"removed later": {func(e *environment) {
			e.mark("1", "bob", "A").writeAs("2", func(r *Record) { r.Keys.Removed = []string{"A"} })
		}, ""},
		"added later": {func(e *environment) {
			e.mark("1", "bob", "A").writeAs("2", func(r *Record) { r.Keys.Added = []string{"A"} })
		}, ""},
		"twice":             {func(e *environment) { e.mark("1", "bob", "A").mark("2", "carol", "A") }, "A: bob, carol"},
		"changed between":   {func(e *environment) { e.mark("1", "bob", "A").change("2", "A").mark("3", "carol", "A") }, "A: carol"},
		"marked anew later": {func(e *environment) { e.mark("1", "bob", "A").change("2", "A").mark("3", "carol", "B") }, "B: carol"},
		"changed on another branch": {func(e *environment) {
			e.change("0", "A")
			b := e.branch().change("b", "A")
			e.mark("a", "bob", "A").merge(b)
		}, "A: bob"},
		"and after the merge, of something else": {func(e *environment) {
			e.change("0", "A")
			b := e.branch().change("b", "A")
			e.mark("a", "bob", "A").merge(b).change("2", "B")
		}, "A: bob"},
		"changed after the merge": {func(e *environment) {
			e.change("0", "A")
			b := e.branch().change("b", "B")
			e.mark("a", "bob", "A").merge(b).change("2", "A")
		}, ""},
		"changed on the branch of the mark": {func(e *environment) {
			e.change("0", "A")
			b := e.branch().mark("b", "bob", "A").change("b2", "A")
			e.change("a", "B").merge(b)
		}, ""},
		"changed on one of the branches after the mark": {func(e *environment) {
			e.mark("0", "bob", "A")
			b := e.branch().change("b", "A")
			e.change("a", "B").merge(b)
		}, ""},
		"the change was interrupted": {func(e *environment) {
			e.mark("1", "bob", "KEY_2").begin("2")
		}, "KEY_2: bob"},
		"the change was interrupted, and another written": {func(e *environment) {
			e.mark("1", "bob", "KEY_2").begin("2")
			e.change("3", "B")
		}, "KEY_2: bob"},
		"the mark was interrupted": {func(e *environment) {
			e.change("1", "A")
			file := e.file
			e.mark("2", "bob", "A")
			delete(e.git, e.file)
			e.file = file
		}, ""},
		"the mark was interrupted, and another written": {func(e *environment) {
			e.change("1", "A")
			file := e.file
			e.mark("2", "bob", "A")
			delete(e.git, e.file)
			e.file = file
			e.change("3", "B")
		}, ""},
		"a change that nothing speaks for": {func(e *environment) {
			e.mark("1", "bob", "A")
			forged := e.branch()
			forged.git = map[string]bool{}
			forged.change("x", "A")
			e.change("2", "B").merge(forged)
		}, "A: bob"},
		"a mark that nothing speaks for": {func(e *environment) {
			e.change("1", "A")
			forged := e.branch()
			forged.git = map[string]bool{}
			forged.mark("x", "bob", "A")
			e.change("2", "B").merge(forged)
		}, "A: bob"},
		"a line was removed between": {func(e *environment) {
			e.mark("1", "bob", "A").change("2", "B").change("3", "A")
			all := lines(e.data)
			e.data = join(slices.Delete(all, 1, 2))
		}, "A: bob"},
		"an unreadable line": {func(e *environment) {
			e.mark("1", "bob", "A")
			e.data = append(e.data, "{\"seq\":1,\"keys\":{\"changed\":[\"A\"]}}\n"...)
		}, "A: bob"},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnvironment(t)
			c.make(e)
			if got := e.left(); got != c.want {
				t.Errorf("%q, not %q, of\n%s", got, c.want, e.data)
			}
		})
	}
}

func TestMarksOfManyKeys(t *testing.T) {
	e := newEnvironment(t)
	var keys, changed []string
	for i := range 3 * block {
		keys = append(keys, fmt.Sprintf("KEY_%04d", i))
		if i%3 == 0 {
			changed = append(changed, keys[i])
		}
	}
	e.mark("1", "bob", keys...).change("2", changed...)
	var got []string
	for _, m := range e.rotation().Marks {
		got = append(got, m.Key)
	}
	want := slices.DeleteFunc(keys, func(key string) bool { return slices.Contains(changed, key) })
	if !slices.Equal(got, want) {
		t.Errorf("%d keys, not %d", len(got), len(want))
	}
}

func TestOverlaps(t *testing.T) {
	until := start.Add(24 * time.Hour)
	rotate := func(e *environment, name string, until time.Time, added ...string) *environment {
		return e.writeAs(name, func(r *Record) {
			r.Action, r.Until = ActionRotate, until
			r.Keys = Keys{Added: added, Changed: []string{"A", "B"}}
		})
	}
	for name, c := range map[string]struct {
		make func(e *environment)
		want string
	}{
		"open":         {func(e *environment) { rotate(e, "1", until, "A_PREVIOUS") }, "A_PREVIOUS of A 24h"},
		"several":      {func(e *environment) { rotate(e, "1", until, "B_PREVIOUS", "A_PREVIOUS") }, "A_PREVIOUS of A 24h, B_PREVIOUS of B 24h"},
		"no end":       {func(e *environment) { rotate(e, "1", time.Time{}, "A_PREVIOUS") }, ""},
		"another name": {func(e *environment) { rotate(e, "1", until, "A_NEW", "C_PREVIOUS") }, ""},
		"another action": {func(e *environment) {
			rotate(e, "1", until)
			e.writeAs("2", func(r *Record) { r.Until, r.Keys = until, Keys{Added: []string{"A_PREVIOUS"}, Changed: []string{"A"}} })
		}, ""},
		"removed": {func(e *environment) {
			rotate(e, "1", until, "A_PREVIOUS", "B_PREVIOUS").writeAs("2", func(r *Record) { r.Keys.Removed = []string{"A_PREVIOUS"} })
		}, "B_PREVIOUS of B 24h"},
		"changed": {func(e *environment) { rotate(e, "1", until, "A_PREVIOUS").change("2", "A_PREVIOUS") }, ""},
		"replaced": {func(e *environment) {
			rotate(e, "1", until, "A_PREVIOUS").writeAs("2", func(r *Record) {
				r.Action, r.Until, r.Keys.Changed = ActionRotate, until.Add(time.Hour), []string{"A", "A_PREVIOUS"}
			})
		}, "A_PREVIOUS of A 25h"},
		"on two branches": {func(e *environment) {
			e.change("0", "A")
			b := rotate(e.branch(), "b", until.Add(time.Hour), "A_PREVIOUS")
			rotate(e, "1", until, "A_PREVIOUS").merge(b)
		}, "A_PREVIOUS of A 25h"},
		"interrupted": {func(e *environment) {
			e.change("0", "A")
			file := e.file
			rotate(e, "1", until, "A_PREVIOUS")
			delete(e.git, e.file)
			e.file = file
		}, ""},
		"nothing speaks for it": {func(e *environment) {
			e.change("1", "A")
			forged := e.branch()
			forged.git = map[string]bool{}
			rotate(forged, "x", until, "A_PREVIOUS")
			e.change("2", "B").merge(forged)
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnvironment(t)
			c.make(e)
			var all []string
			for _, o := range e.rotation().Overlaps {
				all = append(all, fmt.Sprintf("%s of %s %gh", o.Key, o.Of(), o.Until.Sub(start).Hours()))
				if o.Due(o.Until.Add(-time.Second)) || !o.Due(o.Until) {
					t.Error("due at another time")
				}
			}
			if got := strings.Join(all, ", "); got != c.want {
				t.Errorf("%q, not %q, of\n%s", got, c.want, e.data)
			}
		})
	}
}

func TestAges(t *testing.T) {
	e := newEnvironment(t)
	e.change("1", "A", "B").change("2", "A").begin("3") // which never took place
	r := e.rotation()
	var got []string
	for _, c := range r.Changes {
		got = append(got, fmt.Sprintf("%s %gh", c.Key, c.Record.Time.Sub(start).Hours()))
	}
	if want := "A 2h, B 1h"; strings.Join(got, ", ") != want || !r.Begin.Equal(start.Add(time.Hour)) {
		t.Errorf("%q from %v on, not %q", got, r.Begin, want)
	}
	if empty := Parse(nil).Rotation("", nil); !empty.Begin.IsZero() || len(empty.Changes)+len(empty.Marks)+len(empty.Overlaps) > 0 {
		t.Errorf("%+v", empty)
	}
}

// A hostile history is as large as a history may be, forks at every line, and marks and
// writes as many keys as there is room for. It is read in the end, which it would not be in
// a time that grows with the square of anything.
func TestHostileRotation(t *testing.T) {
	const size, keysPerLine = 50_000, 4
	var data bytes.Buffer
	sums := make([]string, 0, size)
	for i := range size {
		r := Record{Seq: i + 1, Time: start.Add(time.Duration(i) * time.Second), File: Sum(fmt.Append(nil, i))}
		if i > 0 {
			r.Prev = sums[i-1-i%min(i, 7)]
			if i > 1 {
				r.Also = []string{sums[i/2]}
			}
		}
		var keys []string
		for k := range keysPerLine {
			keys = append(keys, fmt.Sprintf("K%d", i%(size/2)*keysPerLine+k))
		}
		if i < size/2 {
			r.Rotate = keys
		} else {
			r.Keys.Changed = keys
		}
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		sums = append(sums, Sum(text))
		data.Write(append(text, '\n'))
	}
	l := Parse(data.Bytes())
	r := l.Rotation(l.lines[size-1].File, nil)
	settled := size/2*keysPerLine - len(r.Marks)
	if len(r.Changes) == 0 || settled < size/4 {
		t.Errorf("%d changes, %d marks settled", len(r.Changes), settled)
	}
}
