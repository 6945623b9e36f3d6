package crypt

import (
	"bytes"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"testing"

	"github.com/getsops/sops/v3/shamir"
)

// quorumOf is the audience of which n of the groups open a document.
func quorumOf(n int, groups ...[]person) Audience {
	a := Audience{Quorum: n}
	for _, g := range groups {
		a.Groups = append(a.Groups, to(g...).Groups[0])
	}
	return a
}

// newGroups returns as many groups of two people each.
func newGroups(t testing.TB, n int) (groups [][]person) {
	for range n {
		groups = append(groups, []person{newPerson(t), newPerson(t)})
	}
	return groups
}

func sealTo(t testing.TB, d *Document, a Audience) []byte {
	t.Helper()
	data, err := Seal(d, "staging", a, testTime)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// quorumSample is sample for a quorum.
func quorumSample(t testing.TB, a Audience) []byte {
	t.Helper()
	p := newPerson(t)
	d := mustOpen(t, sample(t, "staging", p), staging, p)
	return sealTo(t, d, a)
}

// Every choice of groups opens a document, or does not and says what is missing.
func TestQuorum(t *testing.T) {
	for _, c := range []struct{ quorum, groups int }{{2, 2}, {2, 3}, {3, 3}, {3, 5}} {
		groups := newGroups(t, c.groups)
		data := quorumSample(t, quorumOf(c.quorum, groups...))
		for choice := range 1 << c.groups {
			var chosen []person
			opened := make([]bool, c.groups)
			for i, g := range groups {
				if opened[i] = choice>>i&1 == 1; opened[i] {
					chosen = append(chosen, g[i%2])
				}
			}
			slices.Reverse(chosen)
			if bits.OnesCount(uint(choice)) >= c.quorum {
				d := mustOpen(t, data, staging, chosen...)
				if v, _ := d.Get("API_KEY"); v != canary+"-1" || d.Quorum() != c.quorum || len(d.Groups()) != c.groups {
					t.Errorf("%+v: %q, %d of %v", c, v, d.Quorum(), d.Groups())
				}
				if d.OpenedBy() != chosen[0].recipient.Text {
					t.Errorf("opened by %s", d.OpenedBy())
				}
				continue
			}
			e := refused[*NoIdentityError](t, data, staging, chosen...)
			if e.Quorum != c.quorum || !slices.Equal(e.Opened, opened) || e.Tried != len(chosen) || len(e.Recipients) != 2*c.groups || e.Groups[1][1] != groups[1][1].recipient.Text {
				t.Errorf("%+v of %b: got %+v", c, choice, *e)
			}
		}
	}
}

// Whoever holds all keys of one group is no quorum.
func TestQuorumOneGroupTwice(t *testing.T) {
	groups := newGroups(t, 2)
	data := quorumSample(t, quorumOf(2, groups...))
	e := refused[*NoIdentityError](t, data, staging, groups[0][0], groups[0][1], groups[0][0], newPerson(t))
	if e.Tried != 4 || !slices.Equal(e.Opened, []bool{true, false}) {
		t.Errorf("got %+v", *e)
	}
	if !strings.Contains(e.Error(), "2 of its 2 groups of recipients are needed, and 4 identities open 1") {
		t.Error(e)
	}
}

// Identities are asked for one by one, on the parts that are still needed.
func TestQuorumLazy(t *testing.T) {
	groups := newGroups(t, 3)
	data := quorumSample(t, quorumOf(2, groups...))
	first := &counting{Identity: groups[1][0].Identity.Identity}
	again := &counting{Identity: groups[1][1].Identity.Identity}
	// One that does not know its recipient is tried on the groups that are left, and
	// opens one of them.
	any := &counting{Identity: anyOf{groups[0][1].Identity.Identity, groups[2][0].Identity.Identity}}
	asked := 0
	seq := func(yield func(Identity) bool) {
		for _, id := range []Identity{
			{Identity: first, Recipient: groups[1][0].recipient.Text},
			{Identity: again, Recipient: groups[1][1].recipient.Text},
			{Identity: any},
			{Identity: brokenIdentity{}},
		} {
			asked++
			if !yield(id) {
				return
			}
		}
	}
	if _, err := Open(data, staging, seq); err != nil {
		t.Fatal(err)
	}
	if first.calls != 1 || again.calls != 0 || any.calls != 2 || asked != 3 {
		t.Errorf("%d, %d and %d unwraps, %d identities asked for", first.calls, again.calls, any.calls, asked)
	}
	any.calls = 0
	d, err := Open(data, staging, func(yield func(Identity) bool) { yield(Identity{Identity: any}) })
	if e := refusal[*NoIdentityError](t, d == nil, err); e.opened() != 1 || any.calls != 2 {
		t.Errorf("%d unwraps: %+v", any.calls, *e)
	}
}

func TestQuorumIdentityErrorEndsTheSearch(t *testing.T) {
	groups := newGroups(t, 2)
	data := quorumSample(t, quorumOf(2, groups...))
	seq := slices.Values([]Identity{groups[0][0].Identity, {Identity: brokenIdentity{}}, groups[1][0].Identity})
	d, err := Open(data, staging, seq)
	refusal[*IdentityError](t, d == nil, err)
}

func TestQuorumInspect(t *testing.T) {
	groups := newGroups(t, 3)
	a := quorumOf(2, groups...)
	s, err := Inspect(quorumSample(t, a), Dotenv)
	if err != nil || s.Quorum != 2 || len(s.Recipients) != 6 || len(s.Groups) != 3 || s.Groups[2][0] != groups[2][0].recipient.Text {
		t.Errorf("%+v, %v", s, err)
	}
	p := newPerson(t)
	s, err = Inspect(sample(t, "staging", p), Dotenv)
	if err != nil || s.Quorum != 1 || fmt.Sprint(s.Groups) != fmt.Sprintf("[[%s]]", p.recipient.Text) {
		t.Errorf("%+v, %v", s, err)
	}
}

// What stays keeps its wrappings and the data key; any change of a quorum is a new
// data key, and no part of the old one opens the new file.
func TestQuorumSealAgain(t *testing.T) {
	g := newGroups(t, 3)
	a, b, c := g[0], g[1], g[2]
	p := newPerson(t)
	tests := []struct {
		name string
		from Audience
		to   Audience
		keys bool // stay
	}{
		{"nothing", quorumOf(2, a, b, c), quorumOf(2, a, b, c), true},
		{"a member goes", quorumOf(2, a, b, c), quorumOf(2, a, b, c[:1]), false},
		{"a member comes", quorumOf(2, a, b), quorumOf(2, a, append(b[:2:2], p)), false},
		{"a member for another", quorumOf(2, a, b), quorumOf(2, a, []person{b[0], p}), false},
		{"a member moves", quorumOf(2, a, b), quorumOf(2, a[:1], []person{b[0], b[1], a[1]}), false},
		{"another order in a group", quorumOf(2, a, b), quorumOf(2, a, []person{b[1], b[0]}), false},
		{"another order of groups", quorumOf(2, a, b), quorumOf(2, b, a), false},
		{"a group comes", quorumOf(2, a, b), quorumOf(2, a, b, c), false},
		{"a group goes", quorumOf(2, a, b, c), quorumOf(2, a, b), false},
		{"fewer are needed", quorumOf(3, a, b, c), quorumOf(2, a, b, c), false},
		{"more are needed", quorumOf(2, a, b, c), quorumOf(3, a, b, c), false},
		{"no quorum any more", quorumOf(2, a, b), to(a[0], a[1], b[0], b[1]), false},
		{"a quorum from now on", to(a[0], a[1], b[0], b[1]), quorumOf(2, a, b), false},
		{"one group gains", to(a[0]), to(a[0], p), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			old := quorumSample(t, tt.from)
			everybody := []person{a[0], b[0], c[0]}
			d := mustOpen(t, old, staging, everybody...)
			key := d.dataKey
			again := sealTo(t, d, tt.to)
			if got := bytes.Equal(d.dataKey, key); got != tt.keys {
				t.Errorf("the data key stays: %v", got)
			}
			if got := line(t, again, "API_KEY=") == line(t, old, "API_KEY="); got != tt.keys {
				t.Errorf("a ciphertext stays: %v", got)
			}
			kept := 0
			for _, l := range lines(old) {
				if strings.HasPrefix(l, "sops_") && strings.Contains(l, "_enc=") && bytes.Contains(again, []byte(l[strings.Index(l, "="):])) {
					kept++
				}
			}
			if got := kept == len(d.Recipients())-len(tt.to.Groups[0])+len(tt.from.Groups[0]); tt.keys && !got || !tt.keys && kept > 0 {
				t.Errorf("%d wrappings stay", kept)
			}
			opened := mustOpen(t, again, staging, everybody...)
			if !sameGroups(opened.meta.groups, tt.to) || opened.Quorum() != tt.to.Quorum {
				t.Errorf("encrypted to %d of %v", opened.Quorum(), opened.Groups())
			}
			third := sealTo(t, opened, tt.to)
			if line(t, third, "API_KEY=") != line(t, again, "API_KEY=") {
				t.Error("sealing again to the same people is no new data key")
			}
		})
	}
}

