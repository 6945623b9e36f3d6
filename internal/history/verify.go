package history

import (
	"cmp"
	"fmt"
	"slices"
)

// Problem is one finding. Text is lower case, quotes nothing from the history and is safe
// to print.
type Problem struct {
	Line int    `json:"line,omitempty"` // from 1; 0 if it is about no line
	Kind Kind   `json:"kind"`
	Text string `json:"text"`
}

// Kind is a stable name for what was found.
type Kind string

const (
	Edited     Kind = "edited line"
	Removed    Kind = "removed line"
	Reordered  Kind = "reordered line"
	Inserted   Kind = "inserted line"
	Duplicated Kind = "duplicated line"
	Unreadable Kind = "unreadable line"
	Conflict   Kind = "conflict marker"
	WrongSeq   Kind = "wrong sequence number"
	SameFile   Kind = "file described twice"
	NotUndone  Kind = "write falsely called undone"
	Outside    Kind = "changed outside envcrypt"
	Missing    Kind = "missing history"
	Unfinished Kind = "unfinished write"
)

// Hint is what to do about a finding.
func (k Kind) Hint() string {
	switch k {
	case Unfinished, Duplicated:
		return "the next write to this environment mends it"
	case Conflict:
		return "keep the lines of both sides and delete the markers; merge=union for this file in .gitattributes does that by itself"
	case Inserted:
		return "no line follows it: find with git log who added it, then delete it; in a shallow clone, fetch the whole history first"
	case Outside:
		return "find with git log who changed the file; \"envcrypt seal\", or the next write, records that it found it so"
	case SameFile:
		return "one of the two is forged: find with git log -p which one was added later, and delete it if no line follows it"
	case Missing:
		return "the next write starts one; if there was one, restore it from git"
	default:
		return "find with git log -p which change did it, and put the lines back as they were; later ones stay valid"
	}
}

// Mends says whether the next write removes the finding without losing anything.
func (k Kind) Mends() bool { return k == Unfinished || k == Duplicated }

// Verify returns what is wrong, in the order of the lines; nothing if all is well. Current is
// the [Sum] of the environment file, "" if there is none. Known says whether that file has
// ever had content of a given sum, in any revision that git still has; nil stands for a
// place without git. It is asked only after a merge or where the last line does not
// describe the file.
func (l *Log) Verify(current string, known func(file string) bool) []Problem {
	if known == nil {
		known = knowsNothing
	}
	var v verdict
	if len(l.conflicts) > 0 {
		v.add(l.conflicts[0], Conflict, "git conflict marker")
	}
	for _, c := range l.copies {
		v.add(c.number, Duplicated, "a copy of line %d", c.of)
	}
	for i := range l.lines {
		l.verifyLine(&v, i, known)
	}
	for _, b := range l.breaks {
		l.verifyGap(&v, b)
	}
	l.verifyFile(&v, current, known)
	slices.SortStableFunc(v.problems, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	return v.problems
}

type verdict struct{ problems []Problem }

func (v *verdict) add(number int, kind Kind, format string, args ...any) {
	v.problems = append(v.problems, Problem{number, kind, fmt.Sprintf(format, args...)})
}

func (l *Log) verifyLine(v *verdict, i int, known func(string) bool) {
	n := &l.lines[i]
	if !n.readable {
		v.add(n.Line, Unreadable, "not a history record")
		return
	}
	if n.edited { // found, and nothing that it says is to be believed
		return
	}
	if p := slices.Max(append(n.follows, 0)); p > i {
		v.add(n.Line, Reordered, "it stands before line %d, which it was written after", l.lines[p].Line)
	}
	if !l.seqFits(i) {
		v.add(n.Line, WrongSeq, "its sequence number is not one more than that of the line it follows")
	}
	if n.twin >= 0 {
		v.add(n.Line, SameFile, "it describes the same file as line %d, and no two writes leave the same bytes", l.lines[n.twin].Line)
	}
	for _, sum := range n.Undone {
		p, ok := l.index[sum]
		switch {
		case ok && !slices.Contains(n.follows, p), !ok && !slices.Contains(n.parents(), sum):
			v.add(n.Line, NotUndone, "it calls a write undone that it does not follow")
		case ok && l.lines[p].File != n.File && known(l.lines[p].File):
			v.add(n.Line, NotUndone, "it says that the write of line %d never took place, but git has the file that it left", l.lines[p].Line)
		}
	}
}

func (l *Log) verifyGap(v *verdict, g gap) {
	child := &l.lines[g.child]
	switch {
	case g.edited >= 0 && !l.lines[g.edited].readable: // found already
	case g.edited >= 0 && child.children == 0:
		v.add(l.lines[g.edited].Line, Edited, "line %d was written after another: this one was edited, or line %[1]d was, or a line between them removed", child.Line)
	case g.edited >= 0:
		v.add(l.lines[g.edited].Line, Edited, "line %d was written after another: this one was edited, or one between them removed", child.Line)
	default:
		v.add(child.Line, Removed, "the line that it was written after is not here")
	}
}

func (l *Log) verifyFile(v *verdict, current string, known func(string) bool) {
	h := l.heads(current, known)
	for _, i := range h.inserted {
		v.add(l.lines[i].Line, Inserted, "no line follows it, and git has no revision with the file that it describes: it was inserted, or its write was never finished or committed")
	}
	for _, i := range h.unfinished {
		v.add(l.lines[i].Line, Unfinished, "its write was interrupted: the file is still the one before")
	}
	last := slices.Concat(h.single, h.merged)
	switch older := l.describing(current); {
	case len(h.current) > 0 || len(h.unfinished) > 0:
	case len(last) == 0 && current != "":
		v.add(0, Missing, "no line describes the file")
	case len(last) == 0:
	case current == "":
		v.add(0, Outside, "the file is gone")
	case older > 0:
		v.add(0, Outside, "the file is the one that line %d describes: an older revision was put back, or the lines since are forged", older)
	case len(last) > 1:
		v.add(0, Outside, "two branches were merged, and the file is neither's")
	default:
		v.add(0, Outside, "no line describes the file: it was changed, or lines were removed from the end")
	}
}

// describing is the number of a line that left this file, or 0.
func (l *Log) describing(file string) int {
	for i := range l.lines {
		if l.lines[i].readable && l.lines[i].File == file {
			return l.lines[i].Line
		}
	}
	return 0
}
