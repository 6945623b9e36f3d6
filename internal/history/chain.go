package history

import "slices"

// line is a node of the chain. One that could not be read has only Line and Sum: it may
// be followed, and follows nothing.
type line struct {
	Record
	readable bool
	follows  []int // indexes of the lines that Prev and Also name
	gap      bool  // one of those is not there
	children int
	twin     int  // an earlier line that says it left the same file, or -1
	twinned  bool // either of such two
	edited   bool // see gap
	stump    bool // an end of the chain only because of a gap after it
}

// gap is a sum that lines follow and no line has.
type gap struct {
	child  int // the first line that names it
	edited int // the line that is probably there in its place, or -1
}

// parents are the sums of the lines that r follows.
func (r *Record) parents() []string {
	if r.Prev == "" {
		return r.Also
	}
	return append([]string{r.Prev}, r.Also...)
}

func (l *Log) link() {
	missing := make(map[string]bool)
	var broken []int
	for i := range l.lines {
		n := &l.lines[i]
		for _, sum := range n.parents() {
			p, ok := l.index[sum]
			switch {
			case !ok:
				n.gap = true
				if !missing[sum] {
					missing[sum] = true
					broken = append(broken, i)
				}
			case !slices.Contains(n.follows, p):
				n.follows = append(n.follows, p)
				l.lines[p].children++
			}
		}
	}
	l.markVoid()
	l.markTwins()
	l.explain(broken)
}

// markVoid believes that a write never took place if all who follow it say so: one forged
// line cannot take it out of the history.
func (l *Log) markVoid() {
	votes := make([]int, len(l.lines))
	for i := range l.lines {
		for _, p := range l.lines[i].follows {
			if slices.Contains(l.lines[i].Undone, l.lines[p].Sum) {
				votes[p]++
			}
		}
	}
	for p, n := range votes {
		l.lines[p].Void = n > 0 && n == l.lines[p].children
	}
}

// markTwins finds records of the same file. Every write has fresh nonces, so no two true
// ones leave the same bytes.
func (l *Log) markTwins() {
	seen := make(map[string]int, len(l.lines))
	for i := range l.lines {
		n := &l.lines[i]
		n.twin = -1
		if !n.readable || n.Void {
			continue
		}
		if first, ok := seen[n.File]; ok {
			n.twin, n.twinned, l.lines[first].twinned = first, true, true
		} else {
			seen[n.File] = i
		}
	}
}

// explain finds, for each gap, the line that was edited: one that the child followed and that
// nobody follows now. It goes backwards, since what an edited line says of the lines before
// it is not to be believed.
func (l *Log) explain(broken []int) {
	ends := make(map[int][]int) // by seq, the lines that nothing follows, in order
	nearest := make([]int, len(l.lines))
	last := -1
	for i := range l.lines {
		nearest[i] = last
		if n := &l.lines[i]; n.readable && n.children == 0 {
			last = i
			ends[n.Seq] = append(ends[n.Seq], i)
		}
	}
	for _, child := range slices.Backward(broken) {
		c := &l.lines[child]
		near := nearest[child]
		edited, stump := before(ends[c.Seq-1], child), -1
		switch {
		case edited >= 0:
		case child > 0 && l.lines[child-1].children == 0 && !l.seqFits(child-1):
			edited = child - 1
		case len(c.Also) > 0 && near >= 0 && (l.lines[near].Seq < c.Seq || !l.seqFits(near)):
			edited = near
		}
		switch {
		case edited >= 0 && l.lines[edited].edited:
			edited = -1
		case edited >= 0 && !l.seqFits(edited): // so it no longer follows what it did
			stump = before(ends[c.Seq-2], edited)
		case edited < 0 && near >= 0 && l.lines[near].Seq < c.Seq:
			stump = near
		}
		if stump >= 0 {
			l.lines[stump].stump = true
		}
		switch {
		case c.edited && edited >= 0:
			l.lines[edited].stump = true
		case c.edited:
		default:
			if edited >= 0 {
				l.disbelieve(edited)
			}
			l.breaks = append(l.breaks, gap{child, edited})
		}
	}
	slices.Reverse(l.breaks)
}

