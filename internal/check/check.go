// Package check looks at a project as a whole, and says what is wrong or will go wrong:
// values that are missing, of the wrong type, denied, copied or overdue; readers, seals and
// histories that are not what the policy says.
//
// It works with as many identities as there are, and says what it could not look at. No
// finding holds a value or a part of one.
package check

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"envcrypt/crypt"
	"envcrypt/internal/project"
	"envcrypt/internal/vault"
)

// Severity says what a finding is worth.
type Severity string

const (
	Error   Severity = "error" // fails the check
	Warning Severity = "warning"
	Note    Severity = "note"
)

// Finding is one thing that is wrong. Its JSON is stable.
type Finding struct {
	ID          ID       `json:"id"`
	Severity    Severity `json:"severity"`
	Environment string   `json:"environment,omitempty"`
	Key         string   `json:"key,omitempty"`
	Message     string   `json:"message"`
	Fix         string   `json:"fix"`
	File        string   `json:"file,omitempty"` // with slashes, from the project's root
	Line        int      `json:"line,omitempty"` // from 1
	Reason      string   `json:"reason,omitempty"`
}

// ID names a kind of finding. IDs never change, for they stand in policies and CI jobs.
type ID string

const (
	RequiredMissing   ID = "required-missing"
	WrongType         ID = "wrong-type"
	DeniedValue       ID = "denied-value"
	SameValue         ID = "same-value"
	RotationOverdue   ID = "rotation-overdue"
	KnownToLeaver     ID = "known-to-leaver"
	OverlapEnded      ID = "overlap-ended"
	RecipientsDiffer  ID = "recipients-differ"
	NotTrusted        ID = "not-trusted"
	FileMissing       ID = "file-missing"
	HistoryBroken     ID = "history-broken"
	UndeclaredKey     ID = "undeclared-key"
	UnusedDeclaration ID = "unused-declaration"
	BadDeclaration    ID = "bad-declaration"
	SecretInVars      ID = "secret-in-vars"
	PlaintextTracked  ID = "plaintext-tracked"
	WritablePolicy    ID = "writable-policy"
	ExcludedReader    ID = "excluded-reader"
	NoStaging         ID = "no-staging"
	NotOpened         ID = "not-opened"
)

// About says of every ID in a sentence what it is, in the order of the documentation.
var About = []struct {
	ID   ID
	Text string
}{
	{RequiredMissing, "a required key is missing"},
	{WrongType, "a value is not what its declaration says"},
	{DeniedValue, "a guard rule denies a value"},
	{SameValue, "two environments have the same secret value"},
	{KnownToLeaver, "somebody who left could read a value that is still in use"},
	{RotationOverdue, "a value is older than its declaration allows"},
	{OverlapEnded, "an old value is kept beyond the end of its overlap"},
	{RecipientsDiffer, "a file is not encrypted to the policy's readers"},
	{NotTrusted, "a file is damaged, tampered with, unsealed or in the wrong place"},
	{FileMissing, "an environment has no file"},
	{HistoryBroken, "a history is broken, or does not describe its file"},
	{ExcludedReader, "a reader cannot open an environment that is underneath"},
	{SecretInVars, "a plain value of the policy looks like a secret"},
	{BadDeclaration, "a declaration or rule of the policy cannot work"},
	{UndeclaredKey, "a key is not declared, though others are"},
	{UnusedDeclaration, "a declared key is in no environment"},
	{PlaintextTracked, "git tracks a file of plain values"},
	{WritablePolicy, "others can write the policy or the environments' files"},
	{NoStaging, "there is production, and nothing to try a release in"},
	{NotOpened, "none of the identities opens an environment"},
}

// Checker looks at a project.
type Checker struct {
	Vault *vault.Vault
	// Open opens an environment, as [vault.Vault.Open] does.
	Open func(name string) (*vault.Environment, error)
	Now  time.Time

	findings []Finding
	opened   []*opened
	lines    map[string]map[string]int // by environment and key, in its file
}

// opened is an environment that could be opened.
type opened struct {
	project.Environment
	values []vault.Value
}

// Environments looks at the named environments and at the policy, and returns what it finds
// in their order.
func (c *Checker) Environments(names []string) ([]Finding, error) {
	c.lines = make(map[string]map[string]int)
	c.policy()
	for _, name := range names {
		env, err := c.Vault.Project.Policy.Environment(name)
		if err != nil {
			return nil, err
		}
		c.environment(env)
	}
	c.sameValues()
	if len(names) == len(c.Vault.Project.Policy.Environments) {
		c.unused()
	}
	return c.findings, nil
}

// at says where a finding is; its zero value is the project as a whole.
type at struct {
	environment, key, file string
	line                   int
}

func (c *Checker) add(id ID, severity Severity, at at, fix, format string, args ...any) {
	if at.line == 0 && at.file != project.PolicyName {
		at.line = c.lines[at.environment][at.key]
	}
	c.findings = append(c.findings, Finding{
		ID: id, Severity: severity, Environment: at.environment, Key: at.key, File: at.file, Line: at.line,
		Message: fmt.Sprintf(format, args...), Fix: fix,
	})
}

// inPolicy is a place of the policy.
func inPolicy(environment, key string, line int) at {
	return at{environment: environment, key: key, file: project.PolicyName, line: line}
}

func inFile(environment string) at {
	return at{environment: environment, file: "secrets/" + environment + ".env"}
}

func inHistory(environment string, line int) at {
	return at{environment: environment, file: "secrets/" + environment + ".history", line: line}
}

