package history

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// clone is a real one, with an environment file and its history.
type clone struct {
	t    *testing.T
	dir  string
	hour int
}

const attributes = "secrets/*.history -text merge=union\nsecrets/*.env -text merge=ours-for-this-test\n"

func newClone(t *testing.T) *clone {
	if _, err := exec.LookPath("git"); err != nil {
		t.Fatal("no git")
	}
	c := &clone{t: t, dir: t.TempDir()}
	c.git("init", "-q", "-b", "main")
	c.configure()
	c.put(".gitattributes", []byte(attributes))
	return c
}

func (c *clone) configure() {
	c.git("config", "user.name", "alice")
	c.git("config", "user.email", "alice@example.com")
	c.git("config", "merge.ours-for-this-test.driver", "true")
}

func (c *clone) clone() *clone {
	other := &clone{t: c.t, dir: c.t.TempDir(), hour: c.hour}
	other.git("clone", "-q", c.dir, ".")
	other.configure()
	return other
}

func (c *clone) git(args ...string) string {
	c.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_SYSTEM="+os.DevNull, "GIT_EDITOR=true")
	out, err := cmd.CombinedOutput()
	if err != nil {
		c.t.Fatalf("git %s: %v\n%s", args, err, out)
	}
	return string(out)
}

func (c *clone) put(name string, data []byte) {
	c.t.Helper()
	path := filepath.Join(c.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		c.t.Fatal(err)
	}
}

func (c *clone) read() (log *Log, file string) {
	data, _ := os.ReadFile(filepath.Join(c.dir, "secrets/dev.history"))
	if env, err := os.ReadFile(filepath.Join(c.dir, "secrets/dev.env")); err == nil {
		file = Sum(env)
	}
	return Parse(data), file
}

func (c *clone) known(file string) bool {
	for rev := range strings.FieldsSeq(c.git("rev-list", "--all", "--reflog", "--", "secrets/dev.env")) {
		if Sum([]byte(c.git("cat-file", "blob", rev+":secrets/dev.env"))) == file {
			return true
		}
	}
	return false
}

func (c *clone) write(names ...string) {
	c.t.Helper()
	for _, name := range names {
		c.hour++
		log, file := c.read()
		data, err := log.Append(record(name, c.hour), file, c.known)
		if err != nil {
			c.t.Fatal(err)
		}
		c.put("secrets/dev.history", data)
		c.put("secrets/dev.env", []byte("file "+name))
	}
}

func (c *clone) commit(names ...string) {
	c.t.Helper()
	for _, name := range names {
		c.write(name)
		c.git("add", "-A")
		c.git("commit", "-q", "-m", name)
	}
}

func (c *clone) merge(from *clone, branch string) {
	c.t.Helper()
	c.git("fetch", "-q", from.dir, "+refs/heads/*:refs/remotes/other/*")
	c.git("merge", "-q", "--no-edit", "other/"+branch)
}

func (c *clone) expect(want string) *Log {
	c.t.Helper()
	log, file := c.read()
	if got := kinds(log.Verify(file, c.known)); got != want {
		c.t.Errorf("found %q, not %q, in\n%s", got, want, log.data)
	}
	return log
}

func TestGitMerge(t *testing.T) {
	a := newClone(t)
	a.commit("0", "1")
	b := a.clone()
	a.write("uncommitted on the way")
	a.commit("a2")
	b.commit("b1", "b2", "b3")
	a.merge(b, "main")
	a.expect("")
	a.commit("join")
	records := a.expect("").Records()
	join := records[len(records)-1]
	if len(records) != 8 || len(join.Also) != 1 || join.Seq != 6 || join.Found != "" {
		t.Errorf("joined as %+v", join)
	}

	b.commit("b4")
	b.merge(a, "main")
	b.expect("")
	b.commit("again")
	b.expect("")
	a.merge(b, "main")
	a.commit("last")
	a.expect("")
}

func TestGitCrissCross(t *testing.T) {
	a := newClone(t)
	a.commit("0")
	b := a.clone()
	a.commit("a1")
	b.commit("b1")
	a.git("branch", "before")
	a.merge(b, "main")
	b.merge(a, "before")
	a.commit("a2")
	b.commit("b2")
	a.expect("")
	b.expect("")
	a.merge(b, "main")
	a.expect("")
	a.commit("end")
	if r := a.expect("").Records(); len(r) != 6 {
		t.Errorf("%d records", len(r))
	}
}

// A branch that goes on after it was squashed has lines that the other has already; git's
// union keeps both.
func TestGitSquash(t *testing.T) {
	a := newClone(t)
	a.commit("0")
	b := a.clone()
	a.commit("a1")
	b.commit("b1")
	a.git("fetch", "-q", b.dir, "main:b")
	a.git("merge", "-q", "--squash", "b")
	a.git("commit", "-q", "-m", "squashed")
	a.commit("a2")
	b.commit("b2")
	a.merge(b, "main")
	log, file := a.read()
	for _, p := range log.Verify(file, a.known) {
		if p.Kind != Duplicated {
			t.Errorf("%+v", p)
		}
	}
	a.commit("end")
	if r := a.expect("").Records(); len(r) != 6 {
		t.Errorf("%d records", len(r))
	}
}

func TestGitRebase(t *testing.T) {
	a := newClone(t)
	a.commit("0")
	b := a.clone()
	a.commit("a1", "a2")
	b.commit("b1", "b2")
	b.git("fetch", "-q", a.dir, "main:a")
	b.git("rebase", "-q", "a")
	b.expect("")
	b.commit("b3")
	b.expect("")
}

// Without merge=union, git leaves markers, and nothing is written until they are gone.
func TestGitConflict(t *testing.T) {
	a := newClone(t)
	a.put(".gitattributes", []byte(strings.Replace(attributes, "merge=union", "", 1)))
	a.commit("0")
	b := a.clone()
	a.commit("a1")
	b.commit("b1")
	a.git("fetch", "-q", b.dir, "main:b")
	cmd := exec.Command("git", "merge", "b")
	cmd.Dir = a.dir
	if cmd.Run() == nil {
		t.Fatal("no conflict")
	}
	log, file := a.read()
	if _, err := log.Append(record("x", 9), file, a.known); err == nil {
		t.Error("not refused")
	}
	a.expect("2 conflict marker")
	var kept []string
	for _, line := range lines(log.data) {
		if strings.HasPrefix(line, "{") {
			kept = append(kept, line)
		}
	}
	a.put("secrets/dev.history", join(kept))
	a.put("secrets/dev.env", []byte("file a1"))
	a.git("add", "-A")
	a.git("commit", "-q", "-m", "resolved")
	a.expect("")
	a.commit("end")
	a.expect("")
}
