package main

import (
	"fmt"
	"strings"

	"envcrypt/crypt"
	"envcrypt/internal/project"
	"envcrypt/internal/vault"
)

// source is what a reading command takes values from: an environment with what lies
// underneath it, or a single file.
type source struct {
	values      []vault.Value
	where       string              // the environment's name, or the file's
	environment project.Environment // zero for a file, but for the name that its seal gives
	vault       *vault.Vault        // nil for a file
}

// source opens the file of -f, or else the chosen environment, for reading keys of it or,
// with none, all. Before anything of it is used, endAll has to be called, which the machine's
// audit log may refuse.
func (a *app) source(file, argument string, keys ...string) (*source, error) {
	switch {
	case file == "":
		return a.resolve(argument, keys...)
	case argument != "":
		return nil, usagef("-f names the file: ENV goes with -e")
	}
	doc, name, err := a.openFile(file, keys...)
	if err != nil {
		return nil, err
	}
	s := &source{where: file, environment: project.Environment{Name: name}}
	for key, value := range doc.All() {
		s.values = append(s.values, vault.Value{Key: key, Value: value, Origin: vault.Origin{Environment: name}})
	}
	return s, nil
}

// resolve opens the chosen environment and those that it inherits from.
func (a *app) resolve(argument string, keys ...string) (*source, error) {
	v, err := a.vault()
	if err != nil {
		return nil, err
	}
	chosen, err := a.choose(v.Project.Policy, argument)
	if err != nil {
		return nil, err
	}
	return a.resolveIn(v, chosen.Name, keys...)
}

// resolveIn opens an environment and those that it inherits from. It warns where recipients
// are not the policy's.
func (a *app) resolveIn(v *vault.Vault, name string, keys ...string) (*source, error) {
	open := func(name string) (*vault.Environment, error) {
		env, _, err := a.openNoted(v, name, (*vault.Vault).Open, keys...)
		if err == nil && env.Readers.Differ() {
			a.warningf("the recipients of %s differ from the policy's readers: run \"envcrypt rekey %s\"", name, name)
		}
		return env, err
	}
	env, err := open(name)
	if err != nil {
		return nil, err
	}
	values, err := v.Resolve(env, open)
	if err != nil {
		return nil, err
	}
	return &source{values: values, where: name, environment: env.Environment, vault: v}, nil
}

// get returns a key's value.
func (s *source) get(key string) (value string, ok bool) {
	for _, v := range s.values {
		if v.Key == key {
			return v.Value, true
		}
	}
	return "", false
}

// refuseUse refuses what a program must not get. Of a single file nobody knows the rules. Of
// made-up values the policy's plain ones are not made up, and can name a production host. A
// rule that is overridden is in the audit log, also where nothing was opened.
func (a *app) refuseUse(s *source, passed func(key string) bool) error {
	if s.vault == nil {
		return nil
	}
	values := make([]vault.Value, 0, len(s.values))
	for _, v := range s.values {
		if passed(v.Key) && (v.Origin.Plain || !a.fake) {
			values = append(values, v)
		}
	}
	overridden, err := s.vault.RefuseUse(s.where, values)
	if len(overridden) > 0 && len(a.ops) == 0 {
		if _, err := a.begin(s.vault.Project.Root, s.where); err != nil {
			return err
		}
	}
	for _, op := range a.ops {
		op.Entry.Allowed = strings.Join(overridden, " ")
	}
	return err
}

// named are the keys of an environment and of what lies under it, or of a single file,
// without an identity.
func (a *app) named(file, argument string) (values []vault.Value, err error) {
	if file != "" {
		data, err := project.ReadFile(file, project.FileSizeLimit)
		if err != nil {
			return nil, err
		}
		summary, err := crypt.Inspect(data, formatOf(file))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		for _, key := range summary.Keys {
			values = append(values, vault.Value{Key: key})
		}
		return values, nil
	}
	v, err := a.vault()
	if err != nil {
		return nil, err
	}
	env, err := a.choose(v.Project.Policy, argument)
	if err != nil {
		return nil, err
	}
	return v.ResolveNames(env.Name)
}
