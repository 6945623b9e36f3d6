package history

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// ActionRotate is the Action of a record that gave keys new values, or ended an overlap.
const ActionRotate = "rotate"

// PreviousSuffix ends the name of the key that keeps another's old value for a while.
const PreviousSuffix = "_PREVIOUS"

// Rotation is what a history says of the values that are due for new ones.
type Rotation struct {
	Marks    []Mark    // sorted by key
	Overlaps []Overlap // sorted by key
	Changes  []Change  // as of [LastChange], the writes that took place
	Begin    time.Time // of the first record: what has no Change is older; zero without a record
}

// Mark is a key whose value somebody who lost access has been able to read, and that nobody
// has changed, added or removed since.
type Mark struct {
	Key     string
	Records []*Record // that say so, in their order; their Readers.Lost are who left
}

// Overlap is an old value that is still beside the new one.
type Overlap struct {
	Key    string // the one that keeps it; [Overlap.Of] is the one that it belonged to
	Until  time.Time
	Record *Record
}

// Of is the key whose old value it is.
func (o Overlap) Of() string { return strings.TrimSuffix(o.Key, PreviousSuffix) }

// Due tells whether the old value is to be removed.
func (o Overlap) Due(now time.Time) bool { return !now.Before(o.Until) }

// Rotation reads the history for what is to be rotated. File and known are as for
// [Log.Verify].
//
// A mark is settled by a later write of that key: one that descends from the record with
// the mark. A write on another branch may have been made with the old readers still there,
// and does not settle it; nor does one that was interrupted, or that nothing speaks for
// (see [Inserted]). In doubt a mark stays: what was cut off by a removed line can be settled
// only once the line is restored.
//
// The time is that of reading the history, and of one pass over its chain for each 512
// keys that are marked.
func (l *Log) Rotation(file string, known func(string) bool) Rotation {
	if known == nil {
		known = knowsNothing
	}
	h := l.heads(file, known)
	s := settling{log: l, keys: make(map[string]int), believed: l.believed(h)}
	s.openAll(h.unfinished)
	r := Rotation{Changes: LastChange(l.newest(s.believed))}
	if i := slices.IndexFunc(l.lines, func(n line) bool { return n.readable }); i >= 0 {
		r.Begin = l.lines[i].Time
	}
	left := s.unsettled()
	for _, key := range slices.Sorted(maps.Keys(s.keys)) {
		l.sort(&r, key, left[s.keys[key]])
	}
	return r
}

// sort adds what is left open of a key. Of the overlaps that a merge has brought together,
// the longest counts.
func (l *Log) sort(r *Rotation, key string, left []opening) {
	mark, overlap := Mark{Key: key}, Overlap{Key: key}
	for _, o := range left {
		n := &l.lines[o.line].Record
		switch {
		case !o.overlap:
			mark.Records = append(mark.Records, n)
		case n.Until.After(overlap.Until):
			overlap.Until, overlap.Record = n.Until, n
		}
	}
	if mark.Records != nil {
		r.Marks = append(r.Marks, mark)
	}
	if overlap.Record != nil {
		r.Overlaps = append(r.Overlaps, overlap)
	}
}

// overlaps are the keys in which a rotation keeps old values.
func (r *Record) overlaps() []string {
	if r.Action != ActionRotate || r.Until.IsZero() {
		return nil
	}
	changed := make(map[string]bool, len(r.Keys.Changed))
	for _, key := range r.Keys.Changed {
		changed[key] = true
	}
	var kept []string
	for _, names := range [][]string{r.Keys.Added, r.Keys.Changed} {
		for _, name := range names {
			if of, ok := strings.CutSuffix(name, PreviousSuffix); ok && changed[of] {
				kept = append(kept, name)
			}
		}
	}
	return kept
}

// believed are the lines whose writes took place, by what there is now: the ends of the
// chain that the next record would follow, and all before them.
func (l *Log) believed(h heads) []bool {
	believed := make([]bool, len(l.lines))
	todo := slices.Concat(h.current, h.unfinished, h.single, h.merged)
	for _, i := range todo {
		believed[i] = true
	}
	for len(todo) > 0 {
		i := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, p := range l.lines[i].follows {
			if !believed[p] {
				believed[p] = true
				todo = append(todo, p)
			}
		}
	}
	for i := range believed {
		believed[i] = believed[i] && l.lines[i].readable && !l.lines[i].Void
	}
	for _, i := range h.unfinished {
		believed[i] = false
	}
	return believed
}

