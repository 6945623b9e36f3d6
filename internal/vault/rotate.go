package vault

import (
	"envcrypt/crypt"
	"envcrypt/internal/history"
	"envcrypt/internal/project"
)

// Rotation reads what an environment's history says of the values that are due for new
// ones. It needs no identity.
func (v *Vault) Rotation(name string) (history.Rotation, error) {
	if _, err := v.Project.Policy.Environment(name); err != nil {
		return history.Rotation{}, err
	}
	files, err := v.Project.ReadFiles(name)
	if err != nil {
		return history.Rotation{}, err
	}
	return history.Parse(files.History).Rotation(sumOf(files.Data), v.known(name)), nil
}

// ChangeOnce is [Vault.Change] for an edit that cannot be repeated, such as one that changes
// a password at a provider. Before it calls edit, it encrypts what there is as it will
// encrypt what edit makes of it, so that whatever would stop the write stops it then.
func (v *Vault) ChangeOnce(name, action string, edit func(doc *crypt.Document) (changed bool, err error)) error {
	return v.change(name, action, edit, func(env *Environment, old project.Files) error {
		if err := v.Project.Writable(name); err != nil {
			return err
		}
		_, err := v.files(env, action, old)
		return err
	})
}

// RotateDataKey gives an environment's file a new data key: every value is encrypted afresh,
// for the same readers. opened is called with the document, once it is open.
func (v *Vault) RotateDataKey(name string, opened func(doc *crypt.Document)) error {
	return v.Change(name, "rotate data key", func(doc *crypt.Document) (bool, error) {
		opened(doc)
		doc.NewDataKey()
		return true, nil
	})
}
