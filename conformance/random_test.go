package conformance

import (
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/pem"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"envcrypt/crypt"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"golang.org/x/crypto/ssh"
)

// keyPair is a recipient and its identity.
type keyPair struct {
	recipient crypt.Recipient
	identity  crypt.Identity
	secret    string // the identity's file
	ssh       bool
}

func pair(to age.Recipient, text string, id age.Identity, secret string) *keyPair {
	return &keyPair{
		recipient: crypt.Recipient{Recipient: to, Text: text},
		identity:  crypt.Identity{Identity: id, Recipient: text},
		secret:    secret + "\n",
	}
}

func newX25519() *keyPair {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		panic(err)
	}
	return pair(id.Recipient(), id.Recipient().String(), id, id.String())
}

func newHybrid() *keyPair {
	id, err := age.GenerateHybridIdentity()
	if err != nil {
		panic(err)
	}
	return pair(id.Recipient(), id.Recipient().String(), id, id.String())
}

func newSSH(key any, public any) *keyPair {
	pub, err := ssh.NewPublicKey(public)
	if err != nil {
		panic(err)
	}
	text := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(pub)))
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		panic(err)
	}
	secret := pem.EncodeToMemory(block)
	id, err := agessh.ParseIdentity(secret)
	if err != nil {
		panic(err)
	}
	to, err := agessh.ParseRecipient(text)
	if err != nil {
		panic(err)
	}
	p := pair(to, text, id, string(secret))
	p.ssh = true
	return p
}

func newEd25519() *keyPair {
	pub, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		panic(err)
	}
	return newSSH(key, pub)
}

func newRSA() *keyPair {
	key, err := rsa.GenerateKey(nil, 2048)
	if err != nil {
		panic(err)
	}
	return newSSH(key, &key.PublicKey)
}

// everybody is fifty keys of all kinds.
var everybody = sync.OnceValue(func() (all []*keyPair) {
	for i := range 50 {
		switch {
		case i%5 == 1:
			all = append(all, newHybrid())
		case i%5 == 2:
			all = append(all, newEd25519())
		case i%20 == 3:
			all = append(all, newRSA())
		default:
			all = append(all, newX25519())
		}
	}
	return all
})

// somebody draws n of the fifty keys.
func somebody(r *rand.Rand, n int) []*keyPair {
	all := slices.Clone(everybody())
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:n]
}

func to(people []*keyPair) (r []crypt.Recipient) {
	for _, p := range people {
		r = append(r, p.recipient)
	}
	return r
}

func id(p *keyPair) iter.Seq[crypt.Identity] {
	return func(yield func(crypt.Identity) bool) { yield(p.identity) }
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// randomValue returns up to about size bytes. Without raw it is valid UTF-8.
func randomValue(r *rand.Rand, size int, raw bool) string {
	switch r.IntN(12) {
	case 0:
		return ""
	case 1:
		return pick(r, []string{`\n`, "\n", `a\nb`, `\\n`, "\r\n", " ", "=", "#x", `"`, "'", "$X", "`x`", "true", "42", "1.0", "null",
			"\ufeff", "\u2028", "\U0010ffff", "é", "ENC[AES256_GCM,data:x,iv:y,tag:z,type:str]", "sops_mac", "<<<<<<<", strings.Repeat("=", 7)})
	}
	n := 1 + r.IntN(size)
	var b strings.Builder
	for alphabet := r.IntN(4); b.Len() < n; {
		switch {
		case raw && r.IntN(8) == 0:
			b.WriteByte(byte(1 + r.IntN(255)))
		case alphabet == 0:
			b.WriteByte(byte(' ' + r.IntN('~'-' '+1)))
		case alphabet == 1:
			b.WriteByte("\n\\n\r\t\"'#=$ "[r.IntN(11)])
		default:
			if c := rune(1 + r.IntN(utf8.MaxRune)); utf8.ValidRune(c) {
				b.WriteRune(c)
			}
		}
	}
	return b.String()
}

// randomComment is a line that sops's YAML, too, can hold.
func randomComment(r *rand.Rand) string {
	return strings.NewReplacer("\n", " ", "\r", " ").Replace(randomValue(r, 60, false))
}

func randomName(r *rand.Rand, i int) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_"
	b := []byte{letters[r.IntN(len(letters))]}
	for range r.IntN(12) {
		b = append(b, (letters + "0123456789")[r.IntN(len(letters)+10)])
	}
	suffix := pick(r, []string{"", "", "", "_unencrypted", "__list_0", "__map_x"})
	return fmt.Sprintf("%s_%d%s", b, i, suffix)
}

// style says what a random document may hold.
type style struct {
	keys, size int
	raw        bool // values that are not UTF-8
	blanks     bool
}

func randomItems(r *rand.Rand, s style) []crypt.Item {
	var items []crypt.Item
	for i := range s.keys {
		for r.IntN(5) == 0 {
			items = append(items, crypt.Item{Kind: crypt.Comment, Comment: randomComment(r)})
		}
		if s.blanks && r.IntN(5) == 0 {
			items = append(items, crypt.Item{Kind: crypt.Blank})
		}
		it := crypt.Item{Key: randomName(r, i), Value: randomValue(r, s.size, s.raw)}
		if r.IntN(6) == 0 {
			it.Comment = " # " + randomComment(r)
		}
		items = append(items, it)
	}
	return items
}

func newDocument(t *testing.T, items []crypt.Item) *crypt.Document {
	t.Helper()
	d := new(crypt.Document)
	if err := d.Replace(items); err != nil {
		t.Fatal(err)
	}
	return d
}

// values are the names and values of items, in their order.
func values(items []crypt.Item) (v [][2]string) {
	for _, it := range items {
		if it.Kind == crypt.Entry {
			v = append(v, [2]string{it.Key, it.Value})
		}
	}
	return v
}

func valuesOf(d *crypt.Document) (v [][2]string) {
	for key, value := range d.All() {
		v = append(v, [2]string{key, value})
	}
	return v
}

// difference tells where two lists of values part, without flooding the screen.
func difference(got, want [][2]string) string {
	if len(got) != len(want) {
		return fmt.Sprintf("%d values instead of %d", len(got), len(want))
	}
	for i := range got {
		if got[i] != want[i] {
			return fmt.Sprintf("value %d: %.80q instead of %.80q", i, got[i], want[i])
		}
	}
	return ""
}
