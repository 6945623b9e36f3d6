package project

import (
	"errors"
	"fmt"
	"strings"

	"envcrypt/recipients"
)

// ErrInvalidName says that no member and no group can have a name. It does not have the
// name, which may be anything.
var ErrInvalidName = errors.New(memberRule)

// UnknownMemberError says that the policy has no member of that name.
type UnknownMemberError struct {
	Name  string
	Valid []string // sorted
}

func (e *UnknownMemberError) Error() string { return fmt.Sprintf("unknown member %q", e.Name) }

// UnknownGroupError says that the policy has no group of that name.
type UnknownGroupError struct {
	Name  string
	Valid []string // sorted
}

func (e *UnknownGroupError) Error() string { return fmt.Sprintf("unknown group %q", e.Name) }

// NameTakenError says that a name is that of a member or a group.
type NameTakenError struct {
	Name  string
	Group bool
}

func (e *NameTakenError) Error() string {
	if e.Group {
		return fmt.Sprintf("%q is a group already", e.Name)
	}
	return fmt.Sprintf("%q is a member already", e.Name)
}

// InvalidKeyError says that a key is no public key. It does not have the key. Inside is
// the error of [recipients.ParseKey].
type InvalidKeyError struct {
	Index int // from 0, among those given
	Err   error
}

func (e *InvalidKeyError) Error() string { return fmt.Sprintf("key %d: %v", e.Index+1, e.Err) }

func (e *InvalidKeyError) Unwrap() error { return e.Err }

// KeyTakenError says that a member has a key already, or is given it twice.
type KeyTakenError struct {
	Key   recipients.Key
	Owner string
}

func (e *KeyTakenError) Error() string {
	return fmt.Sprintf("%s is a key of member %q already", recipients.Short(e.Key.String()), e.Owner)
}

// InGroupError says that members are in a group already.
type InGroupError struct {
	Group   string
	Members []string
}

func (e *InGroupError) Error() string {
	return fmt.Sprintf("already in group %q: %s", e.Group, list(e.Members))
}

// NotInGroupError says that members are not in a group.
type NotInGroupError struct {
	Group   string
	Members []string
}

func (e *NotInGroupError) Error() string {
	return fmt.Sprintf("not in group %q: %s", e.Group, list(e.Members))
}

// ReadsError says that members or groups are named as readers of an environment already.
type ReadsError struct {
	Environment string
	Readers     []string
}

func (e *ReadsError) Error() string {
	return fmt.Sprintf("already among the readers of %q: %s", e.Environment, list(e.Readers))
}

// NotReaderError says that members or groups do not read an environment.
type NotReaderError struct {
	Environment string
	Names       []string
}

func (e *NotReaderError) Error() string {
	return fmt.Sprintf("not among the readers of %q: %s", e.Environment, list(e.Names))
}

// ThroughGroupError says that a member reads an environment only because groups do.
type ThroughGroupError struct {
	Environment string
	Member      string
	Groups      []string // in the order of the environment's readers
}

func (e *ThroughGroupError) Error() string {
	return fmt.Sprintf("%q reads %q through %s", e.Member, e.Environment, strings.Join(e.Groups, ", "))
}

// ReaderGroupsError says that an environment's readers stand in reader_groups, so that
// it has to be said in which of them a new one belongs.
type ReaderGroupsError struct {
	Environment string
}

func (e *ReaderGroupsError) Error() string {
	return fmt.Sprintf("the readers of %q stand in reader_groups", e.Environment)
}
