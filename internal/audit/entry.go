package audit

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Outcome is how an operation ended.
type Outcome string

const (
	Begun  Outcome = "begun" // not ended yet: written first where the environment is required
	OK     Outcome = "ok"
	Denied Outcome = "denied" // refused: no identity, a guard, a missing confirmation
	Failed Outcome = "failed"
)

// Entry is one line of the log. It holds names, never a value nor what was made from
// one. The JSON keys are stable: docs/audit.md lists them.
type Entry struct {
	Time time.Time `json:"time"` // set by the log if it is zero, else kept
	Seq  uint64    `json:"seq"`  // from 1, over all files; set by the log, 0 without a file

	Action  string  `json:"action"` // the command: exec, get, export, set, …
	Outcome Outcome `json:"outcome"`
	Error   string  `json:"error"`   // what kind of error it was, not its text
	Reason  string  `json:"reason"`  // what the user gave as --reason
	Allowed string  `json:"allowed"` // guard rules that were overridden, with blanks between them

	Project     string `json:"project"` // its root
	Environment string `json:"environment"`
	Command     string `json:"command"` // what exec runs: only the last element of argv[0] is kept
	Actor       string `json:"actor"`   // the member whose identity it was

	Facts

	All  bool     `json:"all"` // every key that there is, instead of Keys
	Keys []string `json:"keys"`
	More int      `json:"more"` // keys left out of Keys, where they would fill 64 KiB

	Recovered string `json:"recovered"` // what the log was found to be before this line: see docs/audit.md
	Prev      string `json:"prev"`      // SHA-256 of the line before, in hex; empty in the first line of all
}

// Facts are what a process knows of itself. [New] takes them for every entry.
type Facts struct {
	User   string `json:"user"`
	Host   string `json:"host"`
	PID    int    `json:"pid"`
	Parent string `json:"parent"` // the parent process's name: see [ProcessName]
	CI     string `json:"ci"`     // see [CI]
	Agent  string `json:"agent"`  // see [Agent]
}

const (
	entryLimit   = 64 << 10 // of a line, in bytes
	projectLimit = 4096     // of a field, as escaped
	reasonLimit  = 2048
	fieldLimit   = 512
	timeLayout   = "2006-01-02T15:04:05.000Z"
	seqLimit     = 1 << 53 // beyond, jq and JavaScript miscount
)

// AppendJSON appends the entry as one line of JSON, without the newline and in at
// most 64 KiB. Whatever the strings hold, it is valid UTF-8 and all of it can be shown
// on a terminal: nothing but printable characters is left unescaped.
//
// It is written by hand because json.Marshal takes 180 µs to look at a struct for the first
// time, which is the time that matters in front of an exec. encoding/json reads it.
func (e *Entry) AppendJSON(b []byte) []byte { return e.append(b, entryLimit) }

func (e *Entry) append(b []byte, limit int) []byte {
	start := len(b)
	b = e.Time.UTC().AppendFormat(append(b, `{"time":"`...), timeLayout)
	b = append(b, '"')
	if e.Seq != 0 {
		b = strconv.AppendUint(append(b, `,"seq":`...), e.Seq, 10)
	}
	b = appendField(b, "action", e.Action, fieldLimit)
	b = appendField(b, "outcome", string(e.Outcome), fieldLimit)
	b = appendField(b, "error", e.Error, fieldLimit)
	b = appendField(b, "reason", e.Reason, reasonLimit)
	b = appendField(b, "allowed", e.Allowed, fieldLimit)
	b = appendField(b, "project", e.Project, projectLimit)
	b = appendField(b, "environment", e.Environment, fieldLimit)
	b = appendField(b, "command", base(e.Command), fieldLimit)
	b = appendField(b, "actor", e.Actor, fieldLimit)
	b = appendField(b, "user", e.User, fieldLimit)
	b = appendField(b, "host", e.Host, fieldLimit)
	if e.PID != 0 {
		b = strconv.AppendInt(append(b, `,"pid":`...), int64(e.PID), 10)
	}
	b = appendField(b, "parent", e.Parent, fieldLimit)
	b = appendField(b, "ci", e.CI, fieldLimit)
	b = appendField(b, "agent", e.Agent, fieldLimit)

	tail := appendField(nil, "recovered", e.Recovered, fieldLimit)
	tail = appendField(tail, "prev", e.Prev, fieldLimit)
	if e.All {
		b = append(b, `,"all":true`...)
	}
	b = e.appendKeys(b, start+limit-len(tail)-len("}"))
	b = append(b, tail...)
	return append(b, '}')
}