// disbelieve also keeps an edited line from passing for one that follows a later line.
func (l *Log) disbelieve(i int) {
	l.lines[i].edited = true
	for _, p := range l.lines[i].follows {
		if p > i {
			l.lines[p].children--
		}
	}
}

// before is the last of an ascending list that is less than i, or -1.
func before(list []int, i int) int {
	n, _ := slices.BinarySearch(list, i)
	if n == 0 {
		return -1
	}
	return list[n-1]
}

// seqFits also says yes where what the line follows is not all there.
func (l *Log) seqFits(i int) bool {
	n := &l.lines[i]
	if !n.readable {
		return false
	}
	want := 1
	for _, p := range n.follows {
		if !l.lines[p].readable {
			return true
		}
		want = max(want, l.lines[p].Seq+1)
	}
	return n.gap || n.Seq == min(want, maxSeq)
}

// replaced says whether a file is the one that a line's write was made over.
func (l *Log) replaced(i int, file string) bool {
	seen := map[int]bool{i: true}
	for todo := []int{i}; len(todo) > 0; {
		n := &l.lines[todo[0]]
		todo = todo[1:]
		if n.Found != "" {
			if n.Found == file || n.Found == None && file == "" {
				return true
			}
			continue
		}
		if file == "" && n.readable && len(n.follows) == 0 && !n.gap {
			return true
		}
		for _, p := range n.follows {
			switch {
			case !slices.Contains(n.Undone, l.lines[p].Sum):
				if l.lines[p].readable && l.lines[p].File == file {
					return true
				}
			case !seen[p]:
				seen[p] = true
				todo = append(todo, p)
			}
		}
	}
	return false
}

// heads are the ends of the chain, judged against the file that is there now.
type heads struct {
	current    []int // left that file
	merged     []int // left one that git knows: the end of a branch
	unfinished []int // never came to be: the file is still the one before
	single     []int // the only end, or the likeliest of many, though it left another file
	inserted   []int // nothing speaks for them
	disputed   []int // say what another line says too, which is a finding of its own
}

func (l *Log) heads(file string, known func(string) bool) heads {
	ends := l.ends()
	alone, described := 0, false
	for _, i := range ends {
		if !l.lines[i].stump {
			alone++
		}
		described = described || l.lines[i].File == file
	}
	var h heads
	for _, i := range ends {
		n := &l.lines[i]
		only := alone == 1 && !n.stump
		switch {
		case n.twinned && !only:
			h.disputed = append(h.disputed, i)
		case n.File == file:
			h.current = append(h.current, i)
		case !only && known(n.File):
			h.merged = append(h.merged, i)
		case !described && l.replaced(i, file) && !known(n.File):
			h.unfinished = append(h.unfinished, i)
		case only:
			h.single = append(h.single, i)
		case !n.stump:
			h.inserted = append(h.inserted, i)
		}
	}
	l.settle(&h, file, ends)
	return h
}

// settle finds, of the ends that are in doubt, one to go on from if there is no other.
func (l *Log) settle(h *heads, file string, ends []int) {
	likeliest := func(ends []int) int {
		return slices.MaxFunc(ends, func(a, b int) int { return l.lines[a].Seq - l.lines[b].Seq })
	}
	other := func(i int) bool { return l.lines[i].File != file }
	claims := slices.DeleteFunc(slices.Clone(h.disputed), other)
	switch {
	case len(h.current) == 0 && len(claims) > 0:
		h.current = []int{likeliest(claims)}
	case len(ends) == 0 || len(h.current)+len(h.merged)+len(h.unfinished)+len(h.single) > 0:
	case len(h.inserted) > 0:
		best := likeliest(h.inserted)
		h.single = []int{best}
		h.inserted = slices.DeleteFunc(h.inserted, func(i int) bool { return i == best })
	default:
		h.single = []int{likeliest(ends)}
	}
}

// ends are the records that nothing follows, but for edited ones, if there are others.
func (l *Log) ends() []int {
	var ends, edited []int
	for i := range l.lines {
		switch n := &l.lines[i]; {
		case !n.readable || n.children > 0:
		case n.edited:
			edited = append(edited, i)
		default:
			ends = append(ends, i)
		}
	}
	if len(ends) == 0 {
		return edited
	}
	return ends
}

func knowsNothing(string) bool { return false }
