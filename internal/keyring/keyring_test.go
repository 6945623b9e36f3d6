package keyring

import (
	"bytes"
	"crypto/ed25519"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"envcrypt/crypt"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"filippo.io/age/armor"
	"filippo.io/age/plugin"
	"golang.org/x/crypto/ssh"
)

const passphrase = "hunter2 long"

var now = time.Unix(1_800_000_000, 0)

func newIdentity(t testing.TB) *age.X25519Identity {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// file writes a private file.
func file(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// encrypt makes an armored age file.
func encrypt(t testing.TB, text string, to age.Recipient) string {
	t.Helper()
	var out bytes.Buffer
	a := armor.NewWriter(&out)
	w, err := age.Encrypt(a, to)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Close(), a.Close()); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// lock encrypts text with the passphrase, quickly.
func lock(t testing.TB, text string) string {
	t.Helper()
	to, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		t.Fatal(err)
	}
	const quick = 10
	to.SetWorkFactor(quick)
	return encrypt(t, text, to)
}

// sshKey makes an SSH key that the passphrase protects.
func sshKey(t testing.TB) (private string, public ssh.PublicKey) {
	t.Helper()
	pub, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKeyWithPassphrase(key, "", []byte(passphrase))
	if err != nil {
		t.Fatal(err)
	}
	if public, err = ssh.NewPublicKey(pub); err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(block)), public
}

// asker answers with a passphrase and counts.
type asker struct {
	answer string
	asked  atomic.Int32
	open   atomic.Int32
	twice  atomic.Bool // whether two questions overlapped
}

func (a *asker) ask(string) (string, error) {
	if a.open.Add(1) > 1 {
		a.twice.Store(true)
	}
	defer a.open.Add(-1)
	a.asked.Add(1)
	return a.answer, nil
}

