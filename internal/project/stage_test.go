//go:build unix

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
	if err := p.Replace("dev", nil, to("old")); err != nil {
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
		s, err := l.stageWrite(path, []byte("old"), []byte("new"), true)
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

// TestUpdateFiles: the history is replaced before the file that it describes, and neither
// if one of them cannot be written.
func TestUpdateFiles(t *testing.T) {
	p := &Project{Root: t.TempDir()}
	both := func(data, history string) func(Files) (Files, error) {
		return func(Files) (Files, error) { return Files{[]byte(data), []byte(history)}, nil }
	}
	if _, err := p.Update("dev", both("data 1", "record 1")); err != nil {
		t.Fatal(err)
	}
	read := func() string {
		f, err := p.ReadFiles("dev")
		if err != nil {
			t.Fatal(err)
		}
		return string(f.Data) + ", " + string(f.History)
	}
	for _, c := range []struct {
		step string
		nth  int // occurrence of the step that fails
		want string
	}{
		{"create", 1, "data 1, record 1"},
		{"create", 2, "data 1, record 1"},
		{"fsync", 2, "data 1, record 1"},
		{"rename", 1, "data 1, record 1"},
		{"rename", 2, "data 1, record 2"}, // as after a crash between the two
	} {
		left := c.nth
		testOnlyFault = func(at string) error {
			if at == c.step {
				left--
			}
			if at == c.step && left == 0 {
				return errors.New("injected")
			}
			return nil
		}
		_, err := p.Update("dev", both("data 2", "record 2"))
		testOnlyFault = nil
		if got := read(); err == nil || got != c.want {
			t.Errorf("%s %d: %v, left %q, want %q", c.step, c.nth, err, got, c.want)
		}
		if entries, _ := os.ReadDir(filepath.Dir(p.Path("dev"))); len(entries) != 2 {
			t.Errorf("%s %d: left %d files", c.step, c.nth, len(entries))
		}
		if _, err := p.Update("dev", both("data 1", "record 1")); err != nil {
			t.Fatal(err)
		}
	}
}
