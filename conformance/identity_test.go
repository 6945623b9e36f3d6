package conformance

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/creack/pty"
	"golang.org/x/crypto/ssh"
)

const passphrase = "hunter2 long"

// ours is a directory with envcrypt and a plugin of age's, as they are now.
func ours(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, pkg := range map[string]string{"envcrypt": "./cmd/envcrypt", "age-plugin-burrow": "./internal/keyring/testdata/age-plugin-burrow"} {
		cmd := exec.Command("go", "build", "-buildvcs=false", "-o", filepath.Join(dir, name), pkg)
		cmd.Dir = ".."
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("building %s: %v\n%s", pkg, err, out)
		}
	}
	return dir
}

// identity is a private key as a file, for programs alone.
type identity struct {
	public string
	file   string
	ssh    bool
	locked bool // by the passphrase
}

func (i identity) variable() string {
	if i.ssh {
		return "SOPS_AGE_SSH_PRIVATE_KEY_FILE"
	}
	return "SOPS_AGE_KEY_FILE"
}

// desk is a project's directory, and a home where a plugin is allowed.
type desk struct {
	t    *testing.T
	dir  string
	path string // our programs
}

func newDesk(t *testing.T, path string) *desk {
	t.Helper()
	d := &desk{t: t, dir: t.TempDir(), path: path}
	d.write("home/.config/envcrypt/config.toml", "plugins = [\"burrow\"]\n")
	return d
}

func (d *desk) file(name string) string { return filepath.Join(d.dir, name) }

func (d *desk) write(name, text string) {
	d.t.Helper()
	if err := os.MkdirAll(filepath.Dir(d.file(name)), 0o700); err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(d.file(name), []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

// run runs a program with an identity, answers what it asks for the passphrase
// of a locked one, and returns its standard output.
func (d *desk) run(id identity, args ...string) string {
	d.t.Helper()
	questions := 0
	switch {
	case id.locked && args[0] == sopsProgram:
		questions = anyNumber // it asks again for each recipient
	case id.locked:
		questions = 1
	}
	return d.answer(id, questions, args...)
}

const anyNumber = 1 << 20

// patience is how long a program may take. It is no measure of speed: whichever
// runs into it waits for an answer that nobody gives.
const patience = time.Minute

// answer runs a program on a terminal of its own, and answers that many questions
// with the passphrase. Its standard output is a pipe.
func (d *desk) answer(id identity, questions int, args ...string) string {
	d.t.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	if filepath.Base(args[0]) == args[0] {
		cmd.Path, cmd.Err = filepath.Join(d.path, args[0]), nil
	}
	cmd.Dir = d.dir
	cmd.Env = []string{
		"PATH=" + d.path + ":" + os.Getenv("PATH"), "HOME=" + d.file("home"), "TMPDIR=" + d.dir,
		"SOPS_DISABLE_VERSION_CHECK=1", "TERM=xterm",
	}
	if id.file != "" {
		cmd.Env = append(cmd.Env, id.variable()+"="+id.file)
	}
	var out bytes.Buffer
	cmd.Stdout = &out
	ptmx, err := pty.StartWithAttrs(cmd, nil, &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0})
	if err != nil {
		d.t.Fatal(err)
	}
	defer ptmx.Close()
	shown := converse(ptmx, questions)
	overdue := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer overdue.Stop()
	if err := cmd.Wait(); err != nil {
		d.t.Fatalf("%s: %v; the terminal shows\n%s", strings.Join(args, " "), err, <-shown)
	}
	ptmx.Close()
	if text := <-shown; questions != anyNumber && questions != strings.Count(text, "passphrase") {
		d.t.Errorf("%s: %d questions were expected; the terminal shows\n%s", strings.Join(args, " "), questions, text)
	}
	return out.String()
}

// converse answers questions for a passphrase, and sends what the terminal has
// shown in the end.
func converse(ptmx *os.File, questions int) <-chan string {
	shown := make(chan string, 1)
	go func() {
		var text []byte
		buf := make([]byte, 1<<10)
		for answered := 0; ; {
			n, err := ptmx.Read(buf)
			text = append(text, buf[:n]...)
			for ; answered < min(questions, bytes.Count(text, []byte("passphrase"))); answered++ {
				_, _ = ptmx.WriteString(passphrase + "\r")
			}
			if err != nil { // nobody holds the terminal any more
				shown <- string(text)
				return
			}
		}
	}()
	return shown
}

// sshIdentity makes an SSH key, behind the passphrase if it is locked.
func (d *desk) sshIdentity(name string, key any, locked bool) identity {
	d.t.Helper()
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		d.t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if locked {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(key, "", []byte(passphrase))
	}
	if err != nil {
		d.t.Fatal(err)
	}
	d.write(name, string(pem.EncodeToMemory(block)))
	d.write(name+".pub", string(ssh.MarshalAuthorizedKey(signer.PublicKey()))) // sops looks for it
	public := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey())))
	return identity{public: public, file: d.file(name), ssh: true, locked: locked}
}

