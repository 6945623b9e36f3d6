package crypt

import (
	"bytes"
	"compress/zlib"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"

	agetest "c2sp.org/CCTV/age"
	"envcrypt/internal/x25519"

	"filippo.io/age"
	"filippo.io/age/armor"
)

// counting counts the stanzas that an identity is asked to unwrap.
type counting struct {
	age.Identity
	calls int
}

func (c *counting) Unwrap(s []*age.Stanza) ([]byte, error) {
	c.calls++
	return c.Identity.Unwrap(s)
}

func TestHundredRecipientsOneUnwrap(t *testing.T) {
	people := make([]person, 100)
	for i := range people {
		people[i] = newPerson(t)
	}
	data := sample(t, "staging", people...)
	for _, i := range []int{0, 57, 99} {
		stranger := &counting{Identity: newPerson(t).Identity.Identity}
		c := &counting{Identity: people[i].Identity.Identity}
		asked := 0
		seq := func(yield func(Identity) bool) {
			for _, id := range []Identity{
				{Identity: stranger, Recipient: "age1stranger"},
				{Identity: c, Recipient: people[i].recipient.Text},
				{Identity: brokenIdentity{}},
			} {
				asked++
				if !yield(id) {
					return
				}
			}
		}
		d, err := Open(data, staging, seq)
		if err != nil || len(d.Recipients()) != 100 {
			t.Fatal(err)
		}
		if c.calls != 1 || stranger.calls != 0 || asked != 2 {
			t.Errorf("recipient %d: %d unwraps, %d by a stranger, %d identities asked for", i, c.calls, stranger.calls, asked)
		}
	}
}

// An identity that knows no recipient of its own is tried where it may fit.
func TestUnwrapMatches(t *testing.T) {
	p, q := newPerson(t), newPerson(t)
	data := sample(t, "staging", p, q)
	c := &counting{Identity: q.Identity.Identity}
	one := func(id Identity) func(func(Identity) bool) { return func(y func(Identity) bool) { y(id) } }
	if _, err := Open(data, staging, one(Identity{Identity: c})); err != nil || c.calls != 2 {
		t.Errorf("%d unwraps: %v", c.calls, err)
	}
	c.calls = 0
	id := Identity{Identity: c, Matches: func(r string) bool { return r == q.recipient.Text }}
	if _, err := Open(data, staging, one(id)); err != nil || c.calls != 1 {
		t.Errorf("%d unwraps: %v", c.calls, err)
	}
	id.Matches = func(string) bool { return false }
	if d, err := Open(data, staging, one(id)); d != nil || !errors.As(err, new(*NoIdentityError)) {
		t.Errorf("got %v", err)
	}
}

type brokenIdentity struct{}

func (brokenIdentity) Unwrap([]*age.Stanza) ([]byte, error) {
	return nil, &IdentityError{Err: errBroken}
}

func TestIdentityErrorEndsTheSearch(t *testing.T) {
	p := newPerson(t)
	data := sample(t, "staging", p)
	seq := slices.Values([]Identity{{Identity: brokenIdentity{}}, p.Identity})
	d, err := Open(data, staging, seq)
	e := refusal[*IdentityError](t, d == nil, err)
	if !errors.Is(e, errBroken) {
		t.Errorf("got %v", e)
	}
}

func TestCanonicalRecipient(t *testing.T) {
	for in, want := range map[string]string{
		"":                          "",
		" age1x ":                   "age1x",
		"age1x comment":             "age1x",
		"ssh-ed25519 AAAA":          "ssh-ed25519 AAAA",
		"ssh-ed25519  AAAA  me@box": "ssh-ed25519 AAAA",
		"ssh-rsa AAAA\tme and you":  "ssh-rsa AAAA",
		"ssh-ed25519":               "ssh-ed25519",
	} {
		if got := canonicalRecipient(in); got != want {
			t.Errorf("%q became %q", in, got)
		}
	}
}

