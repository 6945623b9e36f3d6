package crypt

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
)

func TestSealOpens(t *testing.T) {
	p := newPerson(t)
	data := sample(t, "staging", p)
	d := mustOpen(t, data, staging, p)
	want := []string{"API_KEY=" + canary + "-1", "DB_URL=" + canary + "-2", "EMPTY=", "DEBUG=42"}
	if got := pairs(d); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if state, env := d.SealState(); state != SealValid || env != "staging" || d.SealKeysChanged() || len(d.Unverified()) != 0 {
		t.Errorf("got %v, %s, %v", state, env, d.Unverified())
	}
	if got := d.LastModified(); !got.Equal(time.Date(2026, 2, 3, 3, 5, 6, 0, time.UTC)) {
		t.Errorf("lastmodified is %v", got)
	}
	if _, ok := d.Get("NONE"); ok || !slices.Equal(d.Keys(), []string{"API_KEY", "DB_URL", "EMPTY", "DEBUG"}) {
		t.Errorf("keys are %v", d.Keys())
	}
	if v, ok := d.Get("EMPTY"); v != "" || !ok {
		t.Errorf("EMPTY is %q, %v", v, ok)
	}
	if strings.Contains(string(data), canary) || !strings.HasSuffix(string(data), "sops_version=3.13.3\n") {
		t.Errorf("the file:\n%s", data)
	}
}

func TestSealEmptyDocument(t *testing.T) {
	p := newPerson(t)
	data := mustSeal(t, new(Document), "staging", p)
	if d := mustOpen(t, data, staging, p); len(d.Keys()) != 0 || len(d.Items()) != 0 {
		t.Errorf("got %v", d.Items())
	}
}

func TestSealNobody(t *testing.T) {
	if data, err := Seal(new(Document), "staging", Audience{}, testTime); data != nil || err == nil {
		t.Error("sealed to nobody")
	}
}

// A document that could not be sealed is as good as before.
func TestSealFailureIsNoHarm(t *testing.T) {
	p, q := newPerson(t), newPerson(t)
	d := mustOpen(t, sample(t, "staging", p), staging, p)
	broken := Recipient{Recipient: brokenRecipient{}, Text: "age1broken"}
	for _, to := range [][]Recipient{{p.recipient, broken}, {broken}} {
		if data, err := Seal(d, "staging", AnyOf(to...), testTime); data != nil || !errors.Is(err, errBroken) {
			t.Fatalf("got %v", err)
		}
	}
	data := mustSeal(t, d, "staging", q)
	if got := len(mustOpen(t, data, staging, q).Keys()); got != 4 {
		t.Errorf("%d keys are left", got)
	}
	refused[*NoIdentityError](t, data, staging, p)
}

var errBroken = errors.New("broken")

type brokenRecipient struct{}

func (brokenRecipient) Wrap([]byte) ([]*age.Stanza, error) { return nil, errBroken }

