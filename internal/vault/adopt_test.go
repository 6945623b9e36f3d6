package vault

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"envcrypt/crypt"
	"envcrypt/internal/project"
)

// fresh is a directory that is to become a project, and a file of sops's for development.
func fresh(t *testing.T) (p *place, v *Vault, data []byte) {
	t.Helper()
	old := newPlace(t)
	if err := old.vault(old.alice).Change("development", "set", func(doc *crypt.Document) (bool, error) {
		return true, errors.Join(doc.Set("A", "one"), doc.Set("EMPTY", ""))
	}); err != nil {
		t.Fatal(err)
	}
	_, unsealed, _ := strings.Cut(old.bytes("secrets/development.env"), "\n")
	p = &place{t: t, dir: t.TempDir(), alice: old.alice, ci: old.ci}
	made, err := (&project.Project{Root: p.dir}).Amend([]byte(old.bytes("envcrypt.toml")))
	if err != nil {
		t.Fatal(err)
	}
	v = &Vault{Project: made, Identities: slices.Values([]crypt.Identity{p.alice.identity}), Now: time.Now}
	return p, v, []byte(unsealed)
}

func (p *place) plan(v *Vault, path string, data []byte) *Adoption {
	p.t.Helper()
	a, err := v.PlanAdoption("development", filepath.Join(p.dir, path), data)
	if err != nil {
		p.t.Fatal(err)
	}
	return a
}

// files lists what is in the directory.
func (p *place) files() string {
	p.t.Helper()
	var found []string
	err := filepath.WalkDir(p.dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(p.dir, path)
			found = append(found, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return fmt.Sprint(found)
}

func TestAdopt(t *testing.T) {
	p, v, data := fresh(t)
	a := p.plan(v, "dev.env", data)
	if a.Done || a.Readers.Differ() || fmt.Sprint(a.Empty) != "[EMPTY]" || p.files() != "[]" {
		t.Errorf("planned %+v, %s", a, p.files())
	}
	if err := v.Adopt([]*Adoption{a}); err != nil {
		t.Fatal(err)
	}
	if got := p.files(); got != "[envcrypt.toml secrets/development.env secrets/development.history]" {
		t.Errorf("made %s", got)
	}
	if _, body, _ := strings.Cut(p.bytes("secrets/development.env"), "\n"); body != string(data) {
		t.Error("more than a seal is new")
	}
	log, problems, err := p.vault(p.alice).History("development")
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	if r := log.Newest()[0]; r.Action != "adopt" || fmt.Sprintf("%v %v %s", r.Keys.Added, r.Readers.Gained, r.Actor.Member) != "[A EMPTY] [alice] alice" {
		t.Errorf("got %+v", r)
	}
}

// The first write makes a new data key, and then it stays.
func TestAdoptThenWrite(t *testing.T) {
	p, v, data := fresh(t)
	if err := v.Adopt([]*Adoption{p.plan(v, "dev.env", data)}); err != nil {
		t.Fatal(err)
	}
	line := func() string {
		_, after, _ := strings.Cut(p.bytes("secrets/development.env"), "\nA=")
		value, _, _ := strings.Cut(after, "\n")
		return value
	}
	write := func(value string) {
		err := p.vault(p.alice).Change("development", "set", func(doc *crypt.Document) (bool, error) { return true, doc.Set("B", value) })
		if err != nil {
			t.Fatal(err)
		}
	}
	adopted := line()
	write("1")
	first := line()
	write("2")
	if adopted == first || first != line() {
		t.Error("the data key is new at the first write, and at no other")
	}
}

// A file that lies where an environment's belongs becomes it; a second adoption finds it done.
func TestAdoptInPlace(t *testing.T) {
	p, v, data := fresh(t)
	path := filepath.Join(p.dir, "secrets", "development.env")
	if err := errors.Join(os.Mkdir(filepath.Dir(path), 0o755), os.WriteFile(path, data, 0o644)); err != nil {
		t.Fatal(err)
	}
	a := p.plan(v, "secrets/development.env", data)
	if err := v.Adopt([]*Adoption{a}); err != nil {
		t.Fatal(err)
	}
	if _, problems, err := p.vault(p.alice).History("development"); err != nil || len(problems) > 0 {
		t.Error(err, problems)
	}
	sealed := p.bytes("secrets/development.env")
	if a := p.plan(v, "secrets/development.env", []byte(sealed)); !a.Done {
		t.Error("it was adopted already")
	}
}

func TestAdoptAllOrNothing(t *testing.T) {
	tests := map[string]struct {
		path  string // what is there
		plan  string // the path that is adopted
		cause error
	}{
		"an environment's file":     {"secrets/development.env", "dev.env", fs.ErrExist},
		"a policy":                  {"envcrypt.toml", "dev.env", fs.ErrExist},
		"a file that changed since": {"secrets/development.env", "secrets/development.env", nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p, v, data := fresh(t)
			a := p.plan(v, tt.plan, data)
			path := filepath.Join(p.dir, tt.path)
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte("theirs"), 0o644)); err != nil {
				t.Fatal(err)
			}
			err := v.Adopt([]*Adoption{a})
			var changed *project.ChangedError
			if !errors.As(err, &changed) || changed.Err != tt.cause {
				t.Errorf("got %v", err)
			}
			if p.files() != "["+tt.path+"]" || p.bytes(tt.path) != "theirs" {
				t.Errorf("left %s", p.files())
			}
		})
	}
}

func TestPlanAdoptionRefuses(t *testing.T) {
	p, v, data := fresh(t)
	v.Identities = slices.Values([]crypt.Identity{p.ci.identity})
	var none *crypt.NoIdentityError
	if a, err := v.PlanAdoption("development", "dev.env", data); a != nil || !errors.As(err, &none) {
		t.Errorf("a stranger: %v", err)
	}
	v.Identities = slices.Values([]crypt.Identity{p.alice.identity})
	var damage *crypt.DamagedError
	changed := bytes.Replace(data, []byte("EMPTY="), []byte("EMPTIER="), 1)
	if a, err := v.PlanAdoption("development", "dev.env", append([]byte("A2=x\n"), changed...)); a != nil || !errors.As(err, &damage) {
		t.Errorf("a changed file: %v", err)
	}
	var unknown *project.UnknownEnvironmentError
	if a, err := v.PlanAdoption("nowhere", "dev.env", data); a != nil || !errors.As(err, &unknown) {
		t.Errorf("an unknown environment: %v", err)
	}
}
