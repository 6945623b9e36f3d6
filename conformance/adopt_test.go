package conformance

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// buildEnvcrypt makes the program of this very source, which no cache may stand in for.
func buildEnvcrypt(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "envcrypt")
	cmd := exec.Command("go", "build", "-tags", "urfave_cli_no_docs", "-o", program, "./cmd/envcrypt")
	cmd.Dir = ".."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// envcrypt runs our program in the box as its reader, and returns both of its outputs.
func (b *box) envcrypt(t *testing.T, program string, args ...string) (stdout, stderr string) {
	t.Helper()
	b.write(t, ".key", []byte(b.reader.secret))
	cmd := exec.Command(program, args...)
	cmd.Dir = b.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + b.dir, "USER=me", "ENVCRYPT_IDENTITY_FILE=" + b.path(".key")}
	var out, notes bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &notes
	if err := cmd.Run(); err != nil {
		t.Fatalf("envcrypt %s: %v\n%s", strings.Join(args, " "), err, &notes)
	}
	return out.String(), notes.String()
}

const plainText = "# a comment\nA=one two\nEMPTY=\nML=line 1\\nline 2\nQ=it's \"quoted\"\n"

// A .sops.yaml as people write it becomes a project, and what sops encrypted by it is adopted:
// envcrypt runs commands with it, sops still decrypts it, and behind the seal no byte changed.
func TestInitFromSops(t *testing.T) {
	program := buildEnvcrypt(t)
	alice, bob, carol := newX25519(), newX25519(), newEd25519()
	keys := strings.NewReplacer("$alice", alice.recipient.Text, "$bob", bob.recipient.Text, "$carol", carol.recipient.Text)
	tests := []struct {
		name, config string
		files        map[string]string // by path, the environment
		policy       []string          // lines that it has
	}{
		{
			"one rule for all", "creation_rules:\n  - age: $alice,$bob\n",
			map[string]string{"prod.env": "production"},
			[]string{`readers = ["me", "key-2"]`},
		}, {
			"a list with comments", "creation_rules:\n  - path_regex: \\.env$\n    age:\n      - $alice # alice\n      - $carol # carol\n",
			map[string]string{"envs/staging/secrets.env": "staging", "envs/dev/secrets.env": "development"},
			[]string{`readers = ["alice", "carol"]`, "[environments.development]", "[environments.staging]"},
		}, {
			"anchors and key groups",
			"keys:\n  - &alice $alice\n  - &bob $bob\ncreation_rules:\n  - path_regex: ^secrets/prod\n    key_groups:\n      - age:\n          - *alice\n          - *bob\n  - path_regex: dev\n    key_groups:\n      - age: [*alice]\n",
			map[string]string{"secrets/prod.env": "prod", "app.dev.env": "development"},
			[]string{`readers = ["alice", "bob"]`, `readers = ["alice"]`},
		}, {
			"folded, with everything encrypted by a regex",
			"creation_rules:\n  - path_regex: .*\\.env\n    encrypted_regex: .\n    age: >-\n      $bob,\n      $alice\n",
			map[string]string{"qa.enc.env": "qa"},
			[]string{`readers = ["key-1", "me"]`},
		}, {
			"mac_only_encrypted", "creation_rules:\n  - mac_only_encrypted: true\n    age: $alice\n",
			map[string]string{"ci.env": "ci"},
			[]string{`readers = ["me"]`},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBox(t, alice)
			b.write(t, ".sops.yaml", []byte(keys.Replace(tt.config)))
			sealed := make(map[string][]byte)
			for path := range tt.files {
				sealed[path] = b.encrypted(t, path)
			}
			_, notes := b.envcrypt(t, program, "init", "--from-sops")
			policy := string(b.read(t, "envcrypt.toml"))
			for _, line := range tt.policy {
				if !strings.Contains(policy, line+"\n") {
					t.Errorf("the policy has no %s:\n%s", line, policy)
				}
			}
			for path, env := range tt.files {
				adopted := "secrets/" + env + ".env"
				if path != adopted && !bytes.Equal(b.read(t, path), sealed[path]) {
					t.Errorf("%s was changed", path)
				}
				b.checkAdopted(t, program, env, b.read(t, adopted), sealed[path])
			}
			if t.Failed() {
				t.Log(notes)
			}
		})
	}
}

// encrypted makes a file that the sops program encrypts by the rules.
func (b *box) encrypted(t *testing.T, path string) []byte {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(b.path(path)), 0o755); err != nil {
		t.Fatal(err)
	}
	text := plainText
	if config := string(b.read(t, ".sops.yaml")); strings.Contains(config, "encrypted_regex") {
		_, text, _ = strings.Cut(text, "\n") // under a regex sops leaves comments in the clear
	}
	b.write(t, path, []byte(text))
	b.sops(t, "encrypt", "-i", path)
	return b.read(t, path)
}

