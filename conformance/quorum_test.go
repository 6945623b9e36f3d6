package conformance

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"math/bits"
	"slices"
	"strings"
	"testing"

	"envcrypt/crypt"
)

// quorum is a shape of key groups, each of several keys.
type quorum struct {
	needed int
	groups [][]*keyPair
}

// newQuorum returns groups of one to three keys of age's kinds.
func newQuorum(needed, groups int) (q quorum) {
	q.needed = needed
	for i := range groups {
		group := []*keyPair{newX25519()}
		if i%2 == 0 {
			group = append(group, newX25519())
		}
		if i%3 == 1 {
			group = append(group, newEd25519())
		}
		q.groups = append(q.groups, group)
	}
	return q
}

func (q quorum) audience() crypt.Audience {
	a := crypt.Audience{Quorum: q.needed}
	for _, g := range q.groups {
		a.Groups = append(a.Groups, to(g))
	}
	return a
}

// rules is a .sops.yaml that encrypts to q.
func (q quorum) rules() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "creation_rules:\n- shamir_threshold: %d\n  key_groups:\n", q.needed)
	for _, g := range q.groups {
		b.WriteString("  - age:\n")
		for _, p := range g {
			fmt.Fprintf(&b, "    - %s\n", p.recipient.Text)
		}
	}
	return []byte(b.String())
}

// choices yields every choice of groups, with an X25519 key of each that is chosen.
func (q quorum) choices() iter.Seq2[[]*keyPair, bool] {
	return func(yield func(people []*keyPair, enough bool) bool) {
		for choice := range uint(1) << len(q.groups) {
			var people []*keyPair
			for i, g := range q.groups {
				if choice>>i&1 == 1 {
					people = append(people, g[int(choice)%min(len(g), 1+(i+1)%2)])
				}
			}
			if !yield(people, bits.OnesCount(choice) >= q.needed) {
				return
			}
		}
	}
}

// enough returns a key of as many groups as it takes, or all of a single one's.
func (q quorum) enough() []*keyPair {
	if q.needed == 1 {
		return q.groups[0]
	}
	var people []*keyPair
	for _, g := range q.groups[len(q.groups)-q.needed:] {
		people = append(people, g[0])
	}
	return people
}

var shapes = []struct{ needed, groups int }{{2, 2}, {2, 3}, {3, 5}}

func ids(people []*keyPair) iter.Seq[crypt.Identity] {
	return func(yield func(crypt.Identity) bool) {
		for _, p := range people {
			if !yield(p.identity) {
				return
			}
		}
	}
}

// quorumBox is a box in which sops has these keys.
func quorumBox(t *testing.T, people []*keyPair) *box {
	b := newBox(t, newX25519())
	b.hold(people)
	return b
}

func (b *box) hold(people []*keyPair) {
	var secrets []string
	for _, p := range people {
		secrets = append(secrets, p.secret)
	}
	b.env = []string{"SOPS_AGE_KEY=" + strings.Join(secrets, "")}
}

// checkChoice opens a file with some of the keys: it opens, or the error says which
// groups are missing.
func checkChoice(t *testing.T, data []byte, o crypt.Options, q quorum, people []*keyPair, enough bool) {
	t.Helper()
	d, err := crypt.Open(data, o, ids(people))
	var none *crypt.NoIdentityError
	switch {
	case enough && err != nil:
		t.Fatalf("%d of %d: %v", len(people), q.needed, err)
	case enough:
		if v, _ := d.Get("A"); v != "one" || d.Quorum() != q.needed || len(d.Groups()) != len(q.groups) {
			t.Fatalf("A is %q, encrypted to %d of %v", v, d.Quorum(), d.Groups())
		}
	case d != nil || !errors.As(err, &none) || none.Quorum != q.needed:
		t.Fatalf("%d of %d: opened: %v, %v", len(people), q.needed, d != nil, err)
	default:
		for i, g := range q.groups {
			has := slices.ContainsFunc(g, func(p *keyPair) bool { return slices.Contains(people, p) })
			if none.Opened[i] != has || none.Groups[i][0] != g[0].recipient.Text {
				t.Fatalf("group %d: %+v", i, none)
			}
		}
	}
}