func TestSealImpossibleQuorum(t *testing.T) {
	g := newGroups(t, 2)
	many := make([][]person, groupsLimit+1)
	for i := range many {
		many[i] = g[0]
	}
	for name, a := range map[string]Audience{
		"nobody":               {Quorum: 1},
		"one empty group":      {Groups: [][]Recipient{{}}, Quorum: 1},
		"no quorum":            quorumOf(0, g[0]),
		"no quorum of two":     quorumOf(0, g...),
		"any of two groups":    quorumOf(1, g...),
		"a quorum of one":      quorumOf(2, g[0]),
		"three of two":         quorumOf(3, g...),
		"an empty group":       quorumOf(2, g[0], g[1], nil),
		"somebody in two":      quorumOf(2, g[0], []person{g[1][0], g[0][1]}),
		"more than Shamir has": quorumOf(2, many...),
	} {
		if data, err := Seal(new(Document), "staging", a, testTime); data != nil || err == nil {
			t.Errorf("%s: sealed", name)
		}
	}
}

// crafted writes a file whose groups hold the given texts instead of their parts.
func crafted(t *testing.T, quorum int, groups [][]person, part func(i int, part []byte) []byte) []byte {
	t.Helper()
	p := newPerson(t)
	d := mustOpen(t, sample(t, "staging", p), staging, p)
	parts, err := shamir.Split(d.dataKey, len(groups), quorum)
	if err != nil {
		t.Fatal(err)
	}
	d.meta.groups, d.meta.quorum = make([]group, len(groups)), quorum
	for i, g := range groups {
		if d.meta.groups[i].stanzas, err = wrapAll(part(i, parts[i]), to(g...).Groups[0], nil); err != nil {
			t.Fatal(err)
		}
	}
	values, err := newValueCipher(d.dataKey)
	if err != nil {
		t.Fatal(err)
	}
	return d.meta.appendDotenv(d.appendItems(nil, values))
}

