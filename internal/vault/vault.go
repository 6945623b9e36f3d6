// Package vault opens a project's environments and writes them back, each
// encrypted to the readers that the policy lists for it and to nobody else.
//
// It is where package project's files, package crypt's documents and package
// recipients' readers meet. It asks nothing and prints nothing.
package vault

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"time"

	"envcrypt/crypt"
	"envcrypt/internal/history"
	"envcrypt/internal/project"
	"envcrypt/recipients"

	"filippo.io/age"
	"filippo.io/age/plugin"
)

// A Vault is a project together with the keys of whoever works on it.
type Vault struct {
	Project    *project.Project
	Identities iter.Seq[crypt.Identity]
	Now        func() time.Time
	// Plugins tells which of age's plugins the user allows to run; UI is how
	// they talk to the user.
	Plugins func(name string) bool
	UI      *plugin.ClientUI
	// Author is the user and host that the history names. Its member is whose
	// identity opened the file, and where nothing is opened, the one given here.
	Author history.Actor
	// Note goes into the history's records of what is written.
	Note Note
	// Allow names guard rules that do not refuse what is written.
	Allow []string
	// Former is the directory that the policy had before, nil for none: it names those who
	// are no members any more.
	Former *recipients.Directory
	// Committed tells of an environment whether its file ever had content of a
	// given sum, in any revision that git has; see [history.Log.Verify].
	Committed func(environment string) func(sum string) bool
}

// Note is what a command knows of its writes beside what changes in a file; see
// [history.Record].
type Note struct {
	From   string
	Until  time.Time
	Reason string // recorded with the rules that it is a reason to override
}

// An Environment is one that has been opened.
type Environment struct {
	project.Environment
	Doc     *crypt.Document
	Readers Readers
	// Before is what the history compares with: the lines as they were opened,
	// unless somebody knows better.
	Before []crypt.Item

	data []byte // the file as it was read
}

// A MissingError says that an environment has no file yet.
type MissingError struct {
	Environment string
	Path        string
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("%s has no file: %s", e.Environment, e.Path)
}
func (e *MissingError) Unwrap() error { return fs.ErrNotExist }

// An OpenError says which environment could not be opened. It wraps the errors
// of [crypt.Open].
type OpenError struct {
	Environment string
	Path        string
	Err         error
}

func (e *OpenError) Error() string { return fmt.Sprintf("cannot open %s: %v", e.Environment, e.Err) }
func (e *OpenError) Unwrap() error { return e.Err }

// Read returns an environment's file as it is. The errors are [*MissingError],
// [*project.UnknownEnvironmentError] and those of [project.ReadFile].
func (v *Vault) Read(name string) ([]byte, error) {
	if _, err := v.Project.Policy.Environment(name); err != nil {
		return nil, err
	}
	path := v.Project.Path(name)
	data, err := project.ReadFile(path, project.FileSizeLimit)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &MissingError{Environment: name, Path: path}
	}
	return data, err
}

// Open reads and verifies an environment, whose seal must be valid.
func (v *Vault) Open(name string) (*Environment, error) {
	data, err := v.Read(name)
	if err != nil {
		return nil, err
	}
	return v.open(name, data, false)
}

// OpenAnySeal opens an environment whatever its seal says, for a person to look
// at and [Vault.Seal] to seal.
func (v *Vault) OpenAnySeal(name string) (*Environment, error) {
	data, err := v.Read(name)
	if err != nil {
		return nil, err
	}
	return v.open(name, data, true)
}

func (v *Vault) open(name string, data []byte, reseal bool) (*Environment, error) {
	env, err := v.Project.Policy.Environment(name)
	if err != nil {
		return nil, err
	}
	doc, err := crypt.Open(data, crypt.Options{Environment: name, Reseal: reseal}, v.Identities)
	if err != nil {
		return nil, &OpenError{Environment: name, Path: v.Project.Path(name), Err: err}
	}
	return v.opened(env, data, doc)
}