// keygen lets envcrypt make an identity.
func (d *desk) keygen(name string, locked bool, flags ...string) identity {
	d.t.Helper()
	questions := 0
	if locked {
		flags = append(flags, "--passphrase")
		questions = 2
	}
	out := d.answer(identity{}, questions, append([]string{"envcrypt", "keygen", "-q", "-o", name}, flags...)...)
	return identity{public: strings.TrimSpace(out), file: d.file(name), locked: locked}
}

func (d *desk) plugin(name string) identity {
	d.t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		d.t.Fatal(err)
	}
	private, public, _ := strings.Cut(d.answer(identity{}, 0, "age-plugin-burrow", id.String()), "\n")
	d.write(name, private+"\n")
	return identity{public: strings.TrimSpace(public), file: d.file(name)}
}

// identities makes one of each kind.
func (d *desk) identities() map[string]identity {
	d.t.Helper()
	newEd25519 := func() ed25519.PrivateKey {
		_, key, err := ed25519.GenerateKey(nil)
		if err != nil {
			d.t.Fatal(err)
		}
		return key
	}
	const bits = 2048
	rsaKey, err := rsa.GenerateKey(nil, bits)
	if err != nil {
		d.t.Fatal(err)
	}
	return map[string]identity{
		"x25519":        d.keygen("x25519", false),
		"hybrid":        d.keygen("hybrid", false, "--pq"),
		"ssh-ed25519":   d.sshIdentity("ed25519", newEd25519(), false),
		"ssh-rsa":       d.sshIdentity("rsa", rsaKey, false),
		"plugin":        d.plugin("burrow"),
		"locked x25519": d.keygen("locked", true),
		"locked hybrid": d.keygen("locked-hybrid", true, "--pq"),
		"locked ssh":    d.sshIdentity("locked-ed25519", newEd25519(), true),
	}
}

// TestEveryKindOfKey: what envcrypt writes for a key, sops opens with it, and the
// other way round; for the key alone, and with all others.
func TestEveryKindOfKey(t *testing.T) {
	d := newDesk(t, ours(t))
	ids := d.identities()
	var all []string
	for _, id := range ids {
		all = append(all, id.public)
	}
	d.adopt("all", all)
	for name, id := range ids {
		t.Run(name, func(t *testing.T) {
			d := &desk{t: t, dir: d.dir, path: d.path}
			alone := "only " + name
			d.adopt(alone, []string{id.public})
			for _, environment := range []string{alone, "all"} {
				root := d.file(environment)
				d.run(id, "envcrypt", "set", "-q", "-C", root, "-e", "x", "KEY=hunter2-ours "+name)
				if got := d.run(id, sopsProgram, "decrypt", filepath.Join(root, "secrets", "x.env")); !strings.HasSuffix(got, "\nKEY=hunter2-ours "+name+"\n") {
					t.Errorf("%s: sops reads %q", environment, got[:min(len(got), 200)])
				}
				if got := d.run(id, "envcrypt", "get", "-f", filepath.Join(root, "theirs.env"), "KEY"); got != "hunter2-theirs" {
					t.Errorf("%s: envcrypt reads %q", environment, got)
				}
			}
		})
	}
}

// adopt makes a project with one environment for some keys, and a file that sops
// has encrypted to them.
func (d *desk) adopt(name string, keys []string) {
	d.t.Helper()
	d.write(name+"/envcrypt.toml", "version = 1\n[members.me]\nkeys = [\""+strings.Join(keys, `", "`)+"\"]\n[environments.x]\nreaders = [\"me\"]\n")
	d.run(identity{}, "envcrypt", "init", "-q", "-C", d.file(name))
	d.write("plain.env", "KEY=hunter2-theirs\n")
	theirs := d.run(identity{}, sopsProgram, "encrypt", "--age", strings.Join(keys, ","), d.file("plain.env"))
	d.write(name+"/theirs.env", theirs)
}

// TestAgeUsesOurIdentities: the age program decrypts with what keygen has made.
func TestAgeUsesOurIdentities(t *testing.T) {
	path := ours(t)
	for name, flags := range map[string][]string{"x25519": nil, "hybrid": {"--pq"}} {
		for _, locked := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/%v", name, locked), func(t *testing.T) {
				d := newDesk(t, path)
				id := d.keygen("key", locked, flags...)
				d.write("plain", "hunter2")
				d.answer(identity{}, 0, ageProgram, "-r", id.public, "-o", "sealed", "plain")
				if got := d.run(id, ageProgram, "-d", "-i", id.file, "sealed"); got != "hunter2" {
					t.Errorf("age reads %q", got)
				}
			})
		}
	}
}