// Parts that come from nobody's good will: an error, and never a panic.
func TestRefuseParts(t *testing.T) {
	groups := newGroups(t, 2)
	people := []person{groups[0][0], groups[1][0]}
	point := func(x byte) func(int, []byte) []byte {
		return func(i int, part []byte) []byte {
			if i == 1 {
				part[dataKeySize] = x
			}
			return part
		}
	}
	size := func(n int) func(int, []byte) []byte {
		return func(i int, part []byte) []byte {
			if i == 1 {
				part = append(part, make([]byte, 64)...)[:n]
			}
			return part
		}
	}
	mustOpen(t, crafted(t, 2, groups, point(2)), Options{}, people...)
	for name, part := range map[string]func(int, []byte) []byte{
		"the same point":       point(1),
		"the key itself":       point(0),
		"a point of nobody":    point(77),
		"nothing":              size(0),
		"one byte":             size(1),
		"no point":             size(dataKeySize),
		"one byte more":        size(dataKeySize + 2),
		"all of one byte":      func(int, []byte) []byte { return []byte{1} },
		"all of one byte more": func(_ int, part []byte) []byte { return append(part, part[dataKeySize]) },
		"the same part":        func(int, []byte) []byte { return bytes.Repeat([]byte{1}, dataKeySize+1) },
	} {
		t.Run(name, func(t *testing.T) {
			refused[*DamagedError](t, crafted(t, 2, groups, part), Options{}, people...)
		})
	}
}

