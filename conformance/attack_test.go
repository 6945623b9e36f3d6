package conformance

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"envcrypt/crypt"

	"github.com/getsops/sops/v3/aes"
	sopsage "github.com/getsops/sops/v3/age"
)

// Each of these goes through with sops, and not with us.

func TestProductionOverStaging(t *testing.T) {
	p := newX25519()
	b := newBox(t, p)
	b.write(t, "staging.env", seal(t, newDocument(t, before), "production", []*keyPair{p}))
	if out := b.sops(t, "decrypt", "staging.env"); !bytes.Contains(out, []byte("A=one")) {
		t.Errorf("sops decrypts %s", out)
	}
	d, err := crypt.Open(b.read(t, "staging.env"), staging, id(p))
	var e *crypt.SealError
	if d != nil || !errors.As(err, &e) || e.State != crypt.SealMisplaced || e.Environment != "production" {
		t.Errorf("got %v, %v", d, err)
	}
}

func TestAddedEmptyValue(t *testing.T) {
	p := newX25519()
	b := newBox(t, p)
	good := seal(t, newDocument(t, before), "staging", []*keyPair{p})
	at := bytes.IndexByte(good, '\n') + 1
	b.write(t, "staging.env", slices.Concat(good[:at], []byte("LD_PRELOAD=\nAWS_ENDPOINT_URL=\n"), good[at:]))
	if out := b.sops(t, "exec-env", "staging.env", "env"); !bytes.Contains(out, []byte("\nLD_PRELOAD=\n")) {
		t.Errorf("sops exec-env gives %s", out)
	}
	if e := refusedStale(t, b.read(t, "staging.env"), p); !e.KeysChanged {
		t.Errorf("got %+v", e)
	}
	// Nobody is asked to seal it either, unless they adopt it.
	d := open(t, b.read(t, "staging.env"), crypt.Options{Environment: "staging", Reseal: true}, p)
	if slices.Contains(d.Keys(), "LD_PRELOAD") {
		t.Error("the document has it")
	}
}

func TestRemovedComment(t *testing.T) {
	p := newX25519()
	b := newBox(t, p)
	good := string(seal(t, newDocument(t, before), "staging", []*keyPair{p}))
	l := strings.SplitAfter(good, "\n")
	b.write(t, "staging.env", []byte(strings.Join(slices.Delete(l, 1, 2), "")))
	b.sops(t, "decrypt", "staging.env")
	refusedStale(t, b.read(t, "staging.env"), p)
}

// What somebody kept of an older file: with sops, it opens what is set after
// they were removed.
func TestRemovedReader(t *testing.T) {
	stays, leaves := newX25519(), newX25519()
	both := []*keyPair{stays, leaves}
	first := seal(t, newDocument(t, before), "staging", both)
	kept := unwrap(t, first, leaves)

	b := newBox(t, stays)
	b.write(t, ".sops.yaml", []byte("creation_rules:\n- age: '"+stays.recipient.Text+"'\n"))
	b.write(t, "x.env", first)
	b.sops(t, "updatekeys", "-y", "x.env")
	b.sops(t, "set", "x.env", `["LATER"]`, `"secret"`)
	after := b.read(t, "x.env")
	if bytes.Contains(after, []byte(leaves.recipient.Text)) {
		t.Fatal("sops updatekeys did not remove the reader")
	}
	if got, err := withDataKey(after, kept, "LATER"); err != nil || got != "secret" {
		t.Errorf("sops took a new data key: %q, %v", got, err)
	}

	// Sealed with us, before or after sops removed them, it is a new one.
	_, healed := resealed(t, after, stays, []*keyPair{stays})
	d := open(t, first, staging, stays)
	if err := d.Set("LATER", "secret"); err != nil {
		t.Fatal(err)
	}
	ours := seal(t, d, "staging", []*keyPair{stays})
	for _, data := range [][]byte{healed, ours} {
		for _, key := range []string{"A", "B", "C_unencrypted", "LATER"} {
			if got, err := withDataKey(data, kept, key); err == nil {
				t.Errorf("the old data key opens %s: %q", key, got)
			}
		}
		if v, _ := open(t, data, staging, stays).Get("LATER"); v != "secret" {
			t.Errorf("LATER is %q", v)
		}
	}
}

func unwrap(t *testing.T, data []byte, p *keyPair) []byte {
	t.Helper()
	tree, err := dotenvStore.LoadEncryptedFile(data)
	if err != nil {
		t.Fatal(err)
	}
	key, err := sopsDataKey(tree, p)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// Whoever writes to the repository can name another recipient; sops rotate then
// encrypts to it, and we refuse the file.
func TestRecipientSlippedIn(t *testing.T) {
	p, attacker := newX25519(), newX25519()
	b := newBox(t, p)
	good := string(seal(t, newDocument(t, before), "staging", []*keyPair{p}))
	stanza := sopsage.MasterKey{Recipient: attacker.recipient.Text}
	if err := stanza.Encrypt(make([]byte, 32)); err != nil {
		t.Fatal(err)
	}
	b.write(t, "x.env", []byte(good+
		"sops_age__list_1__map_enc="+strings.ReplaceAll(stanza.EncryptedKey, "\n", `\n`)+"\n"+
		"sops_age__list_1__map_recipient="+attacker.recipient.Text+"\n"))
	refusedStale(t, b.read(t, "x.env"), p)
	b.sops(t, "rotate", "-i", "x.env")
	if got, err := withDataKey(b.read(t, "x.env"), unwrap(t, b.read(t, "x.env"), attacker), "A"); err != nil || got != "one" {
		t.Errorf("sops rotate did not encrypt to the attacker: %q, %v", got, err)
	}
	refusedStale(t, b.read(t, "x.env"), p)
}

// withDataKey decrypts one value with a data key that somebody kept.
func withDataKey(data, dataKey []byte, key string) (string, error) {
	tree, err := dotenvStore.LoadEncryptedFile(data)
	if err != nil {
		return "", err
	}
	for _, it := range tree.Branches[0] {
		if it.Key == key {
			v, err := aes.NewCipher().Decrypt(it.Value.(string), dataKey, key+":")
			if err != nil {
				return "", err
			}
			return v.(string), nil
		}
	}
	return "", errors.New("no such key")
}
