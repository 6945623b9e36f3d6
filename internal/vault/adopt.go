package vault

import (
	"bytes"
	"errors"
	"io/fs"
	"slices"

	"envcrypt/crypt"
	"envcrypt/internal/history"
	"envcrypt/internal/project"
)

const actionAdopt = "adopt"

// An Adoption is a file that sops has written, sealed for an environment.
type Adoption struct {
	*Environment          // as it will be opened
	Empty        []string // keys without a value, which nothing vouched for so far
	Done         bool     // it was the environment's file already

	from string // the path of data, which stays as it is unless it is the environment's
	text []byte
}

// PlanAdoption seals data, the content of the file at path, for an environment and writes
// nothing. The errors are [*project.UnknownEnvironmentError] and [*OpenError], around those
// of [crypt.Adopt].
func (v *Vault) PlanAdoption(name, path string, data []byte) (*Adoption, error) {
	env, err := v.Project.Policy.Environment(name)
	if err != nil {
		return nil, err
	}
	text, doc, err := crypt.Adopt(data, name, v.Identities)
	if err != nil {
		return nil, &OpenError{Environment: name, Path: path, Err: err}
	}
	opened, err := v.opened(env, data, doc)
	if err != nil {
		return nil, err
	}
	a := &Adoption{Environment: opened, Done: bytes.Equal(text, data), from: path, text: text}
	for key, value := range doc.All() {
		if value == "" {
			a.Empty = append(a.Empty, key)
		}
	}
	return a, nil
}

// Adopt writes the policy of a project that [project.Project.Amend] made and, in the same
// operation, the adopted files, each with the first record of its history. All of it happens
// or, with an error, nothing; see [project.CommitAll]. A file that is there already gets a
// [*project.ChangedError], unless it is the one that is adopted.
//
// The first write to a file after that gives it a new data key.
func (v *Vault) Adopt(adoptions []*Adoption) (err error) {
	lock, err := v.Project.Lock()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	policy, err := lock.StagePolicy(v.Project)
	if err != nil {
		return err
	}
	all := []*project.Staged{policy}
	for _, a := range adoptions {
		staged, err := v.stageAdoption(lock, a)
		if err != nil {
			for _, s := range all {
				s.Discard()
			}
			return err
		}
		all = append(all, staged...)
	}
	return project.CommitAll(all)
}

func (v *Vault) stageAdoption(lock *project.Lock, a *Adoption) ([]*project.Staged, error) {
	old, err := v.Project.ReadFiles(a.Name)
	if err != nil {
		return nil, err
	}
	inPlace := a.from == v.Project.Path(a.Name)
	switch {
	case inPlace && !bytes.Equal(old.Data, a.data):
		return nil, &project.ChangedError{Path: a.from}
	case !inPlace && old.Data != nil:
		return nil, &project.ChangedError{Path: v.Project.Path(a.Name), Err: fs.ErrExist}
	case inPlace && a.Done:
		return nil, nil
	}
	new := project.Files{Data: a.text}
	if new.History, err = v.adoptionHistory(a, old); err != nil {
		return nil, err
	}
	return lock.StageFiles(v.Project, a.Name, old, new, false)
}

func (v *Vault) adoptionHistory(a *Adoption, old project.Files) ([]byte, error) {
	record := history.Record{
		Time:   v.Now(),
		Actor:  v.Author,
		Action: actionAdopt,
		Keys:   history.Keys{Added: a.Doc.Keys()},
		File:   history.Sum(a.text),
	}
	record.Actor.Member = v.Project.Policy.Directory.Owner(a.Doc.OpenedBy())
	for _, text := range a.Doc.Recipients() {
		record.Readers.Gained = append(record.Readers.Gained, v.Name(text))
	}
	lines, err := history.Parse(old.History).Append(record, sumOf(old.Data), v.known(a.Name))
	if err != nil {
		return nil, &HistoryError{Environment: a.Name, Path: v.Project.HistoryPath(a.Name), Err: err}
	}
	return lines, nil
}

// isAdopted tells whether a file is as an adoption left it.
func isAdopted(log *history.Log, data []byte) bool {
	sum := sumOf(data)
	return slices.ContainsFunc(log.Records(), func(r history.Record) bool { return r.Action == actionAdopt && r.File == sum })
}