func (b *box) checkAdopted(t *testing.T, program, env string, adopted, original []byte) {
	t.Helper()
	if _, body, _ := bytes.Cut(adopted, []byte("\n")); !bytes.Equal(body, original) {
		t.Errorf("%s is not a line and then what sops wrote", env)
	}
	want := "one two|line 1\nline 2|it's \"quoted\"|"
	read := func() (string, string) {
		ours, _ := b.envcrypt(t, program, "exec", "-e", env, "--", "sh", "-c", `printf '%s|%s|%s|%s' "$A" "$ML" "$Q" "$EMPTY"`)
		var theirs strings.Builder
		for _, key := range []string{"A", "ML", "Q", "EMPTY"} {
			fmt.Fprintf(&theirs, "%s|", b.sops(t, "decrypt", "--extract", `["`+key+`"]`, "secrets/"+env+".env"))
		}
		return ours, strings.TrimSuffix(theirs.String(), "|")
	}
	if ours, theirs := read(); ours != want || theirs != want {
		t.Errorf("%s: we read %q, sops %q", env, ours, theirs)
	}
	b.envcrypt(t, program, "set", "-y", "-e", env, "NEW=x")
	if ours, theirs := read(); ours != want || theirs != want {
		t.Errorf("%s, written: we read %q, sops %q", env, ours, theirs)
	}
	for line := range bytes.Lines(original) { // "A=" is in many a base64 text, too
		if bytes.HasPrefix(line, []byte("A=")) && bytes.Contains(b.read(t, "secrets/"+env+".env"), line) {
			t.Errorf("%s: a ciphertext stayed at the first write", env)
		}
	}
}

// Somebody whom "sops updatekeys" removed can know the data key. After an adoption they read
// nothing that is written: the attack that sops itself is open to.
func TestAdoptionEndsAnOldDataKey(t *testing.T) {
	program := buildEnvcrypt(t)
	alice, mallory := newX25519(), newX25519()
	b := newBox(t, alice)
	rules := func(people ...*keyPair) {
		var texts []string
		for _, p := range people {
			texts = append(texts, p.recipient.Text)
		}
		b.write(t, ".sops.yaml", []byte("creation_rules:\n  - age: "+strings.Join(texts, ",")+"\n"))
	}
	rules(alice, mallory)
	before := b.encrypted(t, "prod.env")
	wrapped := stanzaOf(t, before, mallory) // which they keep
	rules(alice)
	b.sops(t, "updatekeys", "-y", "prod.env")
	b.sops(t, "set", "prod.env", `["A"]`, `"new"`)
	attack := func(file string) error {
		data := string(b.read(t, file))
		_, body, _ := strings.Cut(data, "sops_age__list_0__map_enc=")
		old, _, _ := strings.Cut(body, "\n")
		_, recipient, _ := strings.Cut(data, "sops_age__list_0__map_recipient=")
		recipient, _, _ = strings.Cut(recipient, "\n")
		data = strings.Replace(strings.Replace(data, old, wrapped, 1), recipient, mallory.recipient.Text, 1)
		theirs := newBox(t, mallory)
		theirs.write(t, "x.env", []byte(data))
		_, err := theirs.trySops("decrypt", "x.env")
		return err
	}
	if err := attack("prod.env"); err != nil {
		t.Fatalf("the attack does not work on sops's own file: %v", err)
	}
	b.envcrypt(t, program, "init", "--from-sops")
	if err := attack("secrets/production.env"); err != nil {
		t.Fatalf("an adoption changed the data key: %v", err)
	}
	b.envcrypt(t, program, "set", "-y", "-e", "production", "B=x")
	if attack("secrets/production.env") == nil {
		t.Error("whoever was removed still reads it")
	}
}

// stanzaOf returns the data key as it is wrapped for somebody, as it stands in a file.
func stanzaOf(t *testing.T, data []byte, p *keyPair) string {
	t.Helper()
	enc := ""
	for line := range strings.Lines(string(data)) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		switch {
		case strings.HasSuffix(name, "__map_enc"):
			enc = value
		case strings.HasSuffix(name, "__map_recipient") && value == p.recipient.Text:
			return enc
		}
	}
	t.Fatal("no such recipient")
	return ""
}

// Key groups become a quorum, which adopted files keep.
func TestInitFromSopsQuorum(t *testing.T) {
	program := buildEnvcrypt(t)
	alice, bob, carol := newX25519(), newX25519(), newX25519()
	keys := strings.NewReplacer("$alice", alice.recipient.Text, "$bob", bob.recipient.Text, "$carol", carol.recipient.Text)
	both := *alice
	both.secret += "\n" + bob.secret
	b := newBox(t, &both)
	b.write(t, ".sops.yaml", []byte(keys.Replace(`creation_rules:
  - shamir_threshold: 2
    key_groups:
      - age:
          - $alice # alice
      - age:
          - $bob # bob
          - $carol # carol
`)))
	sealed := b.encrypted(t, "prod.env")
	b.envcrypt(t, program, "init", "--from-sops")
	if policy := string(b.read(t, "envcrypt.toml")); !strings.Contains(policy, "reader_groups = [[\"alice\"], [\"bob\", \"carol\"]]\nquorum = 2\n") {
		t.Errorf("the policy is\n%s", policy)
	}
	b.checkAdopted(t, program, "production", b.read(t, "secrets/production.env"), sealed)
}
