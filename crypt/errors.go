package crypt

import (
	"fmt"
	"strings"
)

// A DamagedError says that a file is not a SOPS document that can be trusted:
// it is malformed, something in it does not authenticate, or it holds what an
// environment file never does. No value is part of it.
type DamagedError struct {
	Line    int    // in the file, from 1; 0 where no single line is to blame
	Key     string // the entry's name or path, "" where none is concerned
	Problem string
	Cause   Cause
}

// Cause is what may have happened to a damaged file, for whoever says what to do.
type Cause int

const (
	CauseUnknown      Cause = iota
	CauseConflict           // git's conflict markers are in it
	CauseNotEncrypted       // it holds no SOPS metadata: a plain file, or one that was cut off
	CausePlain              // an entry was written into it by hand
)

func (e *DamagedError) Error() string {
	var b strings.Builder
	if e.Line > 0 {
		fmt.Fprintf(&b, "line %d: ", e.Line)
	}
	if e.Key != "" {
		fmt.Fprintf(&b, "%s: ", e.Key)
	}
	b.WriteString(e.Problem)
	return b.String()
}

func damaged(line int, key, format string, args ...any) error {
	return &DamagedError{Line: line, Key: key, Problem: fmt.Sprintf(format, args...)}
}

// SealState says how a document's seal stands.
type SealState int

const (
	SealMissing   SealState = iota // never sealed
	SealStale                      // another tool changed the file after it was sealed
	SealMisplaced                  // sealed for another environment than the one asked for
	SealValid
)

// A SealError refuses a document whose values all authenticate but whose seal
// does not vouch for them.
type SealError struct {
	State       SealState
	Want        string // the environment asked for, "" for any
	Environment string // the environment that the seal names, "" without one
	KeysChanged bool   // of a stale seal: names were added, removed, reordered, emptied or filled
}

func (e *SealError) Error() string {
	switch {
	case e.State == SealMissing:
		return "the file is not sealed"
	case e.State == SealMisplaced:
		return fmt.Sprintf("the file is sealed for %s, not for %s", e.Environment, e.Want)
	case e.KeysChanged:
		return "the seal is stale: another tool changed the file's keys after it was sealed"
	default:
		return "the seal is stale: another tool changed the file after it was sealed"
	}
}

// A NoIdentityError says that none of the identities opens the document, or where it
// takes a quorum, that they do not open enough of its groups.
type NoIdentityError struct {
	Recipients []string   // whom the document is encrypted to, in its order
	Groups     [][]string // the same, by group; see [Document.Groups]
	Quorum     int        // how many of the groups it takes: 1 where there is one
	Opened     []bool     // of Groups, those that the identities open
	Tried      int        // how many identities were looked at
}

func (e *NoIdentityError) Error() string {
	if e.Quorum > 1 {
		return fmt.Sprintf("%d of its %d groups of recipients are needed, and %d identities open %d", e.Quorum, len(e.Groups), e.Tried, e.opened())
	}
	return fmt.Sprintf("none of %d identities is among the file's %d recipients", e.Tried, len(e.Recipients))
}

func (e *NoIdentityError) opened() (n int) {
	for _, opened := range e.Opened {
		if opened {
			n++
		}
	}
	return n
}

// An UnsupportedError says that only sops itself can open the document: its
// data key is wrapped by the named kinds of keys, and by no or too few of age.
type UnsupportedError struct {
	Kinds []string // SOPS's names: "pgp", "kms", …
}

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("its data key is wrapped by %s, and age keys alone do not open it: only sops can", strings.Join(e.Kinds, ", "))
}

// An IdentityError says that an identity itself could not be used: a wrong
// passphrase, a plugin that failed. What implements [Identity] returns it from
// Unwrap; [Open] hands it on and tries no other identity.
type IdentityError struct{ Err error }

func (e *IdentityError) Error() string { return e.Err.Error() }
func (e *IdentityError) Unwrap() error { return e.Err }
