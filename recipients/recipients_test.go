package recipients

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"reflect"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/age/plugin"
	"golang.org/x/crypto/ssh"
)

// samples returns a fresh public key of each kind.
func samples(t testing.TB) map[Kind]string {
	t.Helper()
	x, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	h, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	ed, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return map[Kind]string{
		X25519:     x.Recipient().String(),
		Hybrid:     h.Recipient().String(),
		SSHEd25519: sshText(t, ed),
		SSHRSA:     sshText(t, rsaKey(t, 2048)),
		Plugin:     plugin.EncodeRecipient("yubikey", []byte("some point")),
	}
}

func rsaKey(t testing.TB, bits int) *rsa.PublicKey {
	t.Helper()
	t.Setenv("GODEBUG", "rsa1024min=0") // 1024 bits are generated to be refused
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return &key.PublicKey
}

func sshText(t testing.TB, public any) string {
	t.Helper()
	pk, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(pk)))
}

func TestParseKey(t *testing.T) {
	for kind, text := range samples(t) {
		spellings := []string{text, "  " + text + "\n"}
		if kind == SSHEd25519 || kind == SSHRSA {
			spellings = append(spellings, text+" alice@laptop, work", strings.Replace(text, " ", "\t ", 1))
		}
		for _, s := range spellings {
			key, err := ParseKey(s)
			if err != nil {
				t.Errorf("%v: %v", kind, err)
				continue
			}
			if key.Kind() != kind || key.String() != text || Canonical(s) != text {
				t.Errorf("%q is %v %q, canonically %q", s, key.Kind(), key, Canonical(s))
			}
			allow := func(name string) bool { return name == "yubikey" }
			if _, err := key.Recipient(allow, &plugin.ClientUI{}); err != nil {
				t.Errorf("recipient of %v: %v", kind, err)
			}
			if name := key.PluginName(); (kind == Plugin) != (name == "yubikey") {
				t.Errorf("%v has plugin name %q", kind, name)
			}
		}
	}
}

func TestPluginNeedsPermission(t *testing.T) {
	key, err := ParseKey(samples(t)[Plugin])
	if err != nil {
		t.Fatal(err)
	}
	for _, allowed := range []func(string) bool{nil, func(name string) bool { return name == "tpm" }} {
		r, err := key.Recipient(allowed, nil)
		var refused *PluginNotAllowedError
		if r != nil || !errors.As(err, &refused) || refused.Name != "yubikey" {
			t.Errorf("got %v, %v", r, err)
		}
	}
}

func TestParseKeyRefusesPrivate(t *testing.T) {
	x, _ := age.GenerateX25519Identity()
	h, _ := age.GenerateHybridIdentity()
	public := samples(t)
	for _, s := range []string{
		x.String(), strings.ToLower(x.String()), " " + h.String(),
		plugin.EncodeIdentity("yubikey", []byte("slot")),
		"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA", "-----begin rsa private key-----",
		public[SSHEd25519] + " " + x.String(), public[X25519] + x.String(),
	} {
		key, err := ParseKey(s)
		var private *PrivateKeyError
		if key != (Key{}) || !errors.As(err, &private) {
			t.Errorf("%.20s…: got %v", s, err)
		}
	}
}

func TestParseKeyRefuses(t *testing.T) {
	public := samples(t)
	ec := "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBA=="
	offCurve := base64.StdEncoding.EncodeToString(append([]byte("\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20"),
		append([]byte{2}, make([]byte, 31)...)...))
	for _, tt := range []struct{ name, text, want string }{
		{"empty", "", "age1…"},
		{"unknown kind", "hunter2hunter2", "ssh-ed25519 AAAA…"},
		{"ecdsa", ec, "ssh-rsa AAAA…"},
		{"security key", "sk-" + public[SSHEd25519], "ssh-rsa AAAA…"},
		{"upper case", strings.ToUpper(public[X25519]), "age1…"},
		{"mixed case", "age1" + strings.ToUpper(public[X25519][4:]), "checksum"},
		{"typo", public[X25519][:20] + "1" + public[X25519][21:], "checksum"},
		{"cut", public[X25519][:50], "checksum"},
		{"hybrid cut", public[Hybrid][:1900], "checksum"},
		{"two keys", public[X25519] + " " + public[X25519], "checksum"},
		{"pq of the wrong length", plugin.EncodeRecipient("pq", make([]byte, 32)), "length"},
		{"plugin without a name", bech32Text(t, "age1", "yubikey"), "checksum"},
		{"rsa too small", sshText(t, rsaKey(t, 1024)), "2048 bits"},
		{"type and blob differ", "ssh-rsa " + strings.Fields(public[SSHEd25519])[1], "malformed ssh-rsa"},
		{"not base64", "ssh-ed25519 hunter2!", "malformed ssh-ed25519"},
		{"off the curve", "ssh-ed25519 " + offCurve, "curve"},
		{"options", `command="id" ` + public[SSHEd25519], "not a public key"},
		{"two lines", public[SSHEd25519] + "\n" + public[SSHEd25519], "not a public key"},
	} {
		key, err := ParseKey(tt.text)
		if err == nil || key != (Key{}) {
			t.Errorf("%s: accepted as %v", tt.name, key.Kind())
			continue
		}
		if !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %q does not say %q", tt.name, err, tt.want)
		}
		for _, field := range strings.Fields(tt.text) {
			if len(field) > 6 && strings.Contains(err.Error(), field) && !strings.HasPrefix(field, "ssh-") {
				t.Errorf("%s: %q quotes the input", tt.name, err)
			}
		}
	}
}

