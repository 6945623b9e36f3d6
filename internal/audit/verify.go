package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// Kind is what is wrong with a log.
type Kind string

const (
	Changed    Kind = "changed"    // a line is not what it was when the next one was written
	Missing    Kind = "missing"    // lines before this one were removed
	Misplaced  Kind = "misplaced"  // a line was inserted, repeated or moved
	Unreadable Kind = "unreadable" // lines that are no entries
	Cut        Kind = "cut"        // the last lines were removed: the head knows more than the log
	NoHead     Kind = "no-head"    // the head is missing or is none, so that a cut cannot be seen
	Mended     Kind = "mended"     // an append found the log not as it should be, and said so

	// These have harmless explanations, and are mild.

	Torn   Kind = "torn"   // a write was cut short by a crash
	Behind Kind = "behind" // the head is older than the log: a crash between the two
	Pruned Kind = "pruned" // the oldest files are not there any more
	Clock  Kind = "clock"  // the clock ran backwards
)

// Mild reports whether the machine's life explains it without anybody's hand: a crash, a
// clean-up of old files, a clock that was set.
func (k Kind) Mild() bool {
	switch k {
	case Torn, Behind, Pruned, Clock:
		return true
	}
	return false
}

// Problem is one thing that is wrong.
type Problem struct {
	Kind  Kind
	File  string
	Line  int // from 1, of the first one that it is about; 0 if it is about the file
	Count int // of lines that are missing or unreadable, if that is known
	Text  string
}

func (p Problem) String() string {
	if p.Line == 0 {
		return p.File + ": " + p.Text
	}
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Text)
}

// Report is what [Verify] found.
type Report struct {
	Files    int
	Entries  int
	Problems []Problem // in the order of the log, the first 1000 of them
	Left     int       // further ones, that were not kept
	Mild     bool      // there is none, or none but mild ones
}

const problemLimit = 1000

// Verify checks the chain over all files of a log, and its end against the head. It reads
// every line and holds no more than one. Appends may go on meanwhile.
//
// The error says that a file could not be read. A log that does not exist has no problems.
func Verify(path string) (*Report, error) {
	path, err := resolve(path)
	if err != nil {
		return nil, err
	}
	s, err := snapshotOf(path)
	if err != nil {
		return nil, err
	}
	defer s.close()
	v := verifier{head: s.head, known: s.known, report: Report{Mild: true}}
	for _, file := range s.rotated {
		if err := v.openFile(file); err != nil {
			return nil, err
		}
	}
	if s.log != nil {
		if err := v.file(path, s.head.first, io.NewSectionReader(s.log, 0, s.size)); err != nil {
			return nil, err
		}
	}
	v.end(path)
	for _, p := range v.report.Problems { // not before: some turn out to be another kind
		v.report.Mild = v.report.Mild && p.Kind.Mild()
	}
	return &v.report, nil
}

// snapshot is a log at one moment.
type snapshot struct {
	rotated []rotated
	log     *os.File // nil if there is none
	size    int64
	head    head
	known   bool
}

func (s *snapshot) close() {
	if s.log != nil {
		s.log.Close()
	}
}

