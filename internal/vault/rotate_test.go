package vault

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"envcrypt/crypt"
	"envcrypt/internal/history"
	"envcrypt/internal/project"
)

// A key whose readers were cut is due until it is written again, and no other write
// settles it.
func TestRotation(t *testing.T) {
	p := newPlace(t)
	p.policy("alice", "ci")
	v := p.vault(p.alice)
	steps := v.Plan([]string{"development"})
	if err := v.Rekey(steps, func(int) {}); err != nil {
		t.Fatal(err)
	}
	p.mustSet(v, "A", "1")
	p.mustSet(v, "B", "1")
	p.policy("alice")
	v = p.vault(p.alice)
	if steps = v.Plan([]string{"development"}); v.Rekey(steps, func(int) {}) != nil || steps[0].Err != nil {
		t.Fatal(steps[0].Err)
	}
	p.mustSet(v, "C", "1")
	p.mustSet(v, "A", "2")
	r, err := p.vault(p.ci).Rotation("development")
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Marks) != 1 || r.Marks[0].Key != "B" || !slices.Equal(r.Marks[0].Records[0].Readers.Lost, []string{"ci"}) {
		t.Errorf("%+v", r.Marks)
	}
	var unknown *project.UnknownEnvironmentError
	if _, err := v.Rotation("nowhere"); !errors.As(err, &unknown) {
		t.Error(err)
	}
}

func TestRotateDataKey(t *testing.T) {
	p := newPlace(t)
	v := p.vault(p.alice)
	p.mustSet(v, "A", "hunter2")
	before := p.read("development")
	if err := v.RotateDataKey("development", func(*crypt.Document) {}); err != nil {
		t.Fatal(err)
	}
	after := p.read("development")
	for line := range strings.Lines(string(before)) {
		if strings.Contains(line, "ENC[") && bytes.Contains(after, []byte(line)) || strings.HasPrefix(line, "sops_age__list_0__map_enc=") && bytes.Contains(after, []byte(line)) {
			t.Errorf("kept: %s", line)
		}
	}
	env, err := v.Open("development")
	if err != nil {
		t.Fatal(err)
	}
	if value, _ := env.Doc.Get("A"); value != "hunter2" || env.Readers.Differ() {
		t.Errorf("%q, %+v", value, env.Readers)
	}
	log, problems, err := v.History("development")
	if err != nil || len(problems) > 0 {
		t.Fatal(problems, err)
	}
	last := log.Newest()[0]
	if last.Action != "rotate data key" || last.Actor.Member != "alice" || len(last.Rotate)+len(last.Keys.Changed)+len(last.Readers.Lost) > 0 {
		t.Errorf("%+v", last)
	}
}

// What would stop the write stops it before edit is called.
func TestChangeOnce(t *testing.T) {
	p := newPlace(t)
	v := p.vault(p.alice)
	p.mustSet(v, "A", "1")
	calls := 0
	once := func(v *Vault) error {
		return v.ChangeOnce("development", history.ActionRotate, func(doc *crypt.Document) (bool, error) {
			calls++
			return true, doc.Set("A", "2")
		})
	}
	if err := once(v); err != nil || calls != 1 {
		t.Fatalf("%v after %d calls", err, calls)
	}
	log, problems, err := v.History("development")
	last := log.Newest()[0]
	if err != nil || len(problems) > 0 || !slices.Equal(last.Keys.Changed, []string{"A"}) || last.Actor.Member != "alice" {
		t.Errorf("%+v, %v, %v", last, problems, err)
	}

	lines := v.Project.HistoryPath("development")
	good, err := os.ReadFile(lines)
	if err != nil {
		t.Fatal(err)
	}
	before := p.read("development")
	var conflict *history.ConflictError
	if err := os.WriteFile(lines, append([]byte("<<<<<<< ours\n"), good...), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := once(v); !errors.As(err, &conflict) {
		t.Errorf("a conflict: %v", err)
	}
	if err := os.WriteFile(lines, good, 0o600); err != nil {
		t.Fatal(err)
	}
	p.policy("alice", "ci")
	var readers *ReadersError
	if err := once(p.vault(p.alice)); !errors.As(err, &readers) {
		t.Errorf("other readers: %v", err)
	}
	p.policy("alice")
	for _, file := range []string{p.file("development"), lines} {
		if err := os.Chmod(file, 0o400); err != nil {
			t.Fatal(err)
		}
		if err := once(v); !errors.Is(err, os.ErrPermission) {
			t.Errorf("read-only: %v", err)
		}
		if err := os.Chmod(file, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if calls != 1 || !bytes.Equal(before, p.read("development")) {
		t.Errorf("%d calls, or another file", calls)
	}
}
