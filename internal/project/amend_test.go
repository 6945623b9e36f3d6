//go:build unix

package project

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// amendment is a project of two environments, and the next state of its policy and files.
type amendment struct {
	project *Project
	paths   []string
	old     []string
	new     []string
}

func newAmendment(t *testing.T) *amendment {
	t.Helper()
	dir := t.TempDir()
	text, _ := fillKeys(t, "version = 1\n[members.a]\nkeys = [\"<A>\"]\n[environments.one]\nreaders = [\"a\"]\n[environments.two]\nreaders = [\"a\"]\n")
	writeFile(t, filepath.Join(dir, PolicyName), text)
	m := &amendment{old: []string{text, "old 1", "old 2"}, new: []string{text + "# new\n", "new 1", "new 2"}}
	m.find(t, dir)
	for i := range m.paths[1:] {
		writeFile(t, m.paths[i+1], m.old[i+1])
	}
	return m
}

func (m *amendment) find(t *testing.T, dir string) {
	t.Helper()
	p, err := Find(dir)
	if err != nil {
		t.Fatal(err)
	}
	m.project, m.paths = p, []string{filepath.Join(dir, PolicyName), p.Path("one"), p.Path("two")}
}

func amend(p *Project, text string) (err error) {
	amended, err := p.Amend([]byte(text))
	if err != nil {
		return err
	}
	l, err := amended.Lock()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	policy, err := l.StagePolicy(amended)
	if err != nil {
		return err
	}
	all := []*Staged{policy}
	for i, name := range []string{"one", "two"} {
		staged, err := l.StageFiles(amended, name, Files{Data: fmt.Appendf(nil, "old %d", i+1)}, Files{Data: fmt.Appendf(nil, "new %d", i+1)}, true)
		if err != nil {
			discard(all)
			return err
		}
		all = append(all, staged...)
	}
	return CommitAll(all)
}

// amender dies at the nth time that a step comes: "STEP-N".
func amender(at, root, text string) error {
	name, number, _ := strings.Cut(at, "-")
	left, err := strconv.Atoi(number)
	if err != nil {
		return err
	}
	testOnlyFault = func(step string) error {
		if step == name {
			if left--; left == 0 {
				syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {}
			}
		}
		return nil
	}
	p, err := Find(root)
	if err != nil {
		return err
	}
	return amend(p, text)
}

// state says which of the files are new: "nnn" when all are.
func (m *amendment) state(t *testing.T) string {
	t.Helper()
	var state strings.Builder
	for i, path := range m.paths {
		switch text, _ := os.ReadFile(path); string(text) {
		case m.old[i]:
			state.WriteString("o")
		case m.new[i]:
			state.WriteString("n")
		default:
			t.Fatalf("%s is a mixture: %q", path, text)
		}
	}
	return state.String()
}

func (m *amendment) files(t *testing.T) (n int) {
	t.Helper()
	for _, dir := range []string{m.project.Root, filepath.Dir(m.paths[1])} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		n += len(entries)
	}
	return n
}

func TestAmend(t *testing.T) {
	m := newAmendment(t)
	if err := amend(m.project, m.new[0]); err != nil || m.state(t) != "nnn" || m.files(t) != 4 {
		t.Fatalf("%v, left %s in %d files", err, m.state(t), m.files(t))
	}
}

func TestAmendRefusesBadPolicy(t *testing.T) {
	m := newAmendment(t)
	var mistake *PolicyError
	if err := amend(m.project, "version = 1\n"); !errors.As(err, &mistake) || m.state(t) != "ooo" {
		t.Errorf("got %v, left %s", err, m.state(t))
	}
}

// TestAmendFaults: an error at any step of any of the files leaves all of them old.
func TestAmendFaults(t *testing.T) {
	for _, at := range []string{"create", "write", "fsync", "compare", "rename"} {
		times := 3
		if at == "compare" {
			times = 6 // before the first rename, and again before each
		}
		for n := 1; n <= times; n++ {
			m := newAmendment(t)
			left := n
			setFault(t, func(step string) error {
				if step == at {
					if left--; left == 0 {
						return errors.New("injected")
					}
				}
				return nil
			})
			err := amend(m.project, m.new[0])
			testOnlyFault = nil
			if err == nil || m.state(t) != "ooo" || m.files(t) != 4 {
				t.Errorf("%s %d: %v, left %s in %d files", at, n, err, m.state(t), m.files(t))
			}
		}
	}
}

// TestAmendMeanwhile: a file that somebody changes while the others are staged keeps all as
// they are, and so does a policy.
func TestAmendMeanwhile(t *testing.T) {
	for changed := range 3 {
		m := newAmendment(t)
		done := false
		setFault(t, func(step string) error {
			if step == "create" && !done {
				done = true
				m.old[changed] += "# theirs\n"
				writeFile(t, m.paths[changed], m.old[changed])
			}
			return nil
		})
		err := amend(m.project, m.new[0])
		testOnlyFault = nil
		var conflict *ChangedError
		if !errors.As(err, &conflict) || m.state(t) != "ooo" || m.files(t) != 4 {
			t.Errorf("file %d: %v, left %s in %d files", changed, err, m.state(t), m.files(t))
		}
	}
}

// TestAmendKill: killed at any step, each file is old or new, and no file is new before the
// policy is: whoever compares them knows what is left to do.
func TestAmendKill(t *testing.T) {
	for at, want := range map[string]string{
		"create-1": "ooo", "create-3": "ooo", "fsync-1": "ooo", "fsync-3": "ooo", "compare-1": "ooo", "compare-3": "ooo",
		"compare-4": "ooo", "compare-6": "nno", "rename-1": "ooo", "rename-2": "noo", "rename-3": "nno", "fsyncdir-1": "nnn",
	} {
		m := newAmendment(t)
		err := command(t, "amend-"+at, m.project, m.new[0]).Run()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("%s: it was not killed: %v", at, err)
		}
		if got := m.state(t); got != want {
			t.Errorf("%s: left %s, want %s", at, got, want)
		}
		// The next writer sweeps what is left.
		m.find(t, m.project.Root)
		l, err := m.project.Lock()
		if err != nil {
			t.Fatal(err)
		}
		for i, path := range m.paths[1:] { // which is all that a rekey writes
			now := m.old[i+1]
			if m.state(t)[i+1] == 'n' {
				now = m.new[i+1]
			}
			if err := l.Write(path, []byte(now), []byte(m.new[i+1])); err != nil {
				t.Fatal(err)
			}
		}
		l.Close()
		if m.files(t) != 4 {
			t.Errorf("%s: left %d files", at, m.files(t))
		}
	}
}
