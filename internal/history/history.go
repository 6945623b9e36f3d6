// Package history keeps the committed record of the writes to one environment: JSON lines,
// each of which names, by its hash, the line before it and the environment file that the
// write left. It finds what was changed in the record later, and understands what git's
// union merge makes of two branches that both wrote.
//
// It is bytes in and bytes out. There is deliberately no file, no clock, no git and no key
// here: nothing is signed, so a history proves order and wholeness to whoever trusts its
// last line, which is to say to whoever trusts the git revision that has it.
package history

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// Record is one write. The caller of [Log.Append] gives what comes before Found; the rest
// is filled in.
type Record struct {
	Seq     int       `json:"seq"`  // one more than the greatest of the lines it follows
	Time    time.Time `json:"time"` // UTC, whole seconds
	Actor   Actor     `json:"actor"`
	Action  string    `json:"action"`
	Keys    Keys      `json:"keys,omitzero"`
	From    string    `json:"from,omitempty"` // the environment that a promotion took from
	Readers Readers   `json:"readers,omitzero"`
	File    string    `json:"file"` // see [Sum]: the environment file after the write

	// Rotate names the keys whose values whoever lost access has been able to read: each is
	// due for a new value at its source.
	Rotate []string `json:"rotate,omitempty"`
	// Until is when the old values go that the write kept beside the new ones.
	Until   time.Time `json:"until,omitzero"`
	Allowed []string  `json:"allowed,omitempty"` // guard rules that somebody overrode
	Reason  string    `json:"reason,omitempty"`  // what they said why

	// Found is the sum of the file that the write replaced, or [None] if there was none. It
	// is there only if that was not what the lines it follows had left: the file was older
	// than the history, was changed outside envcrypt, or is a merge that git made.
	Found string `json:"found,omitempty"`

	Prev   string   `json:"prev"`             // the sum of the line that it follows, "" for the first
	Also   []string `json:"also,omitempty"`   // further lines that it follows, after a merge
	Undone []string `json:"undone,omitempty"` // those of them whose write never took place

	Line int    `json:"-"` // where it stands, from 1
	Sum  string `json:"-"` // of its line: what Prev, Also and Undone say

	// Void is set by Parse on a record that a later one calls undone: its write was
	// interrupted between the history and the environment file.
	Void bool `json:"-"`
}

// None is a [Record]'s Found where there was no environment file.
const None = "none"

// Actor is who wrote. Member is empty if the identity is no member's.
type Actor struct {
	Member string `json:"member,omitempty"`
	User   string `json:"user,omitempty"`
	Host   string `json:"host,omitempty"`
}

// Keys are names, never values.
type Keys struct {
	Added   []string `json:"added,omitempty"`
	Changed []string `json:"changed,omitempty"`
	Removed []string `json:"removed,omitempty"`
}

// Readers are member names, or public keys cut short.
type Readers struct {
	Gained []string `json:"gained,omitempty"`
	Lost   []string `json:"lost,omitempty"`
}

// Sum is how a history names an environment file: SHA-256 in lower-case hexadecimal. Where
// there is no file, this package's functions want "" instead.
func Sum(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// maxSeq bounds what a forged line can say, so that adding one to it is always possible.
const maxSeq = 1 << 40

// Log is a history as it was read, with whatever is wrong in it.
type Log struct {
	data      []byte
	lines     []line // without empty lines, copies and conflict markers
	index     map[string]int
	copies    []duplicate
	conflicts []int // line numbers of markers
	breaks    []gap
}

type duplicate struct {
	number, of int
	start, end int // in data, with the newline
}

// Parse reads a history, whatever state it is in; what is wrong is found by [Log.Verify].
// The Log keeps data, which must not change.
func Parse(data []byte) *Log {
	n := bytes.Count(data, []byte("\n")) + 1
	if len(data) < n*len(`{"seq":1}`) { // not a history, which is no reason to take that much memory
		n = 0
	}
	l := &Log{data: data, lines: make([]line, 0, n), index: make(map[string]int, n)}
	for number, start := 1, 0; start < len(data); number++ {
		end := len(data)
		if i := bytes.IndexByte(data[start:], '\n'); i >= 0 {
			end = start + i + 1
		}
		l.add(number, start, end)
		start = end
	}
	l.link()
	return l
}

func (l *Log) add(number, start, end int) {
	raw := bytes.TrimSuffix(l.data[start:end], []byte("\n"))
	raw = bytes.TrimSuffix(raw, []byte("\r")) // git's autocrlf must not break the chain
	switch {
	case len(raw) == 0:
		return
	case isConflictMarker(raw):
		l.conflicts = append(l.conflicts, number)
		return
	}
	sum := Sum(raw)
	if i, ok := l.index[sum]; ok {
		l.copies = append(l.copies, duplicate{number, l.lines[i].Line, start, end})
		return
	}
	r, ok := readRecord(raw)
	r.Line, r.Sum = number, sum
	l.index[sum] = len(l.lines)
	l.lines = append(l.lines, line{Record: r, readable: ok})
}

func isConflictMarker(raw []byte) bool {
	for _, marker := range []string{"<<<<<<<", "|||||||", "=======", ">>>>>>>"} {
		if bytes.HasPrefix(raw, []byte(marker)) {
			return true
		}
	}
	return false
}

// readRecord accepts fields that it does not know: they are a later version's, and the sum
// covers them.
func readRecord(raw []byte) (Record, bool) {
	var r Record
	if json.Unmarshal(raw, &r) != nil {
		return Record{}, false
	}
	const parentsLimit = 1000
	ok := len(r.Also) <= parentsLimit && len(r.Undone) <= parentsLimit && r.Seq >= 1 && r.Seq <= maxSeq && !r.Time.IsZero() && isSum(r.File) &&
		(r.Prev == "" || isSum(r.Prev)) && (r.Found == "" || r.Found == None || isSum(r.Found)) &&
		!slices.ContainsFunc(r.Also, isNoSum) && !slices.ContainsFunc(r.Undone, isNoSum)
	if !ok {
		return Record{}, false
	}
	return r, true
}

func isSum(s string) bool {
	return len(s) == 2*sha256.Size && strings.Trim(s, "0123456789abcdef") == ""
}

func isNoSum(s string) bool { return !isSum(s) }

// Records are the lines that could be read, in their order, without copies.
func (l *Log) Records() []Record {
	records := make([]Record, 0, len(l.lines))
	for i := range l.lines {
		if l.lines[i].readable {
			records = append(records, l.lines[i].Record)
		}
	}
	return records
}
