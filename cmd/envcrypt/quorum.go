package main

import (
	"fmt"
	"slices"
	"strings"

	"envcrypt/crypt"
	"envcrypt/internal/vault"
	"envcrypt/recipients"
)

// shapeChange says what becomes of an environment's quorum.
func shapeChange(r vault.Readers) string {
	if r.Is.Quorum == 1 {
		return "there is no quorum any more: each reader opens it alone"
	}
	return fmt.Sprintf("quorum is now %s", r.Is)
}

// shapeDifference says in what a file's quorum is not the policy's.
func shapeDifference(r vault.Readers) string {
	if r.Is.Quorum == 1 {
		return "it takes a quorum, and should not"
	}
	return fmt.Sprintf("its quorum should be %s", r.Is)
}

// quorumMessage says which groups are missing to open a file.
func (a *app) quorumMessage(environment string, none *crypt.NoIdentityError) string {
	var opened, missing []string
	for i, group := range none.Groups {
		name := a.groupName(environment, group, i)
		if none.Opened[i] {
			opened = append(opened, name)
			continue
		}
		who := a.readerNames(environment, group)
		if who == "" {
			who = "no age key"
		}
		missing = append(missing, fmt.Sprintf("%s (%s)", name, who))
	}
	yours := "your keys open"
	if none.Tried == 1 {
		yours = "your key opens"
	}
	open := "none"
	if len(opened) > 0 {
		open = fmt.Sprintf("%d (%s)", len(opened), strings.Join(opened, ", "))
	}
	needed := ""
	if lacking := none.Quorum - len(opened); lacking < len(missing) {
		needed = fmt.Sprintf("%d of ", lacking)
	}
	return fmt.Sprintf("%d of %s are needed, and %s %s; missing: %s%s",
		none.Quorum, count(len(none.Groups), "group"), yours, open, needed, strings.Join(missing, ", "))
}

// groupName returns the name of the policy's group whose keys are those of a file's, else
// the place that it has.
func (a *app) groupName(environment string, texts []string, place int) string {
	number := fmt.Sprintf("group %d", place+1)
	if a.policy == nil {
		return number
	}
	env, err := a.policy.Environment(environment)
	if err != nil {
		return number
	}
	for _, readers := range env.ReaderGroups {
		if len(readers) != 1 || a.policy.Directory.Groups[readers[0]] == nil {
			continue
		}
		keys, err := a.policy.Directory.Resolve(readers)
		gained, lost := recipients.Diff(texts, keys)
		if err == nil && len(gained)+len(lost) == 0 {
			return readers[0]
		}
	}
	return number
}

// opensPart tells how far a file gets with some identities: "" where they are no recipients
// of it, else its name, with how many groups are theirs where those are too few.
func opensPart(name string, s *crypt.Summary, ids []crypt.Identity) string {
	opened := 0
	for _, group := range s.Groups {
		if slices.ContainsFunc(ids, func(id crypt.Identity) bool {
			return slices.Contains(group, id.Recipient) || id.Matches != nil && slices.ContainsFunc(group, id.Matches)
		}) {
			opened++
		}
	}
	switch {
	case opened == 0:
		return ""
	case opened < s.Quorum:
		return fmt.Sprintf("%s (%d of the %s that it takes)", name, opened, count(s.Quorum, "group"))
	}
	return name
}