// What the metadata says of groups that cannot be.
func TestRefuseGroups(t *testing.T) {
	g := newGroups(t, 3)
	people := []person{g[0][0], g[1][0], g[2][0]}
	data := string(crafted(t, 2, g, func(_ int, part []byte) []byte { return part }))
	mustOpen(t, []byte(data), Options{}, people...)
	threshold := func(s string) string { return strings.Replace(data, "_threshold=2", "_threshold="+s, 1) }
	first := line(t, []byte(data), "sops_key_groups__list_0__map_age__list_0__map_recipient=")
	_, recipient, _ := strings.Cut(first, "=")
	dropGroup := func(n int) string {
		return strings.Join(without(fmt.Sprintf("sops_key_groups__list_%d_", n))(lines([]byte(data))), "")
	}
	many := strings.Builder{}
	for i := range 5000 {
		fmt.Fprintf(&many, "sops_key_groups__list_%d__map_age__list_0__map_recipient=age1x%d\n", i+3, i)
	}
	sparse := strings.Builder{}
	for i := range 200 {
		fmt.Fprintf(&sparse, "sops_key_groups__list_%d__map_age__list_%d__map_enc=x\n", i+3, recipientsLimit-1)
	}
	for name, text := range map[string]string{
		"threshold 0":        threshold("0"),
		"threshold 1":        threshold("1"),
		"threshold 4":        threshold("4"),
		"threshold -2":       threshold("-2"),
		"threshold no int":   threshold(canary),
		"threshold huge":     threshold("99999999999999999999"),
		"threshold missing":  strings.Join(without("sops_shamir_threshold")(lines([]byte(data))), ""),
		"a group is missing": dropGroup(1),
		"one group":          strings.Join(without("sops_key_groups__list_1_")(without("sops_key_groups__list_2_")(lines([]byte(data)))), ""),
		"a group of nothing": data + "sops_key_groups__list_3__map_age=\n",
		"a group of none":    data + "sops_key_groups__list_3__map_magic__list_0__map_x=" + canary + "\n",
		"a flat group":       data + "sops_key_groups__list_3=" + canary + "\n",
		"position -1":        data + "sops_key_groups__list_-1__map_age__list_0__map_recipient=x\n",
		"position 255":       data + "sops_key_groups__list_255__map_age__list_0__map_recipient=x\n",
		"no position":        data + "sops_key_groups__list_x__map_age__list_0__map_recipient=x\n",
		"no list":            data + "sops_key_groups__list_0__map_age__map_recipient=x\n",
		"incomplete":         data + "sops_key_groups__list_3__map_age__list_0__map_recipient=x\n",
		"twice":              data + "sops_key_groups__list_00__map_age__list_0__map_recipient=x\n",
		"thousands":          data + many.String(),
		"sparse":             data + sparse.String(),
		"somebody in two":    data + fmt.Sprintf("sops_key_groups__list_3__map_age__list_0__map_recipient=%s\nsops_key_groups__list_3__map_age__list_0__map_enc=x\n", recipient),
	} {
		t.Run(name, func(t *testing.T) {
			refused[*DamagedError](t, []byte(text), Options{}, people...)
			s, err := Inspect([]byte(text), Dotenv)
			refusal[*DamagedError](t, s == nil, err)
		})
	}
}

