package project

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestStage(t *testing.T) {
	p := &Project{Root: t.TempDir()}
	path := p.Path("dev")
	if err := p.Replace("dev", nil, []byte("old")); err != nil {
		t.Fatal(err)
	}
	content := func() string {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	files := func() int {
		entries, err := os.ReadDir(filepath.Dir(path))
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	l, err := p.Lock()
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	stage := func() *Staged {
		s, err := l.Stage(path, []byte("old"), []byte("new"))
		if err != nil {
			t.Fatal(err)
		}
		if content() != "old" || files() != 2 {
			t.Fatalf("staging left %q in %d files", content(), files())
		}
		return s
	}

	stage().Discard()
	if content() != "old" || files() != 1 {
		t.Errorf("discarding left %q in %d files", content(), files())
	}

	for _, step := range []string{"fsync", "compare", "rename"} {
		broken := errors.New("injected")
		s := stage()
		testOnlyFault = func(at string) error {
			if at == step {
				return broken
			}
			return nil
		}
		err := s.Commit()
		testOnlyFault = nil
		if !errors.Is(err, broken) || content() != "old" || files() != 1 {
			t.Errorf("a fault at %s: %v, left %q in %d files", step, err, content(), files())
		}
	}

	s := stage()
	if err := os.WriteFile(path, []byte("theirs"), 0o644); err != nil {
		t.Fatal(err)
	}
	var changed *ChangedError
	if err := s.Commit(); !errors.As(err, &changed) || content() != "theirs" || files() != 1 {
		t.Errorf("over another's change: %v, left %q in %d files", err, content(), files())
	}

	if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := stage().Commit(); err != nil || !bytes.Equal([]byte(content()), []byte("new")) || files() != 1 {
		t.Errorf("commit: %v, left %q in %d files", err, content(), files())
	}
}
