package vault

import (
	"fmt"

	"envcrypt/crypt"
	"envcrypt/internal/history"
	"envcrypt/internal/project"
	"envcrypt/recipients"
)

// A HistoryError says that an environment's history cannot be written on.
type HistoryError struct {
	Environment string
	Path        string
	Err         error
}

func (e *HistoryError) Error() string { return fmt.Sprintf("%s: %v", e.Path, e.Err) }
func (e *HistoryError) Unwrap() error { return e.Err }

// files makes an environment's new files: its document encrypted, and its
// history with one more record.
func (v *Vault) files(e *Environment, action string, old project.Files) (project.Files, error) {
	by := e.Doc.OpenedBy()
	// Whoever may commit can have put a file there whose data key they know: what
	// the history does not describe gets a new one, and so does a file that gets
	// its first values, in which there is no ciphertext to keep. That of a file of
	// sops's may be known to whomever sops removed.
	log := history.Parse(old.History)
	items := e.Doc.Items()
	d := Diff(e.Before, items)
	var overridden []string
	if action != sealAction { // which is a person's own judgement of what is there
		var err error
		if overridden, err = v.refuse(e, items, d); err != nil {
			return project.Files{}, err
		}
	}
	first := len(d.Added) > 0 && len(d.Known)+len(d.Removed) == 0
	if first || !log.Describes(sumOf(old.Data)) || isAdopted(log, old.Data) {
		e.Doc.NewDataKey()
	}
	data, err := v.encrypt(e.Name, e.Doc)
	if err != nil {
		return project.Files{}, err
	}
	record := history.Record{
		Time:    v.Now(),
		Actor:   v.Author,
		Action:  action,
		Keys:    history.Keys{Added: d.Added, Changed: d.Changed, Removed: d.Removed},
		Readers: v.readerNames(e.Readers),
		File:    history.Sum(data),
		From:    v.Note.From,
		Until:   v.Note.Until,
	}
	if record.Allowed = overridden; overridden != nil {
		record.Reason = v.Note.Reason
	}
	if len(e.Readers.Lost) > 0 {
		record.Rotate = d.Known
	}
	if by != "" {
		record.Actor.Member = v.owner(by)
	}
	lines, err := log.Append(record, sumOf(old.Data), v.known(e.Name))
	if err != nil {
		return project.Files{}, &HistoryError{Environment: e.Name, Path: v.Project.HistoryPath(e.Name), Err: err}
	}
	return project.Files{Data: data, History: lines}, nil
}

// sumOf is a file's sum as a history wants it.
func sumOf(data []byte) string {
	if data == nil {
		return ""
	}
	return history.Sum(data)
}

func (v *Vault) known(name string) func(string) bool {
	if v.Committed == nil {
		return nil
	}
	return v.Committed(name)
}

func (v *Vault) readerNames(r Readers) (names history.Readers) {
	for _, g := range r.Gained {
		names.Gained = append(names.Gained, g.Member)
	}
	for _, text := range r.Lost {
		names.Lost = append(names.Lost, v.Name(text))
	}
	return names
}

// Name returns the member whose public key text is or was, or the key cut short.
func (v *Vault) Name(text string) string {
	if owner := v.owner(text); owner != "" {
		return owner
	}
	return recipients.Short(text)
}

// owner returns the member whose public key text is or was, "" if it is nobody's.
func (v *Vault) owner(text string) string {
	owner := v.Project.Policy.Directory.Owner(text)
	if owner == "" && v.Former != nil {
		owner = v.Former.Owner(text)
	}
	return owner
}

// History reads the record of an environment's writes, and verifies it.
func (v *Vault) History(name string) (log *history.Log, problems []history.Problem, err error) {
	if _, err := v.Project.Policy.Environment(name); err != nil {
		return nil, nil, err
	}
	files, err := v.Project.ReadFiles(name)
	if err != nil {
		return nil, nil, err
	}
	log = history.Parse(files.History)
	return log, log.Verify(sumOf(files.Data), v.known(name)), nil
}

// Changes is the difference of two sets of values, by name.
type Changes struct {
	Added, Changed, Removed []string
	Known                   []string // keys that were there before and still are
}

// Diff compares the values of two lists of lines.
func Diff(before, after []crypt.Item) Changes {
	old := make(map[string]string)
	for _, it := range before {
		if it.Kind == crypt.Entry {
			old[it.Key] = it.Value
		}
	}
	var d Changes
	for _, it := range after {
		if it.Kind != crypt.Entry {
			continue
		}
		was, ok := old[it.Key]
		switch {
		case !ok:
			d.Added = append(d.Added, it.Key)
		case was != it.Value:
			d.Changed = append(d.Changed, it.Key)
			d.Known = append(d.Known, it.Key)
		default:
			d.Known = append(d.Known, it.Key)
		}
		delete(old, it.Key)
	}
	for _, it := range before {
		if _, gone := old[it.Key]; gone && it.Kind == crypt.Entry {
			d.Removed = append(d.Removed, it.Key)
		}
	}
	return d
}

// RemovesAll tells whether every key that was there is gone.
func (d Changes) RemovesAll() bool { return len(d.Removed) > 0 && len(d.Known) == 0 }

// None tells whether there is no difference.
func (d Changes) None() bool { return len(d.Added)+len(d.Changed)+len(d.Removed) == 0 }