// environment looks at one environment's files, values and readers.
func (c *Checker) environment(env project.Environment) {
	names, ok := c.file(env) // first: it finds the lines that keys stand on
	c.history(env)
	c.excludedReaders(env)
	if !ok {
		return
	}
	values, isOpen := c.open(env)
	if !isOpen {
		values = names
	}
	c.required(env, values)
	c.undeclared(env, values)
	c.values(env, values, isOpen)
	if isOpen {
		c.opened = append(c.opened, &opened{Environment: env, values: values})
	}
}

// file looks at what an environment's file says without an identity, and returns the names of
// its keys with those of the layers underneath.
func (c *Checker) file(env project.Environment) (names []vault.Value, ok bool) {
	v := c.Vault
	data, err := v.Read(env.Name)
	var missing *vault.MissingError
	if errors.As(err, &missing) {
		c.add(FileMissing, Error, inFile(env.Name), `"envcrypt init" makes it; if it was there, bring it back with git`, "%s has no file", env.Name)
		return nil, false
	}
	if err == nil {
		names, err = v.ResolveNames(env.Name)
	}
	if err != nil {
		c.add(NotTrusted, Error, inFile(env.Name), "bring back the last good version, for example with git", "%v", err)
		return nil, false
	}
	summary, err := crypt.Inspect(data, crypt.Dotenv)
	if err != nil {
		return nil, false // ResolveNames has read it
	}
	c.lines[env.Name] = keyLines(data)
	readers, err := v.Compare(env.Name, summary.Groups, summary.Quorum)
	if err == nil && readers.Differ() {
		c.add(RecipientsDiffer, Error, inFile(env.Name), fmt.Sprintf(`"envcrypt rekey %s"`, env.Name),
			"%s is not encrypted to the policy's readers%s", env.Name, c.difference(readers))
	}
	return names, true
}

// keyLines finds the lines that an encrypted file's keys stand on.
func keyLines(data []byte) map[string]int {
	lines := make(map[string]int)
	n := 0
	for line := range bytes.Lines(data) {
		n++
		if key, _, ok := bytes.Cut(line, []byte("=")); ok && len(key) > 0 && key[0] != '#' {
			lines[string(key)] = n
		}
	}
	return lines
}

// difference says who is too many, who is missing, and what is wrong with a quorum.
func (c *Checker) difference(r vault.Readers) string {
	var parts []string
	for _, g := range r.Gained {
		parts = append(parts, g.Member+" is missing")
	}
	for _, text := range r.Lost {
		parts = append(parts, c.Vault.Name(text)+" is one too many")
	}
	for _, m := range r.Moved {
		parts = append(parts, m.Member+" belongs to another group")
	}
	if r.Was != r.Is {
		parts = append(parts, fmt.Sprintf("%s should open it instead of %s", r.Is, r.Was))
	}
	if len(parts) == 0 {
		return ""
	}
	return ": " + strings.Join(slices.Compact(parts), ", ")
}

// open opens an environment with what lies underneath.
func (c *Checker) open(env project.Environment) ([]vault.Value, bool) {
	top, err := c.Open(env.Name)
	var values []vault.Value
	if err == nil {
		values, err = c.Vault.Resolve(top, c.Open)
	}
	if err == nil {
		return values, true
	}
	var none *crypt.NoIdentityError
	var opening *vault.OpenError
	switch {
	case errors.As(err, &none):
		c.add(NotOpened, Note, inFile(env.Name), "run check where a reader's key is", "%s was not opened: its values, types and seal were not checked", env.Name)
	case errors.As(err, &opening):
		fix := "bring back the last good version, for example with git"
		if seal := (*crypt.SealError)(nil); errors.As(err, &seal) && seal.State != crypt.SealMisplaced {
			fix = fmt.Sprintf(`look at it with "envcrypt seal %s", or bring back the last good version with git`, opening.Environment)
		}
		c.add(NotTrusted, Error, inFile(env.Name), fix, "%v", err)
	default:
		c.add(NotTrusted, Error, inFile(env.Name), "mend that first", "%s: %v", env.Name, err)
	}
	return nil, false
}

// Sort puts findings into the order of severity, else leaves them as they are.
func Sort(findings []Finding) {
	worth := map[Severity]int{Error: 0, Warning: 1, Note: 2}
	slices.SortStableFunc(findings, func(a, b Finding) int { return cmp.Compare(worth[a.Severity], worth[b.Severity]) })
}

// Except applies the exceptions of a policy: what is ignored is left out, with a reason that
// somebody gave; what is warned about fails no more.
func Except(findings []Finding, exceptions []project.Exception) []Finding {
	byID := make(map[ID][]project.Exception)
	for _, e := range exceptions {
		byID[ID(e.ID)] = append(byID[ID(e.ID)], e)
	}
	var left []Finding
	for _, f := range findings {
		mine := byID[f.ID]
		i := slices.IndexFunc(mine, func(e project.Exception) bool {
			return (e.Environment == "" || e.Environment == f.Environment) && (e.Key == "" || e.Key == f.Key)
		})
		switch {
		case i < 0:
		case !mine[i].Warn:
			continue
		case f.Severity == Error:
			f.Severity, f.Reason = Warning, mine[i].Reason
		}
		left = append(left, f)
	}
	return left
}

// Known reports whether there is such an ID.
func Known(id string) bool {
	for _, about := range About {
		if string(about.ID) == id {
			return true
		}
	}
	return false
}
