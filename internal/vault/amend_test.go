package vault

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"envcrypt/crypt"
	"envcrypt/internal/project"
)

// amended plans a change of the policy's text.
func (p *place) amended(who person, old, new string) (*Vault, []Step) {
	p.t.Helper()
	v := p.vault(who)
	v.Former = &v.Project.Policy.Directory
	changed, err := v.Project.Amend([]byte(strings.ReplaceAll(string(v.Project.Text()), old, new)))
	if err != nil {
		p.t.Fatal(err)
	}
	v.Project = changed
	return v, v.Plan([]string{"development", "staging"})
}

func (p *place) bytes(name string) string {
	p.t.Helper()
	data, err := os.ReadFile(filepath.Join(p.dir, name))
	if err != nil {
		p.t.Fatal(err)
	}
	return string(data)
}

func TestAmend(t *testing.T) {
	p := newPlace(t)
	p.policy("alice", "ci")
	v := p.vault(p.alice)
	steps := v.Plan([]string{"development"})
	if err := v.Rekey(steps, func(int) {}); err != nil || steps[0].Err != nil {
		t.Fatal(err, steps[0].Err)
	}
	if err := p.vault(p.alice).Change("development", "set", func(doc *crypt.Document) (bool, error) { return true, doc.Set("A", "1") }); err != nil {
		t.Fatal(err)
	}

	v, steps = p.amended(p.alice, `"alice", "ci"`, `"alice"`)
	if err := v.Amend("revoke", steps); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(p.bytes("envcrypt.toml"), `"alice", "ci"`) {
		t.Error("the policy is the old one")
	}
	if _, err := p.vault(p.ci).Open("development"); err == nil {
		t.Error("ci still opens it")
	}
	log, problems, err := p.vault(p.alice).History("development")
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	record := log.Newest()[0]
	if record.Action != "revoke" || strings.Join(record.Readers.Lost, " ") != "ci" || strings.Join(record.Rotate, " ") != "A" {
		t.Errorf("got %+v", record)
	}
}

// TestAmendAllOrNothing: one file that cannot be opened keeps the policy and the other files
// as they are.
func TestAmendAllOrNothing(t *testing.T) {
	p := newPlace(t)
	damaged := strings.Replace(p.bytes("secrets/staging.env"), "sops_mac=", "sops_mac=x", 1)
	if err := os.WriteFile(filepath.Join(p.dir, "secrets", "staging.env"), []byte(damaged), 0o644); err != nil {
		t.Fatal(err)
	}
	state := func() string {
		return p.bytes("envcrypt.toml") + p.bytes("secrets/development.env") + p.bytes("secrets/development.history") + p.bytes("secrets/staging.env")
	}
	before := state()
	v, steps := p.amended(p.alice, `readers = ["alice"]`, `readers = ["ci"]`)
	var opening *OpenError
	if err := v.Amend("grant", steps); !errors.As(err, &opening) {
		t.Errorf("got %v", err)
	}
	entries, _ := os.ReadDir(filepath.Join(p.dir, "secrets"))
	if state() != before || len(entries) != 4 {
		t.Errorf("something changed, or was left: %v", entries)
	}

	// A policy that somebody changes meanwhile.
	v, steps = p.amended(p.alice, `readers = ["alice"]`, `readers = ["ci"]`)
	if err := os.WriteFile(filepath.Join(p.dir, "envcrypt.toml"), []byte(p.bytes("envcrypt.toml")+"# theirs\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	before = state()
	var changed *project.ChangedError
	if err := v.Amend("grant", steps); !errors.As(err, &changed) || state() != before {
		t.Errorf("got %v", err)
	}
}
