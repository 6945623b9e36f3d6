package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"envcrypt/internal/audit"
	"envcrypt/internal/project"
	"envcrypt/internal/vault"
	"envcrypt/recipients"
)

// policyEdit makes one change of a policy's text.
type policyEdit func(e *project.Edit) ([]byte, error)

// amendment is what a command does to the policy, and with it to the files of those
// environments whose readers change.
type amendment struct {
	action  string   // as the histories call it
	names   []string // what the command is about, for whoever may have to run it
	edits   []policyEdit
	leaving string // a member who is removed, whose keys are looked for in every environment
	doubt   string // a question that is asked also where nobody gains or loses access
}

// An amendError says that an amendment would leave a policy that is none.
type amendError struct {
	policy *project.PolicyError
}

func (e *amendError) Error() string {
	if e.policy.Unread != "" {
		return "nobody could read " + e.policy.Unread + " any more"
	}
	return "the policy would not be valid any more: " + e.policy.Problem
}

// amend shows what an amendment does, asks, and does it: all of it or nothing.
func (a *app) amend(v *vault.Vault, m amendment) error {
	old := v.Project.Policy
	amended, err := applyEdits(v.Project, m.edits)
	if err != nil {
		return err
	}
	v.Former, v.Project = &old.Directory, amended
	a.amending = strings.Join(append([]string{programName, m.action}, m.names...), " ")
	steps := v.Plan(concerned(v, old, m.leaving))
	for _, s := range steps {
		if s.Err != nil {
			return a.identityFailure(s.Err)
		}
	}
	question := a.amendQuestion(m, steps)
	quiet := a.quiet
	a.quiet = quiet && (question == "" || a.yes || a.dryRun)
	a.showAmendment(v, old, steps)
	a.quiet = quiet
	if a.yes && m.doubt != "" {
		a.warningf("answered with yes, by -y: %s", m.doubt)
	}
	if a.dryRun {
		a.notef("nothing was changed: this was a dry run")
		return nil
	}
	if question != "" {
		if err := a.confirm(question); err != nil {
			return err
		}
	}
	known := a.whatTheyKnow(v, old, m.leaving, steps)
	if err := a.amendNoted(v, m.action, steps); err != nil {
		return err
	}
	if todo := rekeyed(steps); len(todo) > 0 {
		a.notef("changed %s, and rekeyed %s", project.PolicyName, strings.Join(todo, ", "))
	} else {
		a.notef("changed %s", project.PolicyName)
	}
	return a.showKnown(known)
}

// applyEdits makes the edits one after the other.
func applyEdits(p *project.Project, edits []policyEdit) (*project.Project, error) {
	var policy *project.PolicyError
	file := filepath.Join(p.Root, project.PolicyName)
	text := p.Text()
	for _, edit := range edits {
		e, err := project.NewEdit(file, text)
		if errors.As(err, &policy) {
			return nil, &amendError{policy}
		} else if err != nil {
			return nil, err
		}
		if text, err = edit(e); err != nil {
			return nil, err
		}
	}
	amended, err := p.Amend(text)
	if errors.As(err, &policy) {
		return nil, &amendError{policy}
	}
	return amended, err
}

// concerned are the environments whose readers are not those of the policy that was, and
// those whose files are encrypted to the member who leaves, whatever the policy said.
func concerned(v *vault.Vault, old *project.Policy, leaving string) (names []string) {
	keys := make(map[string]bool)
	for _, key := range old.Directory.Members[leaving] {
		keys[key.String()] = true
	}
	for _, env := range v.Project.Policy.Environments {
		before, _ := old.Recipients(env.Name)
		after, _ := v.Project.Policy.Recipients(env.Name) // of a policy that was parsed: no error
		same := func(a, b recipients.Reader) bool { return a.Key == b.Key }
		if !slices.EqualFunc(before, after, same) || len(keys) > 0 && opens(v, env.Name, keys) {
			names = append(names, env.Name)
		}
	}
	return names
}

// opens tells whether one of the keys opens an environment's file as it is.
func opens(v *vault.Vault, env string, keys map[string]bool) bool {
	data, err := v.Read(env)
	if err != nil {
		return false // of a file that is not there, nobody knows a value
	}
	_, readable := readableBy(data, keys)
	return readable
}

// rekeyed are the environments whose files an amendment rewrites.
func rekeyed(steps []vault.Step) (names []string) {
	for _, s := range steps {
		if s.Readers.Differ() {
			names = append(names, s.Environment)
		}
	}
	return names
}

// amendQuestion is what has to be asked, "" for nothing.
func (a *app) amendQuestion(m amendment, steps []vault.Step) string {
	question := m.doubt
	if todo := rekeyed(steps); len(todo) > 0 {
		question = strings.TrimSpace(question + fmt.Sprintf(" change who can read %s?", count(len(todo), "environment")))
	}
	if own := a.ownLosses(steps); len(own) > 0 {
		question = fmt.Sprintf("you yourself will not be able to read %s any more: %s", strings.Join(own, ", "), question)
	}
	return question
}

// ownLosses are the environments that the user's own keys will not open any more.
func (a *app) ownLosses(steps []vault.Step) (names []string) {
	if !slices.ContainsFunc(steps, func(s vault.Step) bool { return len(s.Readers.Lost) > 0 }) {
		return nil
	}
	k := a.newKeyring()
	k.Survey()
	own := k.Publics()
	for _, s := range steps {
		if slices.ContainsFunc(s.Readers.Lost, func(text string) bool { return slices.Contains(own, text) }) {
			names = append(names, s.Environment)
		}
	}
	return names
}

// amendNoted carries an amendment out, with each file in the audit log.
func (a *app) amendNoted(v *vault.Vault, action string, steps []vault.Step) error {
	ops := make(map[int]*audit.Op)
	for i, s := range steps {
		if s.Readers.Differ() {
			op, err := a.begin(v.Project.Root, s.Environment)
			if err != nil {
				return err
			}
			ops[i] = op
		}
	}
	failure := a.identityFailure(v.Amend(action, steps))
	for i := range steps {
		op, begun := ops[i]
		if !begun {
			continue
		}
		if by := steps[i].By; by != "" {
			op.Entry.Actor = v.Name(by)
		}
		if err := a.end(op, failure); err != nil && failure == nil {
			failure = err
		}
	}
	return failure
}
