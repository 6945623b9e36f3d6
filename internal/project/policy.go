package project

import (
	"fmt"
	"slices"
	"strings"

	"envcrypt/recipients"
)

// Policy is what envcrypt.toml says: the only authority on who may read what.
type Policy struct {
	Version      int
	Default      string        // the environment if nothing names one; may be ""
	Variable     string        // the process variable that names one; never ""
	Environments []Environment // in the file's order, at least one
	Directory    recipients.Directory
	Vars         []Var         // plain values of all environments
	Keys         []Declaration // in the file's order
	Exceptions   []Exception   // from what check says

	declared map[string]int // of Keys, by name
}

// Environment is one environment of a policy.
type Environment struct {
	Name      string
	Readers   []string // members and groups
	Protected bool     // writes ask for confirmation
	Allow     []string // dangerous names of variables that exec may set

	// ReaderGroups are in the place of Readers where it takes several people to open the
	// environment: one reader of each of Quorum groups.
	ReaderGroups [][]string
	Quorum       int // from 2 to the number of ReaderGroups, else 0

	Inherits string // the environment underneath; "" for none
	Vars     []Var  // plain values
	Strict   bool   // exec starts nothing while a required key is missing
	Kind     string // KindProduction or KindDevelopment; "" leaves it to the name
	Deny     []Rule
	Disable  []string // built-in rules that do not count
}

// readers are all members and groups that are named, of whatever reader group.
func (e *Environment) readers() []string {
	if len(e.ReaderGroups) > 0 {
		return slices.Concat(e.ReaderGroups...)
	}
	return e.Readers
}

// Environment returns the environment of that name, or an
// *[UnknownEnvironmentError] that lists the valid ones.
func (p *Policy) Environment(name string) (Environment, error) {
	for _, env := range p.Environments {
		if env.Name == name {
			return env, nil
		}
	}
	return Environment{}, &UnknownEnvironmentError{Name: name, Valid: p.Names()}
}

// Choose returns the environment that somebody named or, where name is "", the one that the
// policy's variable names, or the policy's default. The errors are an
// *[UnknownEnvironmentError] and a *[ChoiceError].
func (p *Policy) Choose(name string, getenv func(variable string) string) (Environment, error) {
	if name != "" {
		return p.Environment(name)
	}
	selected := getenv(p.Variable)
	switch {
	case selected == "" && p.Default != "":
		return p.Environment(p.Default)
	case selected == "":
		return Environment{}, &ChoiceError{Variable: p.Variable}
	}
	env, err := p.Environment(selected)
	if err != nil { // whose text may be anything, a secret among it, if the policy says so
		return Environment{}, &ChoiceError{Variable: p.Variable, Set: true}
	}
	return env, nil
}

// ChoiceError says that nothing names an environment.
type ChoiceError struct {
	Variable string // that would
	Set      bool   // it is set, to what is none
}

func (e *ChoiceError) Error() string {
	if e.Set {
		return fmt.Sprintf("the variable %s names no environment of %s", e.Variable, PolicyName)
	}
	return "no environment named"
}

// Names are those of the environments, in the policy's order.
func (p *Policy) Names() []string {
	names := make([]string, len(p.Environments))
	for i, env := range p.Environments {
		names[i] = env.Name
	}
	return names
}

// Recipients returns the keys that an environment is encrypted to: at least one,
// each once, in the order of its readers.
func (p *Policy) Recipients(env string) ([]recipients.Reader, error) {
	e, err := p.Environment(env)
	if err != nil {
		return nil, err
	}
	return p.Directory.Resolve(e.readers())
}

// KeyGroups returns the same keys by the groups of which quorum together open the
// environment. Without reader_groups, that is 1 of one group.
func (p *Policy) KeyGroups(env string) (groups [][]recipients.Reader, quorum int, err error) {
	e, err := p.Environment(env)
	if err != nil {
		return nil, 0, err
	}
	names, quorum := e.ReaderGroups, e.Quorum
	if len(names) == 0 {
		names, quorum = [][]string{e.Readers}, 1
	}
	for _, readers := range names {
		group, err := p.Directory.Resolve(readers)
		if err != nil {
			return nil, 0, err
		}
		groups = append(groups, group)
	}
	return groups, quorum, nil
}

// UnknownEnvironmentError says that the policy has no environment of that name.
type UnknownEnvironmentError struct {
	Name  string
	Valid []string // in the policy's order
}

func (e *UnknownEnvironmentError) Error() string {
	return fmt.Sprintf("unknown environment %q", e.Name)
}

// PolicyError is a mistake in a policy. Neither of its sentences contains text that
// might be a key.
type PolicyError struct {
	File    string
	Line    int // from 1
	Problem string
	Fix     string
	// Unread is an environment that nobody could read, where that is the mistake.
	Unread string
}

func (e *PolicyError) Error() string {
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Problem)
}

const (
	lower        = "abcdefghijklmnopqrstuvwxyz"
	upper        = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits       = "0123456789"
	alphanumeric = lower + upper + digits
)

// ValidEnvironmentName reports whether s is 1 to 32 of a-z, 0-9, "-" and "_", the
// first a letter or digit.
func ValidEnvironmentName(s string) bool {
	return len(s) <= 32 && consists(s, lower+digits, lower+digits+"_-")
}

// ValidMemberName reports whether s is 1 to 64 ASCII letters, digits and "_.@-", the first
// a letter or digit: what a member or a group can be called.
func ValidMemberName(s string) bool {
	return len(s) <= 64 && consists(s, alphanumeric, alphanumeric+"_.@-")
}

func validVariable(s string) bool {
	return consists(s, lower+upper+"_", alphanumeric+"_")
}

// consists reports whether s has a first character, of the set first, and no
// others than those of the set all.
func consists(s, first, all string) bool {
	for i := range len(s) {
		if strings.IndexByte(all, s[i]) < 0 {
			return false
		}
	}
	return s != "" && strings.IndexByte(first, s[0]) >= 0
}
