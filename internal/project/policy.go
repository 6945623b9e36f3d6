package project

import (
	"fmt"
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
}

// Environment is one environment of a policy.
type Environment struct {
	Name      string
	Readers   []string // members and groups
	Protected bool     // writes ask for confirmation
	Allow     []string // dangerous names of variables that exec may set
}

// Environment returns the environment of that name, or an
// *[UnknownEnvironmentError] that lists the valid ones.
func (p *Policy) Environment(name string) (Environment, error) {
	for _, env := range p.Environments {
		if env.Name == name {
			return env, nil
		}
	}
	return Environment{}, &UnknownEnvironmentError{Name: name, Valid: p.names()}
}

func (p *Policy) names() []string {
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
	return p.Directory.Resolve(e.Readers)
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

func validMemberName(s string) bool {
	return len(s) <= 64 && consists(s, alphanumeric, alphanumeric+"_.@-")
}

func validVariable(s string) bool {
	return consists(s, lower+upper+"_", alphanumeric+"_")
}

// consists reports whether s has a first character, of the set first, and no
// others than those of the set all.
func consists(s, first, all string) bool {
	return s != "" && strings.IndexByte(first, s[0]) >= 0 && strings.Trim(s, all) == ""
}
