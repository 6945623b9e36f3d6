package main

import (
	"fmt"

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

// resolve opens the chosen environment and those that it inherits from. It warns where
// recipients are not the policy's.
func (a *app) resolve(argument string, keys ...string) (*source, error) {
	v, env, _, err := a.enter(argument, (*vault.Vault).Open, keys...)
	if err != nil {
		return nil, err
	}
	a.warnReaders(env)
	values, err := v.Resolve(env, func(name string) (*vault.Environment, error) {
		op, err := a.begin(v.Project.Root, name, keys...)
		if err != nil {
			return nil, err
		}
		under, err := v.Open(name)
		if err != nil {
			return nil, a.identityFailure(err)
		}
		a.openedBy(op, under.Doc)
		a.warnReaders(under)
		return under, nil
	})
	if err != nil {
		return nil, err
	}
	return &source{values: values, where: env.Name, environment: env.Environment}, nil
}

func (a *app) warnReaders(env *vault.Environment) {
	if env.Readers.Differ() {
		a.warningf("the recipients of %s differ from the policy's readers: run \"envcrypt rekey %s\"", env.Name, env.Name)
	}
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
