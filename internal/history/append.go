package history

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode"
	"unicode/utf16"
)

// ConflictError says that a history has git's conflict markers. Whoever resolves it keeps
// the lines of both sides, which merge=union in .gitattributes does by itself.
type ConflictError struct {
	Line int
}

func (e *ConflictError) Error() string { return fmt.Sprintf("line %d: git conflict marker", e.Line) }

// Append returns the history with one more record, r. Current is the [Sum] of the
// environment file that the write replaces, "" if there is none, and known is as for
// [Log.Verify].
//
// The record follows the end of the chain, or after a merge all its ends, and says which
// writes before it were interrupted and never took place. Lines that a merge has doubled are
// dropped. What is damaged stays, and so does its finding in Verify: a line that nothing
// speaks for is not followed.
//
// It returns a *[ConflictError] for a history with conflict markers. Other errors are the
// caller's: a record without time or file, or one that left the file as it was.
func (l *Log) Append(r Record, current string, known func(file string) bool) ([]byte, error) {
	if known == nil {
		known = knowsNothing
	}
	switch {
	case len(l.conflicts) > 0:
		return nil, &ConflictError{Line: l.conflicts[0]}
	case r.Time.IsZero():
		return nil, errors.New("a history record without a time")
	case !isSum(r.File) || current != "" && !isSum(current):
		return nil, errors.New("a history record without the sum of a file")
	}
	l.follow(&r, current, known)
	if r.File == current && r.Found == "" {
		return nil, errors.New("a history record of a write that changed nothing")
	}
	r.Time, r.Until = r.Time.UTC().Truncate(time.Second), r.Until.UTC().Truncate(time.Second)
	for _, names := range []*[]string{&r.Rotate, &r.Allowed, &r.Keys.Added, &r.Keys.Changed, &r.Keys.Removed, &r.Readers.Gained, &r.Readers.Lost} {
		*names = slices.Compact(slices.Sorted(slices.Values(*names)))
	}
	text, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("a history record: %w", err)
	}
	data := l.withoutCopies()
	if len(data) > 0 && data[len(data)-1] != '\n' {
		data = append(data, '\n')
	}
	return append(append(data, escape(text)...), '\n'), nil
}

// Describes tells whether an end of the chain left the file of that [Sum], or was interrupted
// in front of it. Otherwise somebody else put it there: another tool, git, whoever may commit.
func (l *Log) Describes(file string) bool {
	h := l.heads(file, knowsNothing)
	return len(h.current) > 0 || len(h.unfinished) > 0
}

// follow fills in what r says of the lines before it.
func (l *Log) follow(r *Record, current string, known func(string) bool) {
	h := l.heads(current, known)
	// The first is Prev: what the file came from, if that is known.
	follows := slices.Concat(h.current, h.unfinished, h.single, h.merged)
	r.Seq, r.Prev, r.Also, r.Undone, r.Found = 1, "", nil, nil, ""
	for n, i := range follows {
		if n == 0 {
			r.Prev = l.lines[i].Sum
		} else {
			r.Also = append(r.Also, l.lines[i].Sum)
		}
		r.Seq = max(r.Seq, min(l.lines[i].Seq+1, maxSeq))
	}
	for _, i := range h.unfinished {
		r.Undone = append(r.Undone, l.lines[i].Sum)
	}
	first := len(follows) == 0 && current == ""
	if len(h.current) > 0 || len(h.unfinished) > 0 || first {
		return
	}
	r.Found = current
	if current == "" {
		r.Found = None
	}
}

// withoutCopies is a new slice, with room.
func (l *Log) withoutCopies() []byte {
	data := make([]byte, 0, len(l.data)+1<<10)
	start := 0
	for _, c := range l.copies {
		data = append(data, l.data[start:c.start]...)
		start = c.end
	}
	return append(data, l.data[start:]...)
}

// escape writes what could drive or deceive a terminal, and encoding/json leaves as it is,
// as JSON escapes, for whoever reads the file with cat or git diff.
func escape(text []byte) []byte {
	hidden := func(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Cf) }
	if bytes.IndexFunc(text, hidden) < 0 {
		return text
	}
	var out []byte
	for _, r := range string(text) {
		switch {
		case !hidden(r):
			out = append(out, string(r)...)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	return out
}
