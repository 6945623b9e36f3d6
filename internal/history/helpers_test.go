package history

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

var start = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

// environment is an environment file with its history, and what git has of the file.
type environment struct {
	t      *testing.T
	data   []byte
	file   string // its sum
	git    map[string]bool
	writes int
}

func newEnvironment(t *testing.T) *environment {
	return &environment{t: t, git: make(map[string]bool)}
}

func (e *environment) known(file string) bool { return e.git[file] }

func record(name string, n int) Record {
	return Record{
		Time:   start.Add(time.Duration(n) * time.Hour),
		Actor:  Actor{Member: "alice", User: "al", Host: "laptop"},
		Action: "set",
		Keys:   Keys{Changed: []string{"KEY_" + name}},
		File:   Sum([]byte("file " + name)),
	}
}

// begin writes the history only, as a crash would leave it.
func (e *environment) begin(name string) Record {
	e.t.Helper()
	e.writes++
	r := record(name, e.writes)
	data, err := Parse(e.data).Append(r, e.file, e.known)
	if err != nil {
		e.t.Fatal(err)
	}
	e.data = data
	return r
}

// write writes both, and commits.
func (e *environment) write(names ...string) *environment {
	e.t.Helper()
	for _, name := range names {
		e.file = e.begin(name).File
		e.git[e.file] = true
	}
	return e
}

func (e *environment) branch() *environment {
	b := *e
	b.data = bytes.Clone(e.data)
	return &b // with the same git
}

// merge appends what only the other has, as git's union driver does, and keeps our file.
func (e *environment) merge(other *environment) *environment {
	ours := lines(e.data)
	for _, line := range lines(other.data) {
		if !slices.Contains(ours, line) {
			e.data = append(e.data, line+"\n"...)
		}
	}
	e.writes = max(e.writes, other.writes)
	return e
}

func lines(data []byte) []string {
	return strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
}

func join(lines []string) []byte { return []byte(strings.Join(lines, "\n") + "\n") }

func (e *environment) kinds() string { return kinds(Parse(e.data).Verify(e.file, e.known)) }

func kinds(problems []Problem) string {
	var all []string
	for _, p := range problems {
		all = append(all, fmt.Sprintf("%d %s", p.Line, p.Kind))
	}
	return strings.Join(all, ", ")
}

func (e *environment) expect(want string) {
	e.t.Helper()
	if got := e.kinds(); got != want {
		e.t.Errorf("found %q, not %q, in\n%s", got, want, e.data)
	}
}

func (e *environment) last() Record {
	e.t.Helper()
	records := Parse(e.data).Records()
	return records[len(records)-1]
}

// linear has 12 records; so have the others.
func linear(t *testing.T) *environment {
	e := newEnvironment(t)
	for i := range 12 {
		e.write(fmt.Sprint(i))
	}
	return e
}

// unjoined is five records, then two branches.
func unjoined(t *testing.T) *environment {
	e := newEnvironment(t).write("0", "1", "2", "3", "4")
	b := e.branch().write("b1", "b2", "b3")
	return e.write("a1", "a2", "a3", "a4").merge(b)
}

// joined is five records, two branches, and two records on both.
func joined(t *testing.T) *environment {
	e := newEnvironment(t).write("0", "1", "2", "3", "4")
	b := e.branch().write("b1", "b2")
	return e.write("a1", "a2", "a3").merge(b).write("8", "9")
}