func TestWeOpenQuorumsOfSops(t *testing.T) {
	for _, shape := range shapes {
		for f, ext := range map[crypt.Format]string{crypt.Dotenv: "env", crypt.YAML: "yaml", crypt.JSON: "json"} {
			t.Run(fmt.Sprintf("%d of %d %s", shape.needed, shape.groups, ext), func(t *testing.T) {
				t.Parallel()
				q := newQuorum(shape.needed, shape.groups)
				b := quorumBox(t, nil)
				b.write(t, ".sops.yaml", q.rules())
				plain := map[string]string{"env": "A=one\nB=two\n", "yaml": "A: one\nB: {C: two}\n", "json": `{"A": "one", "B": "two"}`}[ext]
				b.write(t, "plain."+ext, []byte(plain))
				data := b.sops(t, "encrypt", "plain."+ext)
				for people, enough := range q.choices() {
					checkChoice(t, data, crypt.Options{Format: f}, q, people, enough)
				}
				// sops reads again what becomes of it here.
				d, err := crypt.Open(data, crypt.Options{Format: f}, ids(q.enough()))
				if err != nil {
					t.Fatal(err)
				}
				sealed, err := crypt.Seal(d, "staging", q.audience(), now)
				if err != nil {
					t.Fatal(err)
				}
				b.hold(q.enough())
				b.write(t, "again.env", sealed)
				if out := b.sops(t, "decrypt", "again.env"); !bytes.Contains(out, []byte("A=one\n")) {
					t.Errorf("sops reads %s", out)
				}
			})
		}
	}
}

