package main

import "envcrypt/internal/project"

func (a *app) memberAdd(name string, args []string, o memberOptions) error {
	v, err := a.vault()
	if err != nil {
		return err
	}
	if !project.ValidMemberName(name) {
		return project.ErrInvalidName // before anything is read
	}
	keys, err := a.memberKeys(args)
	if err != nil {
		return err
	}
	if o.addKey {
		addKeys := func(e *project.Edit) ([]byte, error) { return e.AddKeys(name, keys.texts...) }
		return a.amend(v, amendment{action: a.action, names: []string{name, "KEY", "--add-key"}, edits: []policyEdit{addKeys}})
	}
	doubt := doubtName(&v.Project.Policy.Directory, name)
	if err := a.amend(v, amendment{action: a.action, names: []string{name, "KEY"}, edits: newMember(name, keys, o), doubt: doubt}); err != nil {
		return err
	}
	a.hintNext(name, o)
	return nil
}

// newMember adds a member, and says what they read.
func newMember(name string, keys *memberKeys, o memberOptions) []policyEdit {
	edits := []policyEdit{func(e *project.Edit) ([]byte, error) { return e.AddMember(name, keys.texts, keys.origins) }}
	for _, group := range o.groups {
		edits = append(edits, func(e *project.Edit) ([]byte, error) {
			if _, ok := e.Policy().Directory.Groups[group]; !ok { // which is more likely a misspelt one than a new one
				return nil, &project.UnknownGroupError{Name: group, Valid: groupNames(e.Policy())}
			}
			return e.AddToGroup(group, name)
		})
	}
	for _, env := range o.grants {
		edits = append(edits, func(e *project.Edit) ([]byte, error) { return e.Grant(env, name) })
	}
	return edits
}

// hintNext says what is left to do, so that a new member can read something.
func (a *app) hintNext(name string, o memberOptions) {
	switch {
	case a.dryRun:
	case len(o.groups)+len(o.grants) == 0:
		a.hintf(`%s reads nothing yet: "envcrypt group add GROUP %s" or "envcrypt grant ENV %s"`, name, name, name)
	default:
		a.hintf("commit and push %s and secrets/: %s can read them after a pull", project.PolicyName, name)
	}
}
