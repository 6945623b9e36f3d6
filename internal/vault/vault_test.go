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
	"sync"
	"testing"
	"time"

	"envcrypt/crypt"
	"envcrypt/internal/project"

	"filippo.io/age"
)

// person is somebody with a key.
type person struct {
	identity crypt.Identity
	public   string
}

func newPerson(t *testing.T) person {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	public := id.Recipient().String()
	return person{crypt.Identity{Identity: id, Recipient: public}, public}
}

// place is a project on disk with a policy that tests change.
type place struct {
	t         *testing.T
	dir       string
	alice, ci person
}

func newPlace(t *testing.T) *place {
	p := &place{t: t, dir: t.TempDir(), alice: newPerson(t), ci: newPerson(t)}
	p.policy("alice")
	v := p.vault(p.alice)
	for _, env := range v.Project.Policy.Environments {
		if err := v.Create(env.Name); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// policy makes these the readers of development; staging is alice's.
func (p *place) policy(readers ...string) {
	p.t.Helper()
	text := fmt.Sprintf(`version = 1
[members.alice]
keys = [%q]
[members.ci]
keys = [%q]
[environments.development]
readers = ["%s"]
[environments.staging]
readers = ["alice"]
`, p.alice.public, p.ci.public, strings.Join(readers, `", "`))
	if err := os.WriteFile(filepath.Join(p.dir, project.PolicyName), []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// vault reads the policy anew, for somebody.
func (p *place) vault(who person) *Vault {
	p.t.Helper()
	found, err := project.Find(p.dir)
	if err != nil {
		p.t.Fatal(err)
	}
	return &Vault{
		Project:    found,
		Identities: slices.Values([]crypt.Identity{who.identity}),
		Now:        time.Now,
		Plugins:    func(string) bool { return false },
		Committed:  func(string) func(string) bool { return func(string) bool { return false } },
	}
}

func (p *place) file(env string) string { return filepath.Join(p.dir, "secrets", env+".env") }

func (p *place) read(env string) []byte {
	p.t.Helper()
	data, err := os.ReadFile(p.file(env))
	if err != nil {
		p.t.Fatal(err)
	}
	return data
}

func (p *place) set(v *Vault, key, value string) error {
	return v.Change("development", "set", func(doc *crypt.Document) (bool, error) { return true, doc.Set(key, value) })
}

func (p *place) mustSet(v *Vault, key, value string) {
	p.t.Helper()
	if err := p.set(v, key, value); err != nil {
		p.t.Fatal(err)
	}
}

func TestChange(t *testing.T) {
	p := newPlace(t)
	v := p.vault(p.alice)
	p.mustSet(v, "A", "hunter2")
	env, err := v.Open("development")
	if err != nil {
		t.Fatal(err)
	}
	if value, ok := env.Doc.Get("A"); !ok || value != "hunter2" || env.Readers.Differ() {
		t.Errorf("%q, %v, %+v", value, ok, env.Readers)
	}
	before := p.read("development")
	if err := v.Change("development", "set", func(*crypt.Document) (bool, error) { return false, nil }); err != nil {
		t.Error(err)
	}
	failed := errors.New("edit failed")
	if err := v.Change("development", "set", func(doc *crypt.Document) (bool, error) { return true, errors.Join(doc.Set("B", "x"), failed) }); !errors.Is(err, failed) {
		t.Error(err)
	}
	if !bytes.Equal(before, p.read("development")) {
		t.Error("the file was changed")
	}
}

func TestErrors(t *testing.T) {
	p := newPlace(t)
	alice, ci := p.vault(p.alice), p.vault(p.ci)
	edited := func(*crypt.Document) (bool, error) { t.Error("edit was called"); return true, nil }

	var unknown *project.UnknownEnvironmentError
	for _, name := range []string{"nowhere", "../../etc/passwd", ""} {
		if _, err := alice.Open(name); !errors.As(err, &unknown) {
			t.Errorf("Open %q: %v", name, err)
		}
		if err := alice.Change(name, "set", edited); !errors.As(err, &unknown) {
			t.Errorf("Change %q: %v", name, err)
		}
	}
	var opening *OpenError
	var none *crypt.NoIdentityError
	env, err := ci.Open("development")
	if env != nil || !errors.As(err, &opening) || opening.Environment != "development" || !errors.As(err, &none) {
		t.Errorf("Open: %v, %v", env, err)
	}
	if err := ci.Change("development", "set", edited); !errors.As(err, &none) {
		t.Errorf("Change: %v", err)
	}
	var changed *project.ChangedError
	if err := alice.Create("development"); !errors.As(err, &changed) || !errors.Is(err, fs.ErrExist) {
		t.Errorf("Create: %v", err)
	}
	if err := os.WriteFile(p.file("development"), p.read("staging"), 0o600); err != nil {
		t.Fatal(err)
	}
	var seal *crypt.SealError
	if _, err := alice.Open("development"); !errors.As(err, &seal) || seal.State != crypt.SealMisplaced {
		t.Errorf("Open of another environment's file: %v", err)
	}
	if err := alice.Change("development", "set", edited); !errors.As(err, &seal) {
		t.Errorf("Change: %v", err)
	}
	if env, err := alice.OpenAnySeal("development"); err != nil || env.Name != "development" {
		t.Errorf("OpenAnySeal: %v", err)
	}
	if err := os.Remove(p.file("development")); err != nil {
		t.Fatal(err)
	}
	var missing *MissingError
	if _, err := alice.Open("development"); !errors.As(err, &missing) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open: %v", err)
	}
	if err := alice.Change("development", "set", edited); !errors.As(err, &missing) {
		t.Errorf("Change: %v", err)
	}
	if step := alice.Plan([]string{"development"})[0]; !errors.As(step.Err, &missing) {
		t.Errorf("Plan: %v", step.Err)
	}
}

// A file is written only for those whom the policy lists: until a rekey, any
// other write stops, and nothing else than the policy adds a reader.
func TestReaders(t *testing.T) {
	p := newPlace(t)
	p.mustSet(p.vault(p.alice), "A", "hunter2")
	before := p.read("development")
	for name, c := range map[string]struct {
		readers      []string
		gained, lost int
	}{
		"gained":   {[]string{"alice", "ci"}, 1, 0},
		"replaced": {[]string{"ci"}, 1, 1},
	} {
		p.policy(c.readers...)
		v := p.vault(p.alice)
		var differ *ReadersError
		if err := p.set(v, "B", "x"); !errors.As(err, &differ) || len(differ.Readers.Gained) != c.gained || len(differ.Readers.Lost) != c.lost {
			t.Errorf("%s: Change: %v", name, err)
		}
		env, err := v.Open("development")
		if err != nil {
			t.Fatal(err)
		}
		if err := v.Save(env, "edit"); !errors.As(err, &differ) {
			t.Errorf("%s: Save: %v", name, err)
		}
		if !bytes.Equal(before, p.read("development")) {
			t.Errorf("%s: the file was changed", name)
		}
	}
}

func TestSaveAfterAnothersChange(t *testing.T) {
	p := newPlace(t)
	v := p.vault(p.alice)
	env, err := v.Open("development")
	if err != nil {
		t.Fatal(err)
	}
	p.mustSet(v, "THEIRS", "hunter2")
	before := p.read("development")
	if err := env.Doc.Set("MINE", "x"); err != nil {
		t.Fatal(err)
	}
	var changed *project.ChangedError
	if err := v.Save(env, "edit"); !errors.As(err, &changed) {
		t.Errorf("Save: %v", err)
	}
	if !bytes.Equal(before, p.read("development")) {
		t.Error("the file was changed")
	}
}

func TestRekey(t *testing.T) {
	p := newPlace(t)
	p.mustSet(p.vault(p.alice), "A", "hunter2")
	names := []string{"development", "staging"}
	rekey := func(who person) []Step {
		v := p.vault(who)
		steps := v.Plan(names)
		var done, want []int
		for i := range steps {
			if steps[i].Readers.Differ() {
				want = append(want, i)
			}
		}
		err := v.Rekey(steps, func(i int) { done = append(done, i) })
		slices.Sort(done)
		if err != steps[0].Err || !slices.Equal(done, want) {
			t.Errorf("%v; done was called with %v, want %v", err, done, want)
		}
		return steps
	}
	line := func() string {
		for line := range strings.Lines(string(p.read("development"))) {
			if strings.HasPrefix(line, "A=") {
				return line
			}
		}
		t.Fatal("A has gone")
		return ""
	}
	first := line()
	if rekey(p.alice); line() != first {
		t.Error("nothing was to be done")
	}

	p.policy("alice", "ci")
	steps := rekey(p.alice)
	if steps[0].Err != nil || len(steps[0].Readers.Gained) != 1 || !slices.Equal(steps[0].Keys, []string{"A"}) || steps[1].Readers.Differ() {
		t.Errorf("%+v", steps)
	}
	if line() != first {
		t.Error("a new reader cost new ciphertext")
	}
	if env, err := p.vault(p.ci).Open("development"); err != nil || env.Readers.Differ() {
		t.Errorf("ci: %v", err)
	}
	if _, err := p.vault(p.ci).Open("staging"); err == nil {
		t.Error("ci opens staging")
	}

	p.policy("ci", "alice")
	if steps := rekey(p.alice); !steps[0].Readers.Reordered || steps[0].Err != nil {
		t.Errorf("%+v", steps[0])
	}

	p.policy("alice")
	if steps := rekey(p.alice); !slices.Equal(steps[0].Readers.Lost, []string{p.ci.public}) || steps[0].Err != nil {
		t.Errorf("%+v", steps[0])
	}
	if line() == first {
		t.Error("the data key that ci knew is still in use")
	}
	if _, err := p.vault(p.ci).Open("development"); err == nil {
		t.Error("ci still opens development")
	}

	// Who cannot open a file cannot rekey it, and the others are done all the same.
	p.policy("alice", "ci")
	before := p.read("development")
	var none *crypt.NoIdentityError
	if steps := rekey(p.ci); !errors.As(steps[0].Err, &none) || steps[1].Err != nil || !bytes.Equal(before, p.read("development")) {
		t.Errorf("%+v", steps)
	}
}

// What somebody agreed to is what is done: a policy or a file that has changed
// since is not.
func TestRekeyOfAnotherPlan(t *testing.T) {
	p := newPlace(t)
	p.policy("alice", "ci")
	v := p.vault(p.alice)
	steps := v.Plan([]string{"development"})
	again := v.Plan([]string{"development"})
	if err := v.Rekey(again, func(int) {}); err != nil || again[0].Err != nil {
		t.Fatal(err, again[0].Err)
	}
	before := p.read("development")
	var changed *project.ChangedError
	if !errors.As(v.Rekey(steps, func(int) {}), &changed) || !bytes.Equal(before, p.read("development")) {
		t.Errorf("%v", steps[0].Err)
	}
}

func TestParallelChanges(t *testing.T) {
	p := newPlace(t)
	const writers = 20
	var group sync.WaitGroup
	for i := range writers {
		v := p.vault(p.alice)
		group.Go(func() {
			if err := p.set(v, fmt.Sprintf("KEY_%d", i), "hunter2"); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	env, err := p.vault(p.alice).Open("development")
	if err != nil {
		t.Fatal(err)
	}
	if got := len(env.Doc.Keys()); got != writers {
		t.Errorf("%d keys of %d", got, writers)
	}
}

func TestSeal(t *testing.T) {
	p := newPlace(t)
	v := p.vault(p.alice)
	p.mustSet(v, "A", "hunter2")
	if err := os.WriteFile(p.file("staging"), p.read("development"), 0o600); err != nil {
		t.Fatal(err)
	}
	env, err := v.OpenAnySeal("staging")
	if err != nil {
		t.Fatal(err)
	}
	env.Doc.Adopt()
	if err := v.Seal(env); err != nil {
		t.Fatal(err)
	}
	if env, err = v.Open("staging"); err != nil {
		t.Fatal(err)
	}
	if value, _ := env.Doc.Get("A"); value != "hunter2" {
		t.Errorf("A is %q", value)
	}
}

// TestForeignDataKey: somebody who may commit but not read puts a file of their
// own making in place, whose data key they know. What is set afterwards is not
// for them; a file that the history describes keeps its data key.
func TestForeignDataKey(t *testing.T) {
	p := newPlace(t)
	v := p.vault(p.alice)
	wrapped := func() string {
		for line := range strings.Lines(string(p.read("development"))) {
			if strings.HasPrefix(line, "sops_age__list_0__map_enc=") {
				return line
			}
		}
		t.Fatal("no stanza")
		return ""
	}
	empty := wrapped()
	p.mustSet(v, "A", "1")
	first := wrapped()
	if first == empty {
		t.Error("an empty file's data key was kept, though there was no ciphertext to keep")
	}
	p.mustSet(v, "B", "2")
	if wrapped() != first {
		t.Error("the data key did not stay in an ordinary write")
	}

	forged := new(crypt.Document)
	if err := forged.Set("A", "1"); err != nil {
		t.Fatal(err)
	}
	to := crypt.Recipient{Recipient: p.alice.identity.Identity.(*age.X25519Identity).Recipient(), Text: p.alice.public}
	data, err := crypt.Seal(forged, "development", crypt.AnyOf(to), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p.file("development"), data, 0o644); err != nil {
		t.Fatal(err)
	}
	theirs := wrapped()
	p.mustSet(v, "SECRET", "hunter2")
	if wrapped() == theirs {
		t.Error("the data key of a file that no history describes was kept")
	}
}
