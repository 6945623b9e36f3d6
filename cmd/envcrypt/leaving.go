package main

import (
	"maps"
	"slices"
	"strings"

	"envcrypt/crypt"
	"envcrypt/internal/project"
	"envcrypt/internal/vault"
	"envcrypt/recipients"
)

// knownValue is a value that somebody who lost access could read.
type knownValue struct {
	environment, key string
	state            string
}

// Where somebody could read a value, and so what is left to do about it.
const (
	knownNow   = "change it at its source"
	knownOlder = "in an older revision: change it at its source, unless it was changed since"
	knownGone  = "removed since: it may still work at its source"
)

// whatTheyKnow lists the values that those who lose access could ever read: those in the
// files now, and those in any of git's revisions of them that named one of their keys.
// A member who leaves is looked for in every environment, also those that are no more.
func (a *app) whatTheyKnow(v *vault.Vault, old *project.Policy, leaving string, steps []vault.Step) (values []knownValue) {
	lost := make(map[string]map[string]bool)
	add := func(env, key string) {
		if lost[env] == nil {
			lost[env] = make(map[string]bool)
		}
		lost[env][key] = true
	}
	for _, s := range steps {
		for _, text := range s.Readers.Lost {
			add(s.Environment, text)
		}
	}
	var names []string
	for _, env := range old.Environments {
		names = append(names, env.Name)
	}
	if keys := old.Directory.Members[leaving]; len(keys) > 0 {
		names = once(append(names, a.pastEnvironments(v.Project)...))
		for _, name := range names {
			for _, key := range keys {
				add(name, key.String())
			}
		}
	}
	for _, name := range names {
		values = append(values, a.knownIn(v, name, lost[name])...)
	}
	return values
}

// knownIn lists what the owners of public keys could ever read of an environment.
func (a *app) knownIn(v *vault.Vault, env string, keys map[string]bool) (values []knownValue) {
	if len(keys) == 0 {
		return nil
	}
	data, _ := v.Read(env) // which was read already if it can be
	now, theirs := readableBy(data, keys)
	older := make(map[string]bool)
	for revision := range a.revisions(v.Project.Path(env)) {
		if names, readable := readableBy(revision, keys); readable {
			for _, name := range names {
				older[name] = true
			}
		}
	}
	for _, name := range now {
		switch {
		case theirs:
			values = append(values, knownValue{env, name, knownNow})
		case older[name]:
			values = append(values, knownValue{env, name, knownOlder})
		}
		delete(older, name)
	}
	for _, name := range slices.Sorted(maps.Keys(older)) {
		values = append(values, knownValue{env, name, knownGone})
	}
	return values
}

// readableBy returns the names in a file, and whether it is encrypted to one of the keys.
func readableBy(data []byte, keys map[string]bool) (names []string, readable bool) {
	summary, err := crypt.Inspect(data, crypt.Dotenv)
	if err != nil {
		return nil, false // an older file may be anything
	}
	return summary.Keys, slices.ContainsFunc(summary.Recipients, func(text string) bool {
		return keys[recipients.Canonical(text)]
	})
}

// showKnown prints what whatTheyKnow has found.
func (a *app) showKnown(values []knownValue) error {
	if len(values) == 0 {
		return nil
	}
	a.notef("who lost access could read %s, and may have kept them; \"envcrypt rotate --due\" lists those that are not changed yet", count(len(values), "value"))
	table := make([][]string, len(values))
	for i, value := range values {
		table[i] = []string{value.environment, value.key, value.state}
	}
	return a.printTable(table)
}

// listed makes a list of names fit for a sentence.
func listed(names []string) string {
	const most = 12
	if len(names) > most {
		return strings.Join(names[:most], ", ") + ", …"
	}
	return strings.Join(names, ", ")
}