// opened is an environment of whose file doc was opened.
func (v *Vault) opened(env project.Environment, data []byte, doc *crypt.Document) (*Environment, error) {
	readers, err := v.Compare(env.Name, doc.Groups(), doc.Quorum())
	if err != nil {
		return nil, err
	}
	return &Environment{Environment: env, Doc: doc, Readers: readers, data: data, Before: doc.Items()}, nil
}

// Change opens an environment, lets edit change its document and writes it, all
// under the project's lock; action is what the history calls that. edit tells
// whether it changed anything. The errors
// are those of [Vault.Open], [*ReadersError], edit's own and those of
// [project.Project.Update].
func (v *Vault) Change(name, action string, edit func(doc *crypt.Document) (changed bool, err error)) error {
	return v.change(name, action, edit, func(*Environment, project.Files) error { return nil })
}

func (v *Vault) change(name, action string, edit func(doc *crypt.Document) (bool, error), check func(*Environment, project.Files) error) error {
	if _, err := v.Project.Policy.Environment(name); err != nil {
		return err
	}
	_, err := v.Project.Update(name, func(old project.Files) (new project.Files, err error) {
		if old.Data == nil {
			return new, &MissingError{Environment: name, Path: v.Project.Path(name)}
		}
		env, err := v.open(name, old.Data, false)
		if err != nil {
			return new, err
		}
		if err := env.Writable(); err != nil {
			return new, err
		}
		if err := check(env, old); err != nil {
			return new, err
		}
		changed, err := edit(env.Doc)
		if err != nil || !changed {
			return new, err
		}
		return v.files(env, action, old)
	})
	return err
}

// Writable returns a [*ReadersError] if only a rekey may write the environment.
func (e *Environment) Writable() error {
	if e.Readers.Differ() {
		return &ReadersError{Environment: e.Name, Readers: e.Readers}
	}
	return nil
}

// Save writes an environment's document if the file is still the one that was
// opened; otherwise the error is a [*project.ChangedError].
func (v *Vault) Save(e *Environment, action string) error {
	if err := e.Writable(); err != nil {
		return err
	}
	return v.replace(e, action)
}

// Seal is [Vault.Save] for an environment whose readers may change: it encrypts
// to the policy's, and seals anew.
func (v *Vault) Seal(e *Environment) error { return v.replace(e, sealAction) }

const sealAction = "seal"

func (v *Vault) replace(e *Environment, action string) error {
	return v.Project.Replace(e.Name, e.data, func(old project.Files) (project.Files, error) {
		return v.files(e, action, old)
	})
}

// Create makes the file of an environment that has none, without a value in it.
func (v *Vault) Create(name string) error {
	env, err := v.Project.Policy.Environment(name)
	if err != nil {
		return err
	}
	readers, err := v.Compare(name, nil, 0)
	if err != nil {
		return err
	}
	return v.replace(&Environment{Environment: env, Doc: new(crypt.Document), Readers: readers}, "init")
}

// encrypt seals a document for an environment, to the policy's readers.
func (v *Vault) encrypt(name string, doc *crypt.Document) ([]byte, error) {
	groups, quorum, err := v.Project.Policy.KeyGroups(name)
	if err != nil {
		return nil, err
	}
	to := crypt.Audience{Groups: make([][]crypt.Recipient, len(groups)), Quorum: quorum}
	for i, readers := range groups {
		for _, r := range readers {
			to.Groups[i] = append(to.Groups[i], crypt.Recipient{Text: r.Key.String(), Recipient: wrapper{v, r}})
		}
	}
	return crypt.Seal(doc, name, to, v.Now())
}

// wrapper makes of a key what age needs only when something is wrapped for it:
// most writes keep the wrappings there are, and a plugin may not run.
type wrapper struct {
	vault  *Vault
	reader recipients.Reader
}

func (w wrapper) Wrap(fileKey []byte) ([]*age.Stanza, error) {
	to, err := w.reader.Key.Recipient(w.vault.Plugins, w.vault.UI)
	if err != nil {
		return nil, fmt.Errorf("the key of %s: %w", w.reader.Member, err)
	}
	return to.Wrap(fileKey)
}
