package main

import "envcrypt/internal/project"

func (a *app) memberRemove(name string) error {
	v, err := a.vault()
	if err != nil {
		return err
	}
	remove := func(e *project.Edit) ([]byte, error) { return e.RemoveMember(name) }
	if err := a.amend(v, amendment{action: a.action, names: []string{name}, edits: []policyEdit{remove}, leaving: name}); err != nil {
		return err
	}
	if !a.dryRun {
		a.hintf("take %s's access to the repository away, too: what is in it now, they may have kept", name)
	}
	return nil
}

func (a *app) memberRename(old, new string) error {
	v, err := a.vault()
	if err != nil {
		return err
	}
	rename := func(e *project.Edit) ([]byte, error) { return e.RenameMember(old, new) }
	doubt := ""
	if project.ValidMemberName(new) {
		doubt = doubtName(&v.Project.Policy.Directory, new, old)
	}
	return a.amend(v, amendment{action: a.action, names: []string{old, new}, edits: []policyEdit{rename}, doubt: doubt})
}