func sealQuorum(t *testing.T, items []crypt.Item, q quorum) []byte {
	t.Helper()
	data, err := crypt.Seal(newDocument(t, items), "staging", q.audience(), now)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestSopsOpensOurQuorums(t *testing.T) {
	for _, shape := range shapes {
		t.Run(fmt.Sprintf("%d of %d", shape.needed, shape.groups), func(t *testing.T) {
			t.Parallel()
			q := newQuorum(shape.needed, shape.groups)
			data := sealQuorum(t, before, q)
			for people, enough := range q.choices() {
				checkChoice(t, data, staging, q, people, enough)
				b := quorumBox(t, people)
				b.write(t, "x.env", data)
				out, err := b.trySops("decrypt", "x.env")
				if (err == nil) != enough || enough && !bytes.Contains(out, []byte("A=one\n")) {
					t.Fatalf("sops with %d of %d: %v", len(people), q.needed, err)
				}
			}
		})
	}
}

// What we write is byte for byte what sops's store writes, also where numbers get long.
func TestQuorumReemitted(t *testing.T) {
	q := newQuorum(2, 12)
	for range 10 {
		q.groups[1] = append(q.groups[1], newX25519())
	}
	checkReemitted(t, sealQuorum(t, []crypt.Item{{Key: "A", Value: "one"}}, q))
	checkReemitted(t, sealQuorum(t, nil, newQuorum(200, 255)))
}

// sops changes our quorum files, which are stale then, and can be sealed again.
func TestQuorumAfterSops(t *testing.T) {
	moved := func(q quorum) quorum {
		q.groups = slices.Clone(q.groups)
		q.groups[0] = append(q.groups[0], newX25519())
		return q
	}
	tests := []struct {
		name string
		do   func(t *testing.T, b *box, q quorum) quorum
		want string
	}{
		{"set", func(t *testing.T, b *box, q quorum) quorum {
			b.sops(t, "set", "x.env", `["A"]`, `"other"`)
			return q
		}, "other"},
		{"unset", func(t *testing.T, b *box, q quorum) quorum { b.sops(t, "unset", "x.env", `["B"]`); return q }, "one"},
		{"rotate", func(t *testing.T, b *box, q quorum) quorum { b.sops(t, "rotate", "-i", "x.env"); return q }, "one"},
		{"updatekeys", func(t *testing.T, b *box, q quorum) quorum {
			q = moved(q)
			b.write(t, ".sops.yaml", q.rules())
			b.sops(t, "updatekeys", "-y", "x.env")
			return q
		}, "one"},
		{"updatekeys to one group", func(t *testing.T, b *box, q quorum) quorum {
			q = quorum{1, [][]*keyPair{q.enough()}}
			b.write(t, ".sops.yaml", q.rules())
			b.sops(t, "updatekeys", "-y", "x.env")
			return q
		}, "one"},
		{"a group more and another threshold", func(t *testing.T, b *box, q quorum) quorum {
			p := newX25519()
			b.sops(t, "groups", "add", "-f", "x.env", "--age", p.recipient.Text, "--in-place", "--shamir-secret-sharing-threshold", "3")
			return quorum{3, append(slices.Clone(q.groups), []*keyPair{p})}
		}, "one"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			q := newQuorum(2, 3)
			b := quorumBox(t, q.enough()[:1])
			b.write(t, "x.env", sealQuorum(t, before, q))
			if _, err := b.trySops("set", "x.env", `["A"]`, `"nobody"`); err == nil {
				t.Fatal("sops writes with too few keys")
			}
			b.hold(q.enough())
			q = tt.do(t, b, q)
			after := b.read(t, "x.env")

			d, err := crypt.Open(after, staging, ids(q.enough()))
			var e *crypt.SealError
			if d != nil || !errors.As(err, &e) || e.State != crypt.SealStale {
				t.Fatalf("opened: %v, %v", d != nil, err)
			}
			d, err = crypt.Open(after, crypt.Options{Environment: "staging", Reseal: true}, ids(q.enough()))
			if err != nil {
				t.Fatal(err)
			}
			if d.Quorum() != q.needed || !slices.Equal(d.Groups()[0], texts(q.groups[0])) {
				t.Errorf("encrypted to %d of %v", d.Quorum(), d.Groups())
			}
			d.Adopt()
			sealed, err := crypt.Seal(d, "staging", q.audience(), now)
			if err != nil {
				t.Fatal(err)
			}
			b.hold(q.enough())
			b.write(t, "x.env", sealed)
			if out := b.sops(t, "decrypt", "x.env"); !bytes.Contains(out, []byte("A="+tt.want+"\n")) {
				t.Errorf("sops reads %s", out)
			}
			if _, err := crypt.Open(sealed, staging, ids(q.enough())); err != nil {
				t.Error(err)
			}
		})
	}
}

// sops updatekeys does not heed another threshold of its rules. docs say so; this notices
// when it changes.
func TestSopsIgnoresAChangedThreshold(t *testing.T) {
	q := newQuorum(2, 3)
	b := quorumBox(t, q.enough())
	data := sealQuorum(t, before, q)
	b.write(t, "x.env", data)
	q.needed = 3
	b.write(t, ".sops.yaml", q.rules())
	b.sops(t, "updatekeys", "-y", "x.env")
	if !bytes.Equal(b.read(t, "x.env"), data) {
		t.Error("the file is another")
	}
}

func texts(people []*keyPair) (texts []string) {
	for _, p := range people {
		texts = append(texts, p.recipient.Text)
	}
	return texts
}

// Somebody in two groups is a quorum alone for sops. We refuse such a file; docs/format.md
// says so.
func TestSomebodyInTwoGroups(t *testing.T) {
	q := newQuorum(2, 2)
	q.groups[1] = append(q.groups[1], q.groups[0][0])
	b := quorumBox(t, q.groups[0][:1])
	b.write(t, ".sops.yaml", q.rules())
	b.write(t, "plain.env", []byte("A=one\n"))
	data := b.sops(t, "encrypt", "plain.env")
	b.write(t, "x.env", data)
	b.sops(t, "decrypt", "x.env")
	d, err := crypt.Open(data, crypt.Options{}, ids(q.enough()))
	if d != nil || !errors.As(err, new(*crypt.DamagedError)) {
		t.Errorf("opened: %v, %v", d != nil, err)
	}
}
