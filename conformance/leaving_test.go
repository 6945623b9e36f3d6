package conformance

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// project is a directory with a project of envcrypt's, and somebody who works on it.
type project struct {
	*box
	program string
}

// newProject makes one whose only member is its reader.
func newProject(t *testing.T, reader *keyPair) *project {
	t.Helper()
	p := &project{box: newBox(t, reader), program: filepath.Join(t.TempDir(), "envcrypt")}
	build := exec.Command("go", "build", "-o", p.program, "./cmd/envcrypt")
	build.Dir = ".."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	p.write(t, "me.key", []byte(reader.secret+"\n"))
	p.envcrypt(t, "init", "-q")
	return p
}

func (p *project) envcrypt(t *testing.T, args ...string) string {
	t.Helper()
	out, err := p.try(args...)
	if err != nil {
		t.Fatalf("envcrypt %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (p *project) try(args ...string) (string, error) {
	cmd := exec.Command(p.program, args...)
	cmd.Dir = p.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.dir, "USER=alice", "ENVCRYPT_IDENTITY_FILE=" + p.path("me.key")}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestLeaver is what somebody can do who leaves, and has kept the data key of an old file and
// a copy of the repository, which they still see change. The same attack on sops goes through.
func TestLeaver(t *testing.T) {
	alice, bob := newX25519(), newX25519()
	p := newProject(t, alice)
	p.envcrypt(t, "set", "KNOWN=old")
	p.envcrypt(t, "member", "add", "bob", bob.recipient.Text, "--group", "developers", "-y")
	const file = "secrets/development.env"
	old := p.read(t, file)
	kept := unwrap(t, old, bob)
	if got, err := withDataKey(old, kept, "KNOWN"); err != nil || got != "old" {
		t.Fatalf("bob is no reader: %q, %v", got, err)
	}

	// With sops, alice takes bob out as its manual says, and sets a new value.
	b := newBox(t, alice)
	b.write(t, ".sops.yaml", []byte("creation_rules:\n- age: '"+alice.recipient.Text+"'\n"))
	b.write(t, "x.env", old)
	b.sops(t, "updatekeys", "-y", "x.env")
	b.sops(t, "set", "x.env", `["LATER"]`, `"secret"`)
	after := b.read(t, "x.env")
	if bytes.Contains(after, []byte(bob.recipient.Text)) {
		t.Fatal("sops updatekeys did not remove bob")
	}
	if got, err := withDataKey(after, kept, "LATER"); err != nil || got != "secret" {
		t.Errorf("with sops, bob reads LATER as %q, %v: the documents say that he can", got, err)
	}

	// With envcrypt.
	out := p.envcrypt(t, "member", "remove", "bob", "-y")
	if !strings.Contains(out, "development  KNOWN  change it at its source") {
		t.Errorf("it does not list what bob knows:\n%s", out)
	}
	p.envcrypt(t, "set", "LATER=secret", "KNOWN=new")
	ours := p.read(t, file)
	for _, key := range []string{"LATER", "KNOWN"} {
		if got, err := withDataKey(ours, kept, key); err == nil {
			t.Errorf("bob reads %s: %q", key, got)
		}
	}
	his := newBox(t, bob)
	his.write(t, "x.env", ours)
	if out, err := his.trySops("decrypt", "x.env"); err == nil {
		t.Errorf("bob's key opens it: %s", out)
	}

	// Bob puts the old file back, for alice to write on with the data key that he has: sops does,
	// and envcrypt stops.
	b.write(t, "x.env", old)
	b.sops(t, "set", "x.env", `["LATER"]`, `"secret"`)
	if got, err := withDataKey(b.read(t, "x.env"), kept, "LATER"); err != nil || got != "secret" {
		t.Errorf("with sops, bob reads LATER as %q, %v", got, err)
	}
	p.write(t, file, old)
	var exited *exec.ExitError
	if out, err := p.try("set", "LATER=secret"); !errors.As(err, &exited) || !strings.Contains(out, "is one too many") {
		t.Errorf("envcrypt set: %v\n%s", err, out)
	}
	if !bytes.Equal(p.read(t, file), old) {
		t.Error("it was written on")
	}
	p.envcrypt(t, "rekey", "--all", "-y")
	p.envcrypt(t, "set", "LATER=secret")
	if got, err := withDataKey(p.read(t, file), kept, "LATER"); err == nil {
		t.Errorf("bob reads LATER: %q", got)
	}
}