// snapshotOf keeps writers out for the moment that it takes, if it may.
func snapshotOf(path string) (*snapshot, error) {
	s := new(snapshot)
	f, err := openRegular(path+headSuffix, os.O_RDONLY)
	noHead := errors.Is(err, fs.ErrNotExist)
	if err == nil {
		defer f.Close()
		for deadline := time.Now().Add(lockWait); ; time.Sleep(200 * time.Microsecond) {
			if locked, err := tryLock(f, false); locked || err != nil || time.Now().After(deadline) {
				break
			}
		}
		if s.head, s.known, err = readHead(f); err != nil {
			return nil, err
		}
	} else if !noHead {
		return nil, err
	}
	if s.rotated, err = rotatedFiles(path); err != nil {
		return nil, err
	}
	s.log, err = openRegular(path, os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	if _, err := os.Lstat(path + headSuffix); noHead && err == nil {
		s.close()
		return snapshotOf(path) // the log was just being made
	}
	info, err := s.log.Stat()
	if err != nil {
		s.close()
		return nil, err
	}
	s.size = info.Size()
	return s, nil
}

// verifier goes over the lines of all files.
type verifier struct {
	report Report
	head   head
	known  bool

	name string
	line int

	last   place // the line before, entry or not
	before place // the one before it, if the line before does not continue the chain

	time       time.Time
	unreadable int  // lines since the last entry
	headSeen   bool // a line has the head's number
	headFits   bool // and is the head's line
}

// place is a line that the next one may continue.
type place struct {
	sum  [sha256.Size]byte
	seq  uint64 // of the last entry up to there
	file string
	line int // 0 if there is no such line
	at   int // the problem about it, by its number in the report, from 1; 0 if there is none
}

func (v *verifier) openFile(r rotated) error {
	f, err := openRegular(r.name, os.O_RDONLY)
	if err != nil {
		return err
	}
	defer f.Close()
	err = v.file(r.name, r.first, f)
	if v.line == 0 { // nothing is rotated that has no lines
		v.problem(Problem{Kind: Missing, Text: "the file is empty"})
	}
	return err
}

// file checks a file whose first line is said to have a number.
func (v *verifier) file(name string, first uint64, r io.Reader) error {
	v.name, v.line = name, 0
	v.report.Files++
	return scan(r, true, func(l line) bool {
		v.line++
		e, ok := parseEntry(l.text)
		if !ok || !l.whole {
			v.unread(l)
			return true
		}
		v.entry(&e, l, first)
		return true
	})
}

// unread takes a line that is no entry. The next line may continue it all the same: after
// a crash, its hash is that of what there was.
func (v *verifier) unread(l line) {
	v.unreadable++
	if v.last.at > 0 && v.unreadable > 1 {
		if p := &v.report.Problems[v.last.at-1]; p.Kind == Unreadable && p.File == v.name && l.whole {
			p.Count++
			p.Text = fmt.Sprintf("%d lines are no entries", p.Count)
			v.last = place{sum: l.sum, seq: v.last.seq, file: v.name, line: v.line, at: v.last.at}
			return
		}
	}
	if v.unreadable == 1 {
		v.before = v.last
	}
	at := 0
	if l.whole {
		at = v.problem(Problem{Kind: Unreadable, Line: v.line, Count: 1, Text: "the line is no entry"})
	} else {
		at = v.problem(Problem{Kind: Torn, Line: v.line, Count: 1, Text: "the line has no end: a write was cut short"})
	}
	v.last = place{sum: l.sum, seq: v.last.seq, file: v.name, line: v.line, at: at}
}

func (v *verifier) entry(e *Entry, l line, first uint64) {
	v.report.Entries++
	here := place{sum: l.sum, seq: e.Seq, file: v.name, line: v.line}
	accepted := true
	switch {
	case v.last.line == 0:
		here.at = v.beginning(e, first)
	case e.Prev == hexSum(v.last.sum):
		v.linked(e)
	case v.before.line > 0 && e.Prev == hexSum(v.before.sum) && e.Seq == v.before.seq+1:
		// What stands between the two is foreign, and was reported as something else.
		v.foreign()
	default:
		here.at, accepted = v.broken(e)
	}
	if v.known && e.Seq == v.head.seq && accepted {
		v.headSeen, v.headFits = true, l.sum == v.head.sum
		if !v.headFits {
			v.problem(Problem{Kind: Changed, Line: v.line, Text: "the line is not what the head says of it"})
		}
	}
	if !v.time.IsZero() && e.Time.Before(v.time.Add(-time.Second)) && accepted {
		v.problem(Problem{Kind: Clock, Line: v.line, Text: "the clock ran backwards"})
	}
	v.mended(e, here.at > 0)
	if !accepted {
		return
	}
	if here.at > 0 {
		v.before = v.last
	} else {
		v.before = place{}
	}
	v.last, v.time, v.unreadable = here, e.Time, 0
}

// beginning checks the first line that there is.
func (v *verifier) beginning(e *Entry, first uint64) (at int) {
	p := Problem{Kind: Missing, Line: v.line, Count: int(e.Seq - 1),
		Text: fmt.Sprintf("the log begins with entry %d: those before are missing", e.Seq)}
	switch {
	case e.Seq == 1 && e.Prev == "":
		return 0
	case e.Seq == 1:
		p.Text = "lines before this one are missing"
	case e.Seq == first:
		p.Kind, p.Text = Pruned, fmt.Sprintf("the log begins with entry %d: older files are not here", e.Seq)
	}
	return v.problem(p)
}

// linked checks the number of a line that continues the one before.
func (v *verifier) linked(e *Entry) {
	if e.Seq != v.last.seq+1 && v.last.seq > 0 {
		v.problem(Problem{Kind: Misplaced, Line: v.line, Text: fmt.Sprintf("entry %d follows entry %d", e.Seq, v.last.seq)})
	}
	if e.Recovered == recoveredTorn && v.last.at > 0 {
		if p := &v.report.Problems[v.last.at-1]; p.Kind == Unreadable && p.Count == 1 {
			p.Kind, p.Text = Torn, "the line has no end: a write was cut short"
		}
	}
}

// foreign corrects the report: the line before does not belong where it is.
func (v *verifier) foreign() {
	v.time = time.Time{} // as it was, perhaps, in the foreign line
	if v.last.at > 0 {
		if p := &v.report.Problems[v.last.at-1]; p.Kind == Missing {
			p.Kind, p.Count, p.Text = Misplaced, 0, "the line was inserted or moved here"
		}
	}
}

// broken reports that a line does not continue the one before. It returns the problem's
// number, and whether the next line may continue this one.
func (v *verifier) broken(e *Entry) (at int, accepted bool) {
	expected := v.last.seq + 1
	switch missing := int64(e.Seq) - int64(expected) - int64(v.unreadable); {
	case e.Seq < expected:
		return v.problem(Problem{Kind: Misplaced, Line: v.line, Text: "the line was inserted, repeated or moved here"}), false
	case missing > 0:
		text := fmt.Sprintf("%d entries before this one are missing", missing)
		if v.line == 1 {
			text = fmt.Sprintf("entries %d to %d are missing, and so may be a file", expected, e.Seq-1)
		}
		return v.problem(Problem{Kind: Missing, Line: v.line, Count: int(missing), Text: text}), true
	case v.unreadable > 0:
		return v.last.at, true // it was one of those lines, which are reported
	}
	return v.add(Problem{Kind: Changed, File: v.last.file, Line: v.last.line, Text: "the line was changed, or the one after it"}), true
}

// mended reports what an append said that it found. reported is true if the chain says it too.
func (v *verifier) mended(e *Entry, reported bool) {
	switch e.Recovered {
	case recoveredHead:
		v.problem(Problem{Kind: Mended, Line: v.line, Text: "the head was missing when this line was written: lines before it may have been removed"})
	case recoveredMismatch:
		if !reported {
			v.problem(Problem{Kind: Mended, Line: v.line, Text: "the head did not fit the log when this line was written: it was cut or changed"})
		}
	case recoveredBehind:
		v.problem(Problem{Kind: Behind, Line: v.line, Text: "the head was behind when this line was written: a crash before it"})
	}
}

// end compares the last line with the head.
func (v *verifier) end(log string) {
	v.name, v.line = log, 0
	switch {
	case !v.known && v.last.line > 0:
		v.problem(Problem{Kind: NoHead, File: log + headSuffix, Text: "the head is missing or is none: whether the last lines were removed cannot be told"})
	case !v.known || v.headFits && v.last.seq == v.head.seq:
	case v.headFits:
		v.problem(Problem{Kind: Behind, Text: "the head is behind the log: a crash, or lines that envcrypt did not write"})
	case v.headSeen: // reported at the line
	case v.last.seq < v.head.seq:
		missing := v.head.seq - v.last.seq
		v.problem(Problem{Kind: Cut, Count: int(missing), Text: fmt.Sprintf("the last entries are missing, %d of them", missing)})
	default:
		v.problem(Problem{Kind: Cut, Text: "the line that the head describes is missing"})
	}
}

// problem reports something about the file that is being read, and add about any. They
// return its number from 1, or 0 if there are too many already.
func (v *verifier) problem(p Problem) int {
	if p.File == "" {
		p.File = v.name
	}
	return v.add(p)
}

func (v *verifier) add(p Problem) int {
	if len(v.report.Problems) == problemLimit {
		v.report.Left++
		v.report.Mild = v.report.Mild && p.Kind.Mild()
		return 0
	}
	v.report.Problems = append(v.report.Problems, p)
	return len(v.report.Problems)
}

func hexSum(sum [sha256.Size]byte) string { return hex.EncodeToString(sum[:]) }