// Groups of other keys do not hinder those that are enough without them.
func TestQuorumBesideOtherKeys(t *testing.T) {
	g := newGroups(t, 3)
	data := string(crafted(t, 2, g, func(_ int, part []byte) []byte { return part }))
	foreign := func(n int, text string) string {
		text = strings.Join(without(fmt.Sprintf("sops_key_groups__list_%d_", n))(lines([]byte(text))), "")
		return text + fmt.Sprintf("sops_key_groups__list_%d__map_pgp__list_0__map_fp=x\nsops_key_groups__list_%d__map_kms__list_0__map_arn=x\n", n, n)
	}
	one := foreign(1, data)
	d := mustOpen(t, []byte(one), Options{}, g[0][0], g[2][1])
	if got := fmt.Sprint(d.OtherKinds(), len(d.Groups()), len(d.Groups()[1])); got != "[kms pgp] 3 0" {
		t.Errorf("got %s", got)
	}
	if e := refused[*NoIdentityError](t, []byte(one), Options{}, g[2][1]); !slices.Equal(e.Opened, []bool{false, false, true}) {
		t.Errorf("got %+v", *e)
	}
	key := d.dataKey
	sealTo(t, d, quorumOf(2, g...))
	if bytes.Equal(d.dataKey, key) {
		t.Error("the data key that a pgp key opens stays")
	}
	e := refused[*UnsupportedError](t, []byte(foreign(2, one)), Options{}, g[0][0])
	if !slices.Equal(e.Kinds, []string{"kms", "pgp"}) {
		t.Errorf("got %+v", *e)
	}
}

// SOPS does not look at key groups where keys stand alone.
func TestKeyGroupsBesideKeys(t *testing.T) {
	p := newPerson(t)
	text := strings.Join(lines(sample(t, "staging", p))[1:], "")
	text += "sops_key_groups__list_0__map_age__list_0__map_recipient=x\nsops_shamir_threshold=9\n"
	d := mustOpen(t, []byte(text), Options{}, p)
	if d.Quorum() != 1 || len(d.Groups()) != 1 || fmt.Sprint(d.OtherKinds()) != "[key_groups]" {
		t.Errorf("%d of %v, %v", d.Quorum(), d.Groups(), d.OtherKinds())
	}
}

// One flipped byte of a sealed quorum file is an error, never another document.
func TestQuorumTamper(t *testing.T) {
	g := newGroups(t, 2)
	data := quorumSample(t, quorumOf(2, g...))
	mustOpen(t, data, staging, g[0][0], g[1][0])
	for at := 0; at < len(data); at += 7 {
		changed := slices.Clone(data)
		changed[at] ^= 1
		if d, err := Open(changed, staging, ids(g[0][0], g[1][0])); d != nil || !ours(err) {
			t.Fatalf("byte %d: %v, %v", at, d, err)
		}
	}
}

// The files in testdata/quorum open by the two, and by neither alone.
func TestQuorumFiles(t *testing.T) {
	p, q := fixture(t), secondFixture(t)
	for name, o := range map[string]Options{"sealed.env": staging, "sops.env": {}, "sops.yaml": {Format: YAML}} {
		data := mustRead(t, "testdata/quorum/"+name)
		if d := mustOpen(t, data, o, q, p); d.Quorum() != 2 || len(d.Groups()) != 3 || len(d.Keys()) == 0 {
			t.Errorf("%s: %d of %v", name, d.Quorum(), d.Groups())
		}
		refused[*NoIdentityError](t, data, o, p)
		refused[*NoIdentityError](t, data, o, q)
	}
}
