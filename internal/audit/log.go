// Package audit keeps a machine's own record of who read and wrote which secrets: one
// line of JSON for each operation, also the refused and failed ones, each line
// with the hash of the one before.
//
// The log belongs to the machine, not to a repository: its configuration lies in /etc
// and in the user's home. It names keys, and never holds a value.
//
// Not here: encryption, a daemon, the network, and proof against whoever owns the
// machine. The chain shows what was changed by accident or by somebody who did
// not write it anew; only a copy elsewhere (syslog, journald) shows the rest.
//
// This runs in front of every exec. Nothing is read but the configuration and a head of
// 158 bytes, whatever the log's size, and nothing is synced: a power cut can take
// the last lines, which [Verify] then says.
package audit

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Log appends to the machine's audit log. It keeps nothing open.
type Log struct {
	config Config
	facts  Facts
	now    func() time.Time
}

// New returns the log that a configuration describes, without touching it: what is wrong
// with it is the error of the first [Log.Begin] or [Log.Append].
func New(c Config, f Facts, now func() time.Time) *Log {
	return &Log{config: c, facts: f, now: now}
}

// Op is an operation that is to be logged.
type Op struct {
	// Entry is what [Op.End] writes. What is known later, such as the actor and the
	// keys, can be filled in until then.
	Entry Entry

	log      *Log
	required bool
}

// Begin is called before anything is decrypted. For an environment that the machine
// requires to be logged, it writes an entry with outcome [Begun] to every sink, and its error
// is a *[RequiredError]: the operation must not happen. For others it writes nothing and
// cannot fail.
//
// An entry without an environment counts as required if any environment is, since it may be
// that one.
func (l *Log) Begin(e Entry) (*Op, error) {
	op := &Op{Entry: e, log: l, required: l.config.requires(e.Environment)}
	if !op.required {
		return op, nil
	}
	e.Outcome = Begun
	if err := op.append(e); err != nil {
		return nil, err
	}
	return op, nil
}

// End writes how the operation ended; class is the kind of error, not its text. An
// operation that becomes another program ends before that, and once more if that fails.
//
// The error is a *[RequiredError] where logging is required: nothing more must be done with
// what was decrypted. Any other is worth a warning.
func (o *Op) End(outcome Outcome, class string) error {
	o.Entry.Outcome, o.Entry.Error = outcome, class
	return o.append(o.Entry)
}

func (o *Op) append(e Entry) error {
	if !o.required {
		return o.log.Append(e)
	}
	err := o.log.Append(e)
	if err == nil && len(o.log.config.Sinks) == 0 {
		err = ErrOff
	}
	if err != nil {
		return &RequiredError{Environment: e.Environment, Err: err}
	}
	return nil
}

// ErrOff says that the log is switched off, though an environment requires it.
var ErrOff = errors.New("the audit log is switched off")

// RequiredError says that an operation cannot be logged in an environment of which nothing
// may be read or written without that.
type RequiredError struct {
	Environment string // empty if it is not known
	Err         error
}

func (e *RequiredError) Error() string {
	if e.Environment == "" {
		return fmt.Sprintf("this machine requires an audit log: %v", e.Err)
	}
	return fmt.Sprintf("this machine requires an audit log of %s: %v", e.Environment, e.Err)
}

func (e *RequiredError) Unwrap() error { return e.Err }

// Append writes an entry to every sink. One that fails does not keep it from the
// others; the error is a *[SinkError], or several in a [SinkErrors]. With a sink's
// error, that sink has what it had before.
func (l *Log) Append(e Entry) error {
	if e.Facts == (Facts{}) {
		e.Facts = l.facts
	}
	var failed SinkErrors
	if slices.Contains(l.config.Sinks, sinkFile) {
		if err := l.appendFile(&e); err != nil {
			failed = append(failed, &SinkError{Sink: "file " + l.config.File, Err: err})
			e.Seq, e.Prev, e.Recovered = 0, "", "" // another line gets them
		}
	}
	if e.Time.IsZero() {
		e.Time = l.now()
	}
	if slices.Contains(l.config.Sinks, sinkSyslog) {
		if err := sendSyslog(l.config.SyslogSocket, &e); err != nil {
			failed = append(failed, &SinkError{Sink: sinkSyslog, Err: err})
		}
	}
	if slices.Contains(l.config.Sinks, sinkJournald) {
		if err := sendJournal(l.config.JournalSocket, &e); err != nil {
			failed = append(failed, &SinkError{Sink: sinkJournald, Err: err})
		}
	}
	switch len(failed) {
	case 0:
		return nil
	case 1:
		return failed[0]
	}
	return failed
}

// SinkError says which sink could not be written, and why.
type SinkError struct {
	Sink string // "file" and its path, "syslog" or "journald"
	Err  error
}

func (e *SinkError) Error() string {
	return fmt.Sprintf("writing the audit log to %s: %v", e.Sink, e.Err)
}

func (e *SinkError) Unwrap() error { return e.Err }

// SinkErrors are the errors of several sinks.
type SinkErrors []*SinkError

func (e SinkErrors) Error() string {
	texts := make([]string, len(e))
	for i := range e {
		texts[i] = e[i].Error()
	}
	return strings.Join(texts, "; ")
}

func (e SinkErrors) Unwrap() []error {
	errs := make([]error, len(e))
	for i := range e {
		errs[i] = e[i]
	}
	return errs
}