// appendKeys appends as many keys as fit below end, and how many more there are.
func (e *Entry) appendKeys(b []byte, end int) []byte {
	const more = `],"more":` + "9223372036854775807"
	left := len(e.Keys)
	if left > 0 {
		b = append(b, `,"keys":[`...)
		for i, key := range e.Keys {
			was := len(b)
			if i > 0 {
				b = append(b, ',')
			}
			if b = appendString(b, key, fieldLimit); len(b)+len(more) > end {
				b = b[:was]
				break
			}
			left--
		}
		b = append(b, ']')
	}
	if left += e.More; left > 0 {
		b = strconv.AppendInt(append(b, `,"more":`...), int64(left), 10)
	}
	return b
}

func appendField(b []byte, name, value string, limit int) []byte {
	if value == "" {
		return b
	}
	b = append(append(append(b, `,"`...), name...), `":`...)
	return appendString(b, value, limit)
}

// appendString appends s in quotes, cut to limit bytes with an ellipsis at the end.
func appendString(b []byte, s string, limit int) []byte {
	const hex = "0123456789abcdef"
	escape := func(b []byte, r rune) []byte {
		return append(b, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
	}
	b = append(b, '"')
	start := len(b)
	for _, r := range s {
		was := len(b)
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case unicode.IsPrint(r) && r != utf8.RuneError:
			b = utf8.AppendRune(b, r)
		case r > 0xffff:
			r -= 0x10000
			b = escape(escape(b, 0xd800+r>>10), 0xdc00+r&0x3ff)
		default:
			b = escape(b, r)
		}
		if len(b)-start > limit {
			b = append(b[:was], "…"...)
			break
		}
	}
	return append(b, '"')
}

// base returns the last element of a path, of Windows's too: a command's arguments do not
// follow it, but its directory can name people and projects.
func base(path string) string {
	return path[strings.LastIndexAny(path, `/\`)+1:]
}

// parseEntry reads a line. It takes JSON only from a line that could be one of the
// log's: an object with a sequence number.
func parseEntry(line []byte) (e Entry, ok bool) {
	if len(line) > entryLimit || !bytes.HasPrefix(line, []byte("{")) {
		return Entry{}, false
	}
	if json.Unmarshal(line, &e) != nil || e.Seq == 0 || e.Seq > seqLimit {
		return Entry{}, false
	}
	return e, true
}

// Filter selects entries; an empty field selects all.
type Filter struct {
	Environment string
	Key         string // also selects entries about all keys, and those with keys left out
	Actor       string
	Action      string
	Outcome     Outcome
	Since       time.Time // inclusive
	Until       time.Time // exclusive
}

// Match reports whether the filter selects an entry.
func (f Filter) Match(e *Entry) bool {
	return (f.Environment == "" || e.Environment == f.Environment) &&
		(f.Actor == "" || e.Actor == f.Actor) &&
		(f.Action == "" || e.Action == f.Action) &&
		(f.Outcome == "" || e.Outcome == f.Outcome) &&
		(f.Since.IsZero() || !e.Time.Before(f.Since)) &&
		(f.Until.IsZero() || e.Time.Before(f.Until)) &&
		(f.Key == "" || e.All || e.More > 0 || slices.Contains(e.Keys, f.Key))
}
