package main

import (
	"envcrypt/crypt"
	"envcrypt/internal/vault"

	"github.com/urfave/cli/v2"
)

func (a *app) sealCommand() *cli.Command {
	return a.command(cli.Command{
		Usage:     "vouch for a file that another SOPS tool has written",
		ArgsUsage: "[ENV]",
		Description: `Seals an environment's file that was never sealed, or was changed by another
tool since. It shows what is in it, and, where the file is under git, what
changed since the last commit, and asks: look before you say yes. The file is
encrypted to the policy's readers then.

EXAMPLES:
   envcrypt seal production
   envcrypt seal staging --dry-run`,
		Flags: []cli.Flag{a.environmentFlag(), a.reasonFlag(), a.yesFlag(), a.dryRunFlag()},
	}, func(c *cli.Context) error {
		args, err := arguments(c, 0, 1)
		if err != nil {
			return err
		}
		return a.seal(first(args))
	})
}

func (a *app) seal(argument string) error {
	v, env, _, err := a.enter(argument, (*vault.Vault).OpenAnySeal)
	if err != nil {
		return err
	}
	state, _ := env.Doc.SealState()
	if state == crypt.SealValid && !env.Readers.Differ() {
		a.notef("%s is sealed already", env.Name)
		return nil
	}
	committed, known := a.committed(v, env.Name)
	a.describeSeal(v, env, committed, known)
	if a.dryRun {
		return nil
	}
	if err := a.confirm("seal " + env.Name + " as it is?"); err != nil {
		return err
	}
	env.Doc.Adopt()
	if env.Before = committed; !known {
		env.Before = env.Doc.Items() // nobody can tell what changed
	}
	if err := v.Seal(env); err != nil {
		return err
	}
	a.notef("sealed %s", env.Name)
	return nil
}

// describeSeal shows a person what a seal would vouch for.
func (a *app) describeSeal(v *vault.Vault, env *vault.Environment, committed []crypt.Item, known bool) {
	doc := env.Doc
	switch state, name := doc.SealState(); {
	case state == crypt.SealMissing:
		a.notef("%s was never sealed", env.Name)
	case state == crypt.SealMisplaced:
		a.warningf("the file is sealed for %s: is it in the wrong place?", name)
	case state == crypt.SealStale && doc.SealKeysChanged():
		a.notef("%s: another tool added, removed, reordered or emptied keys since it was sealed", env.Name)
	case state == crypt.SealStale:
		a.notef("%s: another tool changed it since it was sealed; the names of its keys are the same", env.Name)
	}
	for _, u := range doc.Unverified() {
		switch {
		case u.Key == "":
			a.notef("line %d: a comment that is not encrypted", u.Line)
		case u.Empty:
			a.warningf("line %d: %s is empty: SOPS protects no empty value, so anybody can have added it", u.Line, u.Key)
		default:
			a.warningf("line %d: %s is not encrypted: anybody can have written it", u.Line, u.Key)
		}
	}
	for _, kind := range doc.OtherKinds() {
		a.warningf("the file's %s keys cannot be kept: those who use them lose access", kind)
	}
	a.showReaders(v, env.Name, env.Readers)
	if !known {
		a.warningf("the last commit has no sealed version to compare with: look at every value; the keys are:")
		for _, key := range doc.Keys() {
			a.notef("  %s", key)
		}
		return
	}
	d := vault.Diff(committed, allItems(doc))
	if d.None() {
		a.notef("the values are those of the last commit")
		return
	}
	a.notef("compared with the last commit, the file")
	a.showChanges(d, false)
}

// allItems lists a document's lines with those that nothing vouches for yet.
func allItems(doc *crypt.Document) []crypt.Item {
	items := doc.Items()
	for _, u := range doc.Unverified() {
		if u.Key != "" {
			items = append(items, crypt.Item{Key: u.Key})
		}
	}
	return items
}

// committed returns an environment's lines at git's HEAD, if they are there and
// sealed: an unsealed file may be whoever's who committed it.
func (a *app) committed(v *vault.Vault, name string) ([]crypt.Item, bool) {
	data, err := a.gitHead(v.Project.Path(name))
	if err != nil {
		return nil, false
	}
	doc, err := crypt.Open(data, crypt.Options{Environment: name}, v.Identities)
	if err != nil {
		return nil, false
	}
	return doc.Items(), true
}
