// Package envcrypt gives a Go program the values of one of its environments, as
// "envcrypt exec" gives them to any program.
//
//	values, err := envcrypt.Load(ctx, envcrypt.Options{Require: []string{"DATABASE_URL"}})
//	if err != nil {
//		return err
//	}
//	db, err := sql.Open("postgres", values.Get("DATABASE_URL"))
//
// A program that reads its variables and is started by "envcrypt exec" needs nothing of this.
// It is for one that is started by something else, and for tests.
//
// Nothing is asked, printed or kept; no plugin of age's is run. Writing is deliberately not
// here: the program envcrypt does that.
package envcrypt

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"strings"
	"time"

	"envcrypt/crypt"
	"envcrypt/internal/audit"
	"envcrypt/internal/environ"
	"envcrypt/internal/keyring"
	"envcrypt/internal/project"
	"envcrypt/internal/vault"
)

// Options say what [Load] reads. The zero value reads what "envcrypt exec" would.
type Options struct {
	// Dir is where the project is looked for, upwards from there; "" for the working
	// directory.
	Dir string
	// Environment is the one to read. Where it is "", the variable that the policy names
	// (ENVIRONMENT) says it, or else the policy's default.
	Environment string
	// File is a single encrypted file, for a machine that has no project. Environment must
	// name the one that it is sealed for.
	File string
	// Identities are files of private keys, tried before all the places where the program
	// envcrypt looks.
	Identities []string
	// Env is the process environment; nil for this process's own. It names the environment
	// and where identities are.
	Env []string
	// Variables makes variables of Env win over values of the same name, and opens nothing if
	// they have all that is required: under "envcrypt exec", and in a CI job that sets them.
	Variables bool
	// Example gives made-up values, as "envcrypt exec --example" does, for tests. It needs no
	// identity.
	Example bool
	// Require names what there has to be, beside what the policy says is required.
	Require []string
	// Reason goes into the machine's audit log.
	Reason string
}

// Values are the values of an environment. Printing them, or what holds them, shows none.
type Values struct {
	environment string
	keys        []string
	lookup      func(key string) (string, bool) // a function, since whatever prints fields prints maps
}

// Environment is the environment's name, "" if all came from variables.
func (v *Values) Environment() string { return v.environment }

// Get returns a key's value, "" if there is none.
func (v *Values) Get(key string) string {
	value, _ := v.Lookup(key)
	return value
}

// Lookup returns a key's value, and whether there is one.
func (v *Values) Lookup(key string) (string, bool) {
	if v.lookup == nil {
		return "", false
	}
	return v.lookup(key)
}

// All yields the keys and values in their order. Whoever makes variables of them must refuse
// names that run code, such as LD_PRELOAD: see docs/exec.md.
func (v *Values) All() iter.Seq2[string, string] {
	return func(yield func(key, value string) bool) {
		for _, key := range v.keys {
			if !yield(key, v.Get(key)) {
				return
			}
		}
	}
}

// String shows no value.
func (v Values) String() string {
	return fmt.Sprintf("%d values of %q", len(v.keys), v.environment)
}

// GoString shows no value.
func (v Values) GoString() string { return "envcrypt.Values{" + v.String() + "}" }

// Format shows no value, whatever the verb.
func (v Values) Format(s fmt.State, _ rune) { fmt.Fprint(s, v.String()) }

// MarshalJSON refuses: values do not belong in a log.
func (v Values) MarshalJSON() ([]byte, error) {
	return nil, errors.New("envcrypt: values are not written as JSON; use All")
}

// A MissingError names the keys that are required and not there.
type MissingError struct {
	Environment string
	Keys        []string
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("envcrypt: required in %q, and missing: %s", e.Environment, strings.Join(e.Keys, ", "))
}

// Load reads the values of an environment with what lies underneath it: the policy's vars and
// the environments that it inherits from. They are verified as a whole; with an error there
// are none. It notes the read in the machine's audit log, and fails where the machine
// requires that and it cannot.
//
// The error is a *[MissingError] if something required is not there; others are for people to
// read, and hold no value. Values that the environment's guard rules deny are an error.
func Load(ctx context.Context, o Options) (*Values, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if o.Env == nil {
		o.Env = os.Environ()
	}
	l := loader{Options: o}
	if err := l.load(); err != nil {
		var missing *MissingError
		if errors.As(err, &missing) {
			return nil, err
		}
		return nil, fmt.Errorf("envcrypt: %w", err)
	}
	return l.loaded(), ctx.Err()
}

// loader is one [Load].
type loader struct {
	Options
	environment string
	keys        []string
	values      map[string]string

	vault    *vault.Vault
	log      *audit.Log
	required []string // by the policy
}

func (l *loader) loaded() *Values {
	values := l.values
	return &Values{environment: l.environment, keys: l.keys, lookup: func(key string) (string, bool) {
		value, ok := values[key]
		return value, ok
	}}
}