// A diff of two versions shows what changed and nothing else.
func TestUnchangedKeepsCiphertext(t *testing.T) {
	p := newPerson(t)
	first := sample(t, "staging", p)
	d := mustOpen(t, first, staging, p)
	d.Set("DB_URL", "new")
	d.Set("API_KEY", canary+"-1")
	second := mustSeal(t, d, "staging", p)
	same(t, first, second, 0, 4, 10)

	// Sealing goes on from there, without opening in between.
	d.Set("ADDED", "x")
	d.Delete("API_KEY")
	third := mustSeal(t, d, "staging", p)
	if line(t, second, "DB_URL=") != line(t, third, "DB_URL=") || line(t, second, "#ENC") == line(t, third, "#ENC") {
		t.Error("a value did not keep its ciphertext, or a seal did")
	}
	if got, want := pairs(mustOpen(t, third, staging, p)), []string{"DB_URL=new", "EMPTY=", "DEBUG=42", "ADDED=x"}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

// same checks that two files differ in the given lines alone, from 0.
func same(t *testing.T, a, b []byte, but ...int) {
	t.Helper()
	la, lb := lines(a), lines(b)
	if len(la) != len(lb) {
		t.Fatalf("%d lines became %d", len(la), len(lb))
	}
	for i := range la {
		if (la[i] == lb[i]) == slices.Contains(but, i) {
			t.Errorf("line %d: %s became %s", i+1, la[i], lb[i])
		}
	}
}

func TestRecipientAdded(t *testing.T) {
	p, q := newPerson(t), newPerson(t)
	first := sample(t, "staging", p)
	d := mustOpen(t, first, staging, p)
	key := d.dataKey
	second := mustSeal(t, d, "staging", q, p)
	if got, want := d.Recipients(), []string{q.recipient.Text, p.recipient.Text}; !slices.Equal(got, want) {
		t.Errorf("recipients are %v, want them in the order given", got)
	}
	for _, prefix := range []string{"API_KEY=", "DB_URL=", "DEBUG="} {
		if line(t, first, prefix) != line(t, second, prefix) {
			t.Errorf("%s was encrypted afresh", prefix)
		}
	}
	_, before, _ := strings.Cut(line(t, first, "sops_age__list_0__map_enc"), "=")
	_, after, _ := strings.Cut(line(t, second, "sops_age__list_1__map_enc"), "=")
	if before != after {
		t.Error("the stanza of who stays was made anew")
	}
	if !slices.Equal(key, mustOpen(t, second, staging, q).dataKey) {
		t.Error("the data key is another")
	}
}

func TestRecipientRemoved(t *testing.T) {
	p, q := newPerson(t), newPerson(t)
	first := sample(t, "staging", p, q)
	old := mustOpen(t, first, staging, q)
	d := mustOpen(t, first, staging, p)
	second := mustSeal(t, d, "staging", p)
	freshly(t, first, second, old, p, q)
}

// freshly checks that nothing of the first file, nor what q knows from it, opens
// anything of the second, which is encrypted to p alone.
func freshly(t *testing.T, first, second []byte, old *Document, p, q person) {
	t.Helper()
	refused[*NoIdentityError](t, second, staging, q)
	d := mustOpen(t, second, staging, p)
	if slices.Equal(d.dataKey, old.dataKey) {
		t.Error("the data key is the old one")
	}
	values, err := newValueCipher(old.dataKey)
	if err != nil {
		t.Fatal(err)
	}
	was := strings.Join(lines(first), "")
	n := 0
	for _, l := range lines(second) {
		name, text, _ := strings.Cut(strings.TrimSpace(l), "=")
		if strings.HasPrefix(l, "#") {
			name, text = "", strings.TrimSpace(l[1:])
		}
		if !isEncrypted(text) {
			continue
		}
		n++
		for _, path := range []string{name + ":", commentPath, d.meta.lastModified.Format(time.RFC3339)} {
			if _, _, err := values.open(text, path); err == nil {
				t.Errorf("the old data key opens %s", name)
			}
		}
		if strings.Contains(was, text) {
			t.Errorf("%s has its old ciphertext", name)
		}
	}
	if n < 5 {
		t.Errorf("only %d ciphertexts", n)
	}
	// The old stanza of q in the new file unwraps the wrong data key.
	mixed := append(slices.Clone(second), []byte(
		"sops_age__list_1__map_recipient="+q.recipient.Text+"\n"+
			"sops_age__list_1__map_enc="+strings.ReplaceAll(old.meta.groups[0].stanzas[1].armored, "\n", `\n`)+"\n")...)
	refused[*DamagedError](t, mixed, staging, q)
}

// Wherever others may know the data key, sealing makes a new one.
func TestNewDataKey(t *testing.T) {
	p, q := newPerson(t), newPerson(t)
	_, unsealed, _ := bytes.Cut(sample(t, "staging", p), []byte("\n"))
	for name, data := range map[string]struct {
		file []byte
		o    Options
	}{
		"unsealed":  {unsealed, Options{}},
		"stale":     {otherTool(t, sample(t, "staging", p), p, func(*Document) {}), Options{Reseal: true}},
		"misplaced": {sample(t, "production", p), Options{Environment: "staging", Reseal: true}},
		"elsewhere": {sample(t, "production", p), Options{Environment: "production"}},
	} {
		t.Run(name, func(t *testing.T) {
			d := mustOpen(t, data.file, data.o, p)
			d.Adopt()
			key := slices.Clone(d.dataKey)
			sealed := mustSeal(t, d, "staging", p, q)
			if slices.Equal(key, mustOpen(t, sealed, staging, q).dataKey) {
				t.Error("the data key is the old one")
			}
		})
	}
	d := mustOpen(t, sample(t, "staging", p), staging, p)
	key := slices.Clone(d.dataKey)
	d.NewDataKey()
	if sealed := mustSeal(t, d, "staging", p); slices.Equal(key, mustOpen(t, sealed, staging, p).dataKey) {
		t.Error("NewDataKey had no effect")
	}
}

func TestSetErrors(t *testing.T) {
	d := new(Document)
	for _, key := range []string{"", "1A", "A-B", "A B", "A=B", "Ä", "sops_x", "A\x00", "A\n"} {
		if err := d.Set(key, canary); err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("%q: %v", key, err)
		}
	}
	if err := d.Set("A", canary+"\x00"); err == nil || strings.Contains(err.Error(), canary) {
		t.Errorf("NUL: %v", err)
	}
	if len(d.Keys()) != 0 {
		t.Errorf("keys are %v", d.Keys())
	}
	for _, key := range []string{"A", "_", "a_1", "SOPS_X", "A_unencrypted"} {
		if err := d.Set(key, "x"); err != nil {
			t.Errorf("%q: %v", key, err)
		}
	}
}