// newest are the believed records of [Log.Newest].
func (l *Log) newest(believed []bool) []Record {
	at := make(map[int]bool, len(l.lines)) // by the number of the line
	for i, ok := range believed {
		at[l.lines[i].Line] = ok
	}
	return slices.DeleteFunc(l.Newest(), func(r Record) bool { return !at[r.Line] })
}

// settling finds which of many openings, each of a key at a line, no later line has closed
// by writing that key.
type settling struct {
	log      *Log
	believed []bool         // whose writes count
	keys     map[string]int // those that were opened, numbered
	openings [][]opening    // by key
}

type opening struct {
	line    int
	overlap bool // or a mark
}

// openAll opens what the lines say. That nothing speaks for a line is no reason not to
// rotate, and one not to remove anything.
func (s *settling) openAll(unfinished []int) {
	never := make(map[int]bool, len(unfinished))
	for _, i := range unfinished {
		never[i] = true
	}
	for i := range s.log.lines {
		n := &s.log.lines[i]
		if !n.readable || n.Void || never[i] {
			continue
		}
		for _, key := range n.Rotate {
			s.open(key, opening{line: i})
		}
		if s.believed[i] {
			for _, key := range n.overlaps() {
				s.open(key, opening{line: i, overlap: true})
			}
		}
	}
}

func (s *settling) open(key string, o opening) {
	k, ok := s.keys[key]
	if !ok {
		k = len(s.openings)
		s.keys[key] = k
		s.openings = append(s.openings, nil)
	}
	s.openings[k] = append(s.openings[k], o)
}

// block is how many keys a pass over the chain looks at.
const block = 512

// keySet is a set of the keys of one block.
type keySet [block / 64]uint64

func (s *keySet) add(key int)      { s[key%block/64] |= 1 << (key % 64) }
func (s *keySet) has(key int) bool { return s[key%block/64]&(1<<(key%64)) != 0 }
func (s *keySet) addAll(other *keySet) {
	for i := range s {
		s[i] |= other[i]
	}
}

// unsettled returns the openings that are left, by key.
func (s *settling) unsettled() [][]opening {
	order := s.log.latestFirst()
	written := make([]keySet, len(s.log.lines)) // by a line or one that descends from it
	later := make([]keySet, len(s.log.lines))   // by one that descends from it
	for b, writes := range s.writes() {
		if len(writes) == 0 {
			continue
		}
		clear(written)
		clear(later)
		for _, w := range writes {
			written[w.line].add(w.key)
		}
		for _, i := range order {
			written[i].addAll(&later[i])
			for _, p := range s.log.lines[i].follows {
				later[p].addAll(&written[i])
			}
		}
		for k := b * block; k < min((b+1)*block, len(s.openings)); k++ {
			s.openings[k] = slices.DeleteFunc(s.openings[k], func(o opening) bool { return later[o.line].has(k) })
		}
	}
	return s.openings
}

// place is a key that a line writes.
type place struct{ line, key int }

// writes are those of opened keys, by block.
func (s *settling) writes() [][]place {
	blocks := make([][]place, (len(s.openings)+block-1)/block)
	for i := range s.log.lines {
		if !s.believed[i] {
			continue
		}
		keys := &s.log.lines[i].Keys
		for _, names := range [][]string{keys.Added, keys.Changed, keys.Removed} {
			for _, name := range names {
				if k, ok := s.keys[name]; ok {
					blocks[k/block] = append(blocks[k/block], place{i, k})
				}
			}
		}
	}
	return blocks
}

// latestFirst are the lines in an order in which each comes before those that it follows.
func (l *Log) latestFirst() []int {
	waiting := make([]int, len(l.lines))
	for i := range l.lines {
		for _, p := range l.lines[i].follows {
			waiting[p]++
		}
	}
	order := make([]int, 0, len(l.lines))
	for i, n := range waiting {
		if n == 0 {
			order = append(order, i)
		}
	}
	for next := 0; next < len(order); next++ {
		for _, p := range l.lines[order[next]].follows {
			if waiting[p]--; waiting[p] == 0 {
				order = append(order, p)
			}
		}
	}
	return order
}
