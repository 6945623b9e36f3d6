package main

import (
	"maps"
	"slices"
	"strings"

	"envcrypt/internal/project"
	"envcrypt/internal/vault"
	"envcrypt/recipients"
)

// showAmendment says what changes in the policy, and who gains and loses which environment.
func (a *app) showAmendment(v *vault.Vault, old *project.Policy, steps []vault.Step) {
	for _, line := range policyChanges(old, v.Project.Policy) {
		a.notef("%s: %s", project.PolicyName, line)
	}
	for _, s := range steps {
		lost := s.Readers.Lost
		s.Readers.Lost = nil // whom the new policy may not know
		a.showReaders(v, s.Environment, s.Readers)
		for _, text := range lost {
			a.notef("%s: %s loses access", s.Environment, keyName(v.Former, text))
		}
	}
}

// policyChanges describes the difference of two policies, as far as it is about people.
func policyChanges(old, new *project.Policy) (lines []string) {
	add := func(what string, was, is []string) {
		var parts []string
		for _, name := range was {
			if !slices.Contains(is, name) {
				parts = append(parts, "- "+name)
			}
		}
		for _, name := range is {
			if !slices.Contains(was, name) {
				parts = append(parts, "+ "+name)
			}
		}
		if len(parts) > 0 {
			lines = append(lines, what+": "+strings.Join(parts, ", "))
		}
	}
	members := func(p *project.Policy) []string { return slices.Sorted(maps.Keys(p.Directory.Members)) }
	add("members", members(old), members(new))
	for _, name := range members(new) {
		if was, ok := old.Directory.Members[name]; ok {
			add("keys of "+name, shortKeys(was), shortKeys(new.Directory.Members[name]))
		}
	}
	for _, group := range slices.Sorted(maps.Keys(new.Directory.Groups)) {
		add("group "+group, old.Directory.Groups[group], new.Directory.Groups[group])
	}
	for _, env := range new.Environments {
		was, _ := old.Environment(env.Name)
		add("readers of "+env.Name, namedReaders(was), namedReaders(env))
	}
	return lines
}

func namedReaders(env project.Environment) []string {
	return slices.Concat(env.Readers, slices.Concat(env.ReaderGroups...))
}

func shortKeys(keys []recipients.Key) (texts []string) {
	for _, key := range keys {
		texts = append(texts, recipients.Short(key.String()))
	}
	return texts
}