// Adopting is a person's decision: until then, unverified entries are not there.
func TestAdopt(t *testing.T) {
	p := newPerson(t)
	data := sample(t, "staging", p)
	l := append([]string{"# clear\n", "URL_unencrypted=x\\ny\n"}, lines(data)[1:]...)
	l = with("sops_unencrypted_suffix=", "_unencrypted")(l)
	// The other tool counts what is in the clear into its MAC.
	open := mustOpen(t, data, staging, p)
	values, _ := newValueCipher(open.dataKey)
	open.items = slices.Insert(open.items, 0, item{key: "URL_unencrypted", value: "x\ny"})
	open.appendItems(nil, values)
	l = with("sops_mac=", open.meta.mac)(l)
	file := []byte(strings.Join(l, ""))

	d := mustOpen(t, file, Options{}, p)
	want := []Unverified{{Line: 1}, {Line: 2, Key: "URL_unencrypted"}, {Line: 7, Key: "EMPTY", Empty: true}}
	if got := d.Unverified(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
	if _, ok := d.Get("EMPTY"); ok || len(d.Keys()) != 3 || d.Delete("EMPTY") {
		t.Errorf("keys are %v", d.Keys())
	}
	if got := pairs(mustOpen(t, mustSeal(t, d, "staging", p), staging, p)); len(got) != 3 {
		t.Errorf("sealed without adopting: %q", got)
	}

	d = mustOpen(t, file, Options{}, p)
	d.Adopt()
	sealed := mustSeal(t, d, "staging", p)
	opened := mustOpen(t, sealed, staging, p)
	if got := fmt.Sprintf("%q", pairs(opened)[0]); got != `"URL_unencrypted=x\ny"` || len(opened.Keys()) != 5 {
		t.Errorf("got %s of %v", got, opened.Keys())
	}
	if strings.Contains(string(sealed), "# clear") || opened.Items()[0].Comment != " clear" {
		t.Error("the comment in the clear was not adopted, or not encrypted")
	}

	// What is set takes the place of what nothing vouches for.
	d = mustOpen(t, file, Options{}, p)
	d.Set("EMPTY", "filled")
	d.Adopt()
	if got := pairs(mustOpen(t, mustSeal(t, d, "staging", p), staging, p)); !slices.Contains(got, "EMPTY=filled") || len(got) != 5 {
		t.Errorf("got %q", got)
	}
}

func TestInspect(t *testing.T) {
	p, q := newPerson(t), newPerson(t)
	data := append(sample(t, "staging", p, q), "sops_pgp__list_0__map_fp=x\n"...)
	got, err := Inspect(data, Dotenv)
	if err != nil {
		t.Fatal(err)
	}
	want := &Summary{
		Keys:         []string{"API_KEY", "DB_URL", "EMPTY", "DEBUG"},
		Recipients:   []string{p.recipient.Text, q.recipient.Text},
		Groups:       [][]string{{p.recipient.Text, q.recipient.Text}},
		Quorum:       1,
		OtherKinds:   []string{"pgp"},
		LastModified: testTime.UTC().Truncate(time.Second),
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
	s, err := Inspect([]byte("A="+canary+"\n"), Dotenv)
	refusal[*DamagedError](t, s == nil, err)
}

func TestOpenedBy(t *testing.T) {
	alice, bob := newPerson(t), newPerson(t)
	data := mustSeal(t, new(Document), "dev", alice, bob)
	if by := mustOpen(t, data, Options{Environment: "dev"}, bob).OpenedBy(); by != bob.Recipient {
		t.Errorf("opened by %q", by)
	}
}