// bech32Text is a plugin's key with its name cut out: the checksum no longer fits.
func bech32Text(t *testing.T, prefix, name string) string {
	t.Helper()
	return strings.Replace(plugin.EncodeRecipient(name, []byte("x")), prefix+name, prefix, 1)
}

func TestResolve(t *testing.T) {
	keys := make(map[string]Key)
	for kind, text := range samples(t) {
		key, err := ParseKey(text)
		if err != nil {
			t.Fatal(err)
		}
		keys[kind.String()] = key
	}
	a1, a2, b, c := keys["X25519"], keys["ssh-rsa"], keys["hybrid"], keys["ssh-ed25519"]
	d := &Directory{
		Members: map[string][]Key{"alice": {a1, a2}, "bob": {b}, "carol": {c, b}},
		Groups:  map[string][]string{"dev": {"bob", "alice"}, "none": {}},
	}
	for _, tt := range []struct {
		readers []string
		want    []Reader
	}{
		{[]string{"alice"}, []Reader{{"alice", a1}, {"alice", a2}}},
		{[]string{"dev", "alice"}, []Reader{{"bob", b}, {"alice", a1}, {"alice", a2}}},
		{[]string{"alice", "dev", "none"}, []Reader{{"alice", a1}, {"alice", a2}, {"bob", b}}},
		{[]string{"bob", "carol"}, []Reader{{"bob", b}, {"carol", c}}},
		{[]string{"none"}, nil},
		{nil, nil},
	} {
		got, err := d.Resolve(tt.readers)
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%v: got %v, %v", tt.readers, got, err)
		}
	}
	var unknown *UnknownReaderError
	if got, err := d.Resolve([]string{"alice", "mallory"}); got != nil || !errors.As(err, &unknown) || unknown.Name != "mallory" {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestDiff(t *testing.T) {
	public := samples(t)
	var want []Reader
	for _, kind := range []Kind{SSHEd25519, X25519, Hybrid} {
		key, err := ParseKey(public[kind])
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, Reader{kind.String(), key})
	}
	gained, lost := Diff([]string{"age1gone", public[SSHEd25519] + " bob@home", "ssh-rsa AAAA gone", " age1gone "}, want)
	if !reflect.DeepEqual(gained, want[1:]) {
		t.Errorf("gained %v", gained)
	}
	if !reflect.DeepEqual(lost, []string{"age1gone", "ssh-rsa AAAA"}) {
		t.Errorf("lost %q", lost)
	}
	if gained, lost := Diff([]string{public[Hybrid], public[X25519], public[SSHEd25519]}, want); gained != nil || lost != nil {
		t.Errorf("the same keys in another order: %v, %v", gained, lost)
	}
}

// FuzzParseKey: what is accepted is what age accepts, reparses to itself and is
// canonical; what is refused is never quoted.
func FuzzParseKey(f *testing.F) {
	for _, text := range samples(f) {
		f.Add(text)
		f.Add(text[:len(text)-1])
	}
	f.Add("AGE-SECRET-KEY-1QQQQ")
	f.Add("ssh-rsa AAAA comment")
	f.Fuzz(func(t *testing.T, s string) {
		key, err := ParseKey(s)
		ageAccepts := func() bool {
			s := strings.TrimSpace(s)
			if _, err := age.ParseX25519Recipient(s); err == nil {
				return true
			}
			if _, err := age.ParseHybridRecipient(s); err == nil {
				return true
			}
			name, _, err := plugin.ParseRecipient(s)
			return err == nil && name != "pq" && !LooksPrivate(s)
		}
		if err != nil {
			if len(s) > 16 && strings.Contains(err.Error(), s) {
				t.Errorf("%q quotes the input", err)
			}
			if ageAccepts() {
				t.Errorf("refused %q: %v", s, err)
			}
			return
		}
		again, err := ParseKey(key.String())
		if err != nil || again != key || Canonical(key.String()) != key.String() {
			t.Errorf("%q is not canonical: %v, %v", key, again, err)
		}
		if key.Kind() == X25519 || key.Kind() == Plugin {
			if !ageAccepts() {
				t.Errorf("accepted %q", s)
			}
		}
	})
}

func BenchmarkParseKey(b *testing.B) {
	for kind, text := range samples(b) {
		b.Run(kind.String(), func(b *testing.B) {
			for b.Loop() {
				if _, err := ParseKey(text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