// seal makes an environment's file for one recipient.
func seal(t testing.TB, to age.Recipient, text string) []byte {
	t.Helper()
	data, err := crypt.Seal(new(crypt.Document), "staging", crypt.AnyOf(crypt.Recipient{Recipient: to, Text: text}), now)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestShared: many vaults at once, one keyring, one question for each passphrase,
// and never two at a time.
func TestShared(t *testing.T) {
	private, public := sshKey(t)
	id := newIdentity(t)
	to, err := agessh.NewEd25519Recipient(public)
	if err != nil {
		t.Fatal(err)
	}
	files := [][]byte{
		seal(t, id.Recipient(), id.Recipient().String()),
		seal(t, to, sshText(public)),
	}
	for _, tt := range []struct {
		answer string
		opened int32 // of forty
		asked  int32
	}{
		{passphrase, 40, 2},
		{"hunter2 wrong", 0, 2},
	} {
		a := &asker{answer: tt.answer}
		// The SSH key is the first, so that its passphrase is asked for while the
		// other file's is.
		k := New(Options{Files: []string{file(t, "ssh", private), file(t, "age", lock(t, id.String()))}, AskPassphrase: a.ask})
		var opened atomic.Int32
		var vaults sync.WaitGroup
		for i := range 40 {
			vaults.Go(func() {
				if _, err := crypt.Open(files[i%2], crypt.Options{}, k.Identities()); err == nil {
					opened.Add(1)
				}
			})
		}
		vaults.Wait()
		if opened.Load() != tt.opened || a.asked.Load() != tt.asked || a.twice.Load() {
			t.Errorf("%q: %d opened, asked %d times, overlapping is %v", tt.answer, opened.Load(), a.asked.Load(), a.twice.Load())
		}
		var e *Error
		if err := k.Err(); tt.opened == 0 && !errors.As(err, &e) {
			t.Errorf("got %v", err)
		}
	}
}

func TestNobodyCanBeAsked(t *testing.T) {
	path := file(t, "locked", lock(t, newIdentity(t).String()))
	broken := errors.New("the terminal is on fire")
	for _, tt := range []struct {
		name   string
		ask    func(string) (string, error)
		locked bool
	}{
		{"nil", nil, true},
		{"no terminal", func(string) (string, error) { return "", ErrCannotAsk }, true},
		{"broken", func(string) (string, error) { return "", broken }, false},
	} {
		k := New(Options{Files: []string{path}, AskPassphrase: tt.ask})
		for range k.Identities() {
			t.Errorf("%s: an identity", tt.name)
		}
		var e *Error
		if err := k.Err(); tt.locked != (errors.As(err, &e) && e.Locked && e.Place == path) || !tt.locked && !errors.Is(err, broken) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestScryptWorkFactor(t *testing.T) {
	id := newIdentity(t)
	good := lock(t, id.String())
	raw := func(factor string) string {
		var out bytes.Buffer
		if _, err := out.ReadFrom(armor.NewReader(strings.NewReader(good))); err != nil {
			t.Fatal(err)
		}
		first, rest, _ := strings.Cut(out.String(), " 10\n")
		return first + " " + factor + "\n" + rest
	}
	for _, tt := range []struct{ factor, want string }{
		{"10", ""},
		{"21", "work factor is 21, and 20 is the most"},
		{"30", "work factor is 30"},
		{"63", "work factor is 63"},
		{"0", "damaged"},
		{"-1", "damaged"},
		{"hunter2", "damaged"},
		{"99999999999999999999", "damaged"},
		{"10 10", "not encrypted with a passphrase"},
		{"11", "the passphrase does not open it"},
		{"020", "the passphrase does not open it"},
	} {
		a := &asker{answer: passphrase}
		k := New(Options{Files: []string{file(t, "locked", raw(tt.factor))}, AskPassphrase: a.ask})
		n := 0
		for range k.Identities() {
			n++
		}
		err := k.Err()
		if tt.want == "" {
			if n != 1 || err != nil {
				t.Errorf("%s: %d identities, %v", tt.factor, n, err)
			}
			continue
		}
		if n != 0 || err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %d identities, %v", tt.factor, n, err)
		}
		if asks := strings.Contains(tt.want, "passphrase does not"); asks != (a.asked.Load() == 1) {
			t.Errorf("%s: asked %d times", tt.factor, a.asked.Load())
		}
	}
}

func TestEncryptedToAKey(t *testing.T) {
	id := newIdentity(t)
	k := New(Options{Files: []string{file(t, "locked", encrypt(t, id.String(), id.Recipient()))}, AskPassphrase: new(asker).ask})
	for range k.Identities() {
		t.Error("an identity")
	}
	if err := k.Err(); err == nil || !strings.Contains(err.Error(), "not encrypted with a passphrase") {
		t.Errorf("got %v", err)
	}
}

// TestPlugins: only the user's configuration allows one, only where identities can
// be hidden from it, and they are hidden by then.
func TestPlugins(t *testing.T) {
	home := t.TempDir()
	config := filepath.Join(home, ".config", "envcrypt", "config.toml")
	if err := os.MkdirAll(filepath.Dir(config), 0o700); err != nil {
		t.Fatal(err)
	}
	hidden := 0
	hide := func() { hidden++ }
	for _, tt := range []struct {
		name, text string
		hide       func()
		want       bool
	}{
		{"listed", `plugins = ["tpm", "yubikey"]`, hide, true},
		{"another", `plugins = ["tpm"]`, hide, false},
		{"not a list", `plugins = "yubikey"`, hide, false},
		{"elsewhere", "[audit]\nplugins = [\"yubikey\"]", hide, false},
		{"not TOML", `plugins = ["yubikey"`, hide, false},
		{"empty", "", hide, false},
		{"cannot be hidden from", `plugins = ["yubikey"]`, nil, false},
	} {
		if err := os.WriteFile(config, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		hidden = 0
		key := file(t, "key", plugin.EncodeIdentity("yubikey", []byte("slot")))
		k := New(Options{Env: []string{"HOME=" + home}, Files: []string{key}, HideIdentities: tt.hide})
		n := 0
		for id := range k.Identities() {
			n++
			if id.Recipient != "" || !id.Matches("age1yubikey1qqq") || id.Matches("age1tpm1qqq") {
				t.Errorf("%s: matches something else", tt.name)
			}
		}
		if (n == 1) != tt.want || (hidden == 1) != tt.want || k.AllowPlugin("yubikey") != tt.want || (k.Err() == nil) != tt.want {
			t.Errorf("%s: %d identities, hidden %d times, %v", tt.name, n, hidden, k.Err())
		}
	}
}

// TestSurvey looks behind what fails, asks nothing, and warns of nothing.
func TestSurvey(t *testing.T) {
	id := newIdentity(t)
	a := &asker{}
	files := []string{"missing", file(t, "bad", "hunter2"), file(t, "locked", lock(t, id.String())), file(t, "good", id.String())}
	k := New(Options{Files: files, AskPassphrase: a.ask, Warn: func(err error) { t.Errorf("warned: %v", err) }})
	found := k.Survey()
	for i, want := range []State{Refused, Refused, Locked, Open} {
		if f := found[i]; f.Place != files[i] || !f.Explicit || f.State != want || (f.Err != nil) != (want == Refused) || (len(f.Identities) == 1) != (want == Open) {
			t.Errorf("%d: %+v", i, f)
		}
	}
	n := 0
	for range k.Identities() {
		n++
	}
	if n != 1 || a.asked.Load() != 0 || k.Err() != nil || !k.Holds(id.Recipient().String()) {
		t.Errorf("%d identities, asked %d times, %v", n, a.asked.Load(), k.Err())
	}
}

// TestLazy: nothing behind the identity that fits is read.
func TestLazy(t *testing.T) {
	id := newIdentity(t)
	k := New(Options{Files: []string{file(t, "good", id.String()), "missing"}})
	for range k.Identities() {
		break
	}
	if f := k.Findings(); f[0].State != Open || f[1].State != Untried || k.Err() != nil {
		t.Errorf("%+v, %v", f[:2], k.Err())
	}
}

// FuzzParse: no text of a place gets into an error, and none makes it panic.
func FuzzParse(f *testing.F) {
	private, _ := sshKey(f)
	id := newIdentity(f)
	for _, seed := range []string{id.String(), "# x\n" + id.String() + " AGE-PLUGIN-X-1", private, lock(f, id.String()), "age-encryption.org/v1\n-> scrypt hunter2 30\n", "hunter2"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p := &place{name: "it", text: text}
		ids, locked, err := New(Options{}).parse(p, []byte(text))
		if err == nil {
			if (len(ids) > 0) == (locked != nil) {
				t.Errorf("%d identities, locked is %v", len(ids), locked != nil)
			}
			return
		}
		for _, word := range strings.Fields(text) {
			const telling = 8
			if len(word) > telling && strings.Contains(err.Error(), word) && !strings.Contains("passphrase encrypted malformed", word) {
				t.Errorf("%q quotes the text", err)
			}
		}
	})
}
