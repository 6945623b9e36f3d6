//go:build linux

package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"envcrypt/crypt"
)

// manyFiles are the environments of several projects, for rekeys that are killed.
type manyFiles struct {
	*workplace
	me, other string   // public keys
	projects  []string // directories
	files     []string // of the environments
}

func newManyFiles(t *testing.T) *manyFiles {
	const projects, environments = 4, 20
	m := &manyFiles{workplace: newWorkplace(t)}
	m.run("keygen", "-o", "other.key")
	m.me = m.public(filepath.Join("home", ".config", programName, "identity.txt"))
	m.other = m.public("other.key")
	for i := range projects {
		dir := filepath.Join(m.dir, "tree", fmt.Sprintf("p%d", i))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		m.projects = append(m.projects, dir)
		for e := range environments {
			m.files = append(m.files, filepath.Join(dir, "secrets", fmt.Sprintf("e%d.env", e)))
		}
	}
	m.policies(environments, "me")
	for _, dir := range m.projects {
		m.run("-C", dir, "init", "-q")
	}
	for _, file := range m.files {
		m.run("set", "-q", "-C", filepath.Dir(file), "-e", environmentOf(file), "A=hunter2-"+environmentOf(file))
	}
	return m
}

func environmentOf(file string) string { return strings.TrimSuffix(filepath.Base(file), ".env") }

func (m *manyFiles) public(file string) string {
	text, err := os.ReadFile(filepath.Join(m.dir, file))
	if err != nil {
		m.t.Fatal(err)
	}
	_, public, _ := strings.Cut(string(text), "# public key: ")
	public, _, _ = strings.Cut(public, "\n")
	return public
}

func (m *manyFiles) policies(environments int, readers ...string) {
	var policy strings.Builder
	fmt.Fprintf(&policy, "version = 1\n[members.me]\nkeys = [%q]\n[members.other]\nkeys = [%q]\n", m.me, m.other)
	for e := range environments {
		fmt.Fprintf(&policy, "[environments.e%d]\nreaders = [\"%s\"]\n", e, strings.Join(readers, `", "`))
	}
	for _, dir := range m.projects {
		if err := os.WriteFile(filepath.Join(dir, "envcrypt.toml"), []byte(policy.String()), 0o644); err != nil {
			m.t.Fatal(err)
		}
	}
}

func (m *manyFiles) read() map[string][]byte {
	content := make(map[string][]byte)
	for _, file := range m.files {
		data, err := os.ReadFile(file)
		if err != nil {
			m.t.Fatal(err)
		}
		content[file] = data
	}
	return content
}

// changed counts the files that are not what they were.
func (m *manyFiles) changed(before map[string][]byte) (n int) {
	for file, data := range m.read() {
		if !bytes.Equal(data, before[file]) {
			n++
		}
	}
	return n
}

// temporaries counts what lies beside the files and is none of them.
func (m *manyFiles) temporaries() (n int) {
	_ = filepath.WalkDir(filepath.Join(m.dir, "tree"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.Contains(d.Name(), ".envcrypt-") {
			n++
		}
		return nil
	})
	return n
}

// A rekey of many projects is killed at several points: every file is the old one
// or the new one, and the same command does the rest.
func TestRekeyIsKilled(t *testing.T) {
	m := newManyFiles(t)
	before := m.read()
	atLeast := func(n int) func() bool { return func() bool { return m.changed(before) >= n } }
	points := []struct {
		name  string
		there func() bool
	}{
		{"at once", func() bool { return true }},
		{"with the first file staged", func() bool { return m.temporaries() > 0 }},
		{"with half of them staged", func() bool { return m.temporaries() >= len(m.files) }},
		{"with the first file done", atLeast(1)},
		{"with half of them done", atLeast(len(m.files) / 2)},
		{"with all but a few done", atLeast(len(m.files) - 5)},
	}
	for i, point := range points {
		before = m.read()
		readers := []string{"me", "other"}
		if i%2 == 1 {
			readers = readers[:1] // which costs each file a new data key
		}
		m.policies(len(m.files)/len(m.projects), readers...)
		m.killRekey(point.there)

		want := []string{m.me, m.other}[:len(readers)]
		for file, data := range m.read() {
			if bytes.Equal(data, before[file]) {
				continue
			}
			summary, err := crypt.Inspect(data, crypt.Dotenv)
			if err != nil || !slices.Equal(summary.Recipients, want) {
				t.Errorf("killed %s: %s is neither the old file nor the new one: %v", point.name, file, err)
			}
		}
		m.run("rekey", "-C", "tree", "--all", "-y")
		left := m.run("rekey", "-C", "tree", "--all", "--json")
		if n := strings.Count(left, `"current"`); n < len(m.files) || n != strings.Count(left, `"outcome"`) {
			t.Errorf("killed %s: a second rekey leaves %s", point.name, left)
		}
		if n := m.temporaries(); n > 0 {
			t.Errorf("killed %s: %d temporary files are left", point.name, n)
		}
	}
	for _, file := range m.files {
		env := environmentOf(file)
		if got := m.run("get", "-C", filepath.Dir(file), "-e", env, "A"); got != "hunter2-"+env {
			t.Errorf("%s: A is %q", file, got)
		}
	}
}

// killRekey starts a rekey, and kills it once it has come that far.
func (m *manyFiles) killRekey(there func() bool) {
	m.t.Helper()
	cmd := m.command("rekey", "-C", "tree", "--all", "-y", "-q")
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for deadline := time.Now().Add(patience); !there(); {
		select {
		case err := <-ended: // it was faster than this test could look
			if err != nil {
				m.t.Fatal(err)
			}
			return
		default:
		}
		if time.Now().After(deadline) {
			m.t.Fatal("the rekey goes on for ever")
		}
	}
	_ = cmd.Process.Kill()
	<-ended
}
