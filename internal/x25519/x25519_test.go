package x25519

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"filippo.io/age"
)

// TestAgainstAge: each opens what the other has written, and they agree on the
// texts of the keys. (age's test vectors run in package crypt, through the path
// that unwraps a data key.)
func TestAgainstAge(t *testing.T) {
	for range 100 {
		theirs, err := age.GenerateX25519Identity()
		if err != nil {
			t.Fatal(err)
		}
		ours, err := ParseIdentity(theirs.String())
		if err != nil || ours.Recipient() != theirs.Recipient().String() {
			t.Fatalf("recipient %q, %v", ours.Recipient(), err)
		}
		to, err := ParseRecipient(ours.Recipient())
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			to   age.Recipient
			from age.Identity
		}{{to, theirs}, {theirs.Recipient(), ours}, {to, ours}} {
			var file bytes.Buffer
			w, err := age.Encrypt(&file, c.to)
			if err != nil {
				t.Fatal(err)
			}
			io.WriteString(w, "plaintext")
			w.Close()
			r, err := age.Decrypt(&file, c.from)
			if err != nil {
				t.Fatal(err)
			}
			if plain, err := io.ReadAll(r); err != nil || string(plain) != "plaintext" {
				t.Fatalf("%q, %v", plain, err)
			}
		}
	}
}

func TestWrongIdentity(t *testing.T) {
	alice, bob := generate(t), generate(t)
	to, _ := ParseRecipient(alice.Recipient())
	stanzas, err := to.Wrap(make([]byte, fileKeySize))
	if err != nil {
		t.Fatal(err)
	}
	other := &age.Stanza{Type: "ssh-ed25519"}
	if _, err := bob.Unwrap(append(stanzas, other)); !errors.Is(err, age.ErrIncorrectIdentity) {
		t.Errorf("another's stanza: %v", err)
	}
	if key, err := alice.Unwrap(append([]*age.Stanza{other}, stanzas...)); err != nil || len(key) != fileKeySize {
		t.Errorf("behind another's stanza: %v", err)
	}
}

// TestMalformedStanza: as with age, a stanza that breaks the format is an error
// of its own and not another recipient's.
func TestMalformedStanza(t *testing.T) {
	alice := generate(t)
	to, _ := ParseRecipient(alice.Recipient())
	for name, spoil := range map[string]func(*age.Stanza){
		"no share":       func(s *age.Stanza) { s.Args = nil },
		"two shares":     func(s *age.Stanza) { s.Args = append(s.Args, s.Args[0]) },
		"short share":    func(s *age.Stanza) { s.Args[0] = s.Args[0][:40] },
		"padded share":   func(s *age.Stanza) { s.Args[0] += "=" },
		"share and line": func(s *age.Stanza) { s.Args[0] = s.Args[0][:20] + "\n" + s.Args[0][20:] },
		"low order":      func(s *age.Stanza) { s.Args[0] = strings.Repeat("A", 43) },
		"short body":     func(s *age.Stanza) { s.Body = s.Body[:31] },
		"long body":      func(s *age.Stanza) { s.Body = append(s.Body, 0) },
	} {
		stanzas, err := to.Wrap(make([]byte, fileKeySize))
		if err != nil {
			t.Fatal(err)
		}
		spoil(stanzas[0])
		if key, err := alice.Unwrap(stanzas); key != nil || err == nil || errors.Is(err, age.ErrIncorrectIdentity) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestMalformedKeys: errors hold nothing of what may be a secret.
func TestMalformedKeys(t *testing.T) {
	theirs, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	private, public := theirs.String(), theirs.Recipient().String()
	for _, s := range []string{"", "age1", private[:len(private)-1], private + "Q", strings.ToLower(private[:30]) + private[30:], public} {
		if _, err := ParseIdentity(s); err != errIdentity {
			t.Errorf("ParseIdentity(%d bytes): %v", len(s), err)
		}
	}
	for _, s := range []string{"", "age1", public[:len(public)-1], public + "q", private} {
		if _, err := ParseRecipient(s); err != errRecipient {
			t.Errorf("ParseRecipient(%d bytes): %v", len(s), err)
		}
	}
}

func generate(t *testing.T) *Identity {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	ours, err := ParseIdentity(id.String())
	if err != nil {
		t.Fatal(err)
	}
	return ours
}

func BenchmarkWrap(b *testing.B) {
	id, _ := age.GenerateX25519Identity()
	ours, _ := ParseRecipient(id.Recipient().String())
	for name, to := range map[string]age.Recipient{"age": id.Recipient(), "ours": ours} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				to.Wrap(make([]byte, fileKeySize))
			}
		})
	}
}