func (l *loader) put(key, value string) {
	if _, ok := l.values[key]; !ok {
		l.keys = append(l.keys, key)
	}
	l.values[key] = value
}

func (l *loader) load() error {
	l.values = make(map[string]string)
	if l.Variables && len(l.Require) > 0 && l.takeVariables(l.Require) {
		return nil
	}
	clear(l.values)
	l.keys = nil
	var err error
	switch {
	case l.File != "" && l.Example:
		return errors.New("options: Example goes without File")
	case l.File != "":
		err = l.readFile()
	default:
		err = l.readProject()
	}
	if err != nil {
		return err
	}
	if l.Variables {
		l.takeVariables(slices.Concat(l.required, l.keys))
		l.takeVariables(l.Require)
	}
	return l.missing()
}

// takeVariables takes what the process environment has, and tells whether it has all.
func (l *loader) takeVariables(keys []string) (all bool) {
	all = true
	for _, key := range keys {
		value, ok := environ.Lookup(l.Env, key)
		if ok {
			l.put(key, value)
		}
		all = all && ok
	}
	return all
}

func (l *loader) missing() error {
	missing := &MissingError{Environment: l.environment}
	for _, key := range slices.Concat(l.required, l.Require) {
		if _, ok := l.values[key]; !ok {
			missing.Keys = append(missing.Keys, key)
		}
	}
	if missing.Keys != nil {
		return missing
	}
	return nil
}

func (l *loader) readFile() error {
	if l.Environment == "" {
		return errors.New("options: File needs Environment, the one that it is sealed for")
	}
	data, err := project.ReadFile(l.File, project.FileSizeLimit)
	if err != nil {
		return err
	}
	keys := l.keyring()
	return l.noted(l.File, l.Environment, func() error {
		doc, err := crypt.Open(data, crypt.Options{Environment: l.Environment}, keys.Identities())
		if err != nil {
			return firstOf(keys.Err(), fmt.Errorf("cannot open %s: %w", l.File, err))
		}
		l.environment = l.Environment
		for key, value := range doc.All() {
			l.put(key, value)
		}
		return nil
	})
}

func (l *loader) readProject() error {
	dir := l.Dir
	if dir == "" {
		dir = "."
	}
	p, err := project.Find(dir)
	if err != nil {
		return err
	}
	env, err := p.Policy.Choose(l.Environment, func(name string) string { return environ.Get(l.Env, name) })
	if err != nil {
		return err
	}
	l.environment = env.Name
	for _, d := range p.Policy.Keys {
		if env.Strict && d.IsRequired(env.Name) {
			l.required = append(l.required, d.Name)
		}
	}
	keys := l.keyring()
	l.vault = &vault.Vault{Project: p, Identities: keys.Identities(), Now: time.Now}
	if l.Example {
		return l.fakes(env.Name)
	}
	values, err := l.resolve(env.Name)
	if err != nil {
		return firstOf(keys.Err(), err)
	}
	if _, err := l.vault.RefuseUse(env.Name, values); err != nil {
		return err
	}
	for _, v := range values {
		l.put(v.Key, v.Value)
	}
	return nil
}

func (l *loader) resolve(name string) ([]vault.Value, error) {
	open := func(name string) (env *vault.Environment, err error) {
		err = l.noted(l.vault.Project.Root, name, func() (err error) {
			env, err = l.vault.Open(name)
			return err
		})
		return env, err
	}
	env, err := open(name)
	if err != nil {
		return nil, err
	}
	return l.vault.Resolve(env, open)
}

// fakes are the keys of an environment with made-up values. What is not made up, the policy's
// plain values, is held to the rules.
func (l *loader) fakes(name string) error {
	values, err := l.vault.Fakes([]string{name}, func(string) {})
	if err != nil {
		return err
	}
	plain := slices.DeleteFunc(slices.Clone(values), func(v vault.Value) bool { return !v.Origin.Plain })
	if _, err := l.vault.RefuseUse(name, plain); err != nil {
		return err
	}
	for _, v := range values {
		l.put(v.Key, v.Value)
	}
	return nil
}

func (l *loader) keyring() *keyring.Keyring {
	return keyring.New(keyring.Options{Env: l.Env, Files: l.Identities})
}

// noted does something that the machine's audit log is to have.
func (l *loader) noted(place, environment string, do func() error) error {
	if l.log == nil {
		config, err := audit.Machine(l.Env)
		if err != nil {
			return err
		}
		l.log = audit.New(config, audit.Here(l.Env), time.Now)
	}
	op, err := l.log.Begin(audit.Entry{Action: "load", Project: place, Environment: environment, Reason: l.Reason, All: true})
	if err != nil {
		return err
	}
	failed := do()
	outcome := audit.OK
	if failed != nil {
		outcome = audit.Failed
	}
	err = op.End(outcome, "")
	var required *audit.RequiredError
	if failed == nil && errors.As(err, &required) {
		return err
	}
	return failed
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