// ageVectors is how many test vectors the version of c2sp.org/CCTV/age has that
// age v1.3.2 asks for.
const ageVectors = 147

// TestAgeVectors takes age's own test vectors down the path that unwraps a data
// key: decryptStanza, which reads armored files alone.
func TestAgeVectors(t *testing.T) {
	names, err := fs.Glob(agetest.Vectors, "*")
	if err != nil || len(names) != ageVectors {
		t.Fatalf("%d vectors instead of %d: %v", len(names), ageVectors, err)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			content, err := fs.ReadFile(agetest.Vectors, name)
			if err != nil {
				t.Fatal(err)
			}
			parseAgeVector(t, content).run(t)
		})
	}
}

type ageVector struct {
	expect     string
	hash       string
	identities anyOf
	armored    bool
	file       []byte
}

// anyOf unwraps with the first identity that fits.
type anyOf []age.Identity

func (ids anyOf) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	for _, id := range ids {
		if key, err := id.Unwrap(stanzas); !errors.Is(err, age.ErrIncorrectIdentity) {
			return key, err
		}
	}
	return nil, age.ErrIncorrectIdentity
}

func parseAgeVector(t *testing.T, content []byte) (v ageVector) {
	header, file, ok := bytes.Cut(content, []byte("\n\n"))
	if !ok {
		t.Fatal("no blank line")
	}
	v.file = file
	for l := range strings.Lines(string(header)) {
		key, value, _ := strings.Cut(strings.TrimSuffix(l, "\n"), ": ")
		var id age.Identity
		var err error
		switch key {
		case "expect":
			v.expect = value
		case "payload":
			v.hash = value
		case "identity":
			if id, err = x25519.ParseIdentity(value); err != nil {
				id, err = age.ParseHybridIdentity(value)
			}
		case "passphrase":
			id, err = age.NewScryptIdentity(value)
		case "armored":
			v.armored = true
		case "compressed":
			var z io.Reader
			if z, err = zlib.NewReader(bytes.NewReader(v.file)); err == nil {
				v.file, err = io.ReadAll(z)
			}
		case "comment", "file key":
		default:
			t.Fatalf("unknown field %q", key)
		}
		if err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		if id != nil {
			v.identities = append(v.identities, id)
		}
	}
	return v
}

func (v ageVector) run(t *testing.T) {
	text := string(v.file)
	if !v.armored {
		var buf strings.Builder
		w := armor.NewWriter(&buf)
		w.Write(v.file)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		text = buf.String()
	}
	out, err := decryptStanza(text, v.identities)
	noMatch, badArmor := errors.Is(err, age.ErrIncorrectIdentity), errors.As(err, new(*armor.Error))
	switch v.expect {
	case "success":
		if sum := sha256.Sum256(out); err != nil || hex.EncodeToString(sum[:]) != v.hash {
			t.Fatalf("payload of %d bytes is wrong: %v", len(out), err)
		}
	case "no match":
		if !noMatch {
			t.Fatalf("got %v", err)
		}
	case "armor failure":
		if !badArmor {
			t.Fatalf("got %v", err)
		}
	case "HMAC failure":
		if err == nil || !strings.Contains(err.Error(), "bad header MAC") {
			t.Fatalf("got %v", err)
		}
	case "header failure", "payload failure":
		if err == nil || noMatch || badArmor {
			t.Fatalf("got %v", err)
		}
	default:
		t.Fatalf("unknown expectation %q", v.expect)
	}

	key, _, err := unwrapDataKey(&metadata{groups: []group{{stanzas: []stanza{{recipient: "age1x", armored: text}}}}, quorum: 1}, slices.Values([]Identity{{Identity: v.identities}}))
	switch {
	case v.expect == "success" && len(out) == dataKeySize:
		if err != nil {
			t.Errorf("as a data key: %v", err)
		}
	case v.expect == "no match":
		refusal[*NoIdentityError](t, key == nil, err)
	default:
		refusal[*DamagedError](t, key == nil, err)
	}
}
