package history

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Newest are the records, newest first: a record always before those that it follows,
// whatever the clocks said, and those of two branches by time.
func (l *Log) Newest() []Record {
	waiting := make([]int, len(l.lines)) // children that are still to come
	var ready []int                      // ascending, so that the newest is last
	push := func(i int) {
		at, _ := slices.BinarySearchFunc(ready, i, l.compare)
		ready = slices.Insert(ready, at, i)
	}
	for i := range l.lines {
		if waiting[i] = l.lines[i].children; waiting[i] == 0 {
			push(i)
		}
	}
	records := make([]Record, 0, len(l.lines))
	for len(ready) > 0 {
		i := ready[len(ready)-1]
		ready = ready[:len(ready)-1]
		if l.lines[i].readable {
			records = append(records, l.lines[i].Record)
		}
		for _, p := range l.lines[i].follows {
			if waiting[p]--; waiting[p] == 0 {
				push(p)
			}
		}
	}
	return records
}

func (l *Log) compare(a, b int) int {
	x, y := &l.lines[a], &l.lines[b]
	return cmp.Or(x.Time.Compare(y.Time), cmp.Compare(x.Seq, y.Seq), cmp.Compare(a, b))
}

// Filter chooses records. Its zero value chooses all.
type Filter struct {
	Key   string    // that it added, changed or removed
	Since time.Time // or later
}

// Apply returns the chosen ones in their order.
func (f Filter) Apply(records []Record) []Record {
	var chosen []Record
	for _, r := range records {
		if f.match(r) {
			chosen = append(chosen, r)
		}
	}
	return chosen
}

func (f Filter) match(r Record) bool {
	if r.Time.Before(f.Since) {
		return false
	}
	return f.Key == "" || slices.ContainsFunc(r.Keys.changes(), func(c Change) bool { return c.Key == f.Key })
}

// Change is what last happened to a key.
type Change struct {
	Key    string
	What   What
	Record Record
}

// What happened to a key.
type What string

const (
	WasAdded   What = "added"
	WasChanged What = "changed"
	WasRemoved What = "removed"
)

func (k Keys) changes() []Change {
	var changes []Change
	for _, c := range []struct {
		what  What
		names []string
	}{{WasAdded, k.Added}, {WasChanged, k.Changed}, {WasRemoved, k.Removed}} {
		for _, name := range c.names {
			changes = append(changes, Change{Key: name, What: c.what})
		}
	}
	return changes
}

// LastChange returns, sorted by key, the first that each has in records, which are
// [Log.Newest] or a choice of them. Writes that never took place do not count. A key that
// is older than its history is not in it.
func LastChange(newest []Record) []Change {
	seen := make(map[string]bool)
	var last []Change
	for _, r := range newest {
		if r.Void {
			continue
		}
		for _, c := range r.Keys.changes() {
			if !seen[c.Key] {
				seen[c.Key] = true
				c.Record = r
				last = append(last, c)
			}
		}
	}
	slices.SortFunc(last, func(a, b Change) int { return strings.Compare(a.Key, b.Key) })
	return last
}
