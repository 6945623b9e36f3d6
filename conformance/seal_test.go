package conformance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"envcrypt/crypt"

	"github.com/getsops/sops/v3"
	"github.com/getsops/sops/v3/aes"
	sopsage "github.com/getsops/sops/v3/age"
	"github.com/getsops/sops/v3/config"
	"github.com/getsops/sops/v3/stores/dotenv"
)

var dotenvStore = dotenv.NewStore(&config.DotenvStoreConfig{})

// now has a fraction and a zone, neither of which SOPS writes.
var now = time.Date(2026, 7, 8, 9, 10, 11, 12, time.FixedZone("", -5*3600))

func seal(t *testing.T, d *crypt.Document, environment string, people []*keyPair) []byte {
	t.Helper()
	data, err := crypt.Seal(d, environment, crypt.AnyOf(to(people)...), now)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func open(t *testing.T, data []byte, o crypt.Options, p *keyPair) *crypt.Document {
	t.Helper()
	d, err := crypt.Open(data, o, id(p))
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return d
}

// sopsOpen decrypts with sops's own packages, and compares the MAC as its
// program does.
func sopsOpen(data []byte, p *keyPair) (values [][2]string, comments []string, err error) {
	tree, err := dotenvStore.LoadEncryptedFile(data)
	if err != nil {
		return nil, nil, err
	}
	dataKey, err := sopsDataKey(tree, p)
	if err != nil {
		return nil, nil, err
	}
	cipher := aes.NewCipher()
	mac, err := tree.Decrypt(dataKey, cipher)
	if err != nil {
		return nil, nil, err
	}
	stated, err := cipher.Decrypt(tree.Metadata.MessageAuthenticationCode, dataKey, tree.Metadata.LastModified.Format(time.RFC3339))
	if err != nil || stated != mac {
		return nil, nil, fmt.Errorf("MAC is %v, computed %s: %v", stated, mac, err)
	}
	for _, it := range tree.Branches[0] {
		if c, ok := it.Key.(sops.Comment); ok {
			comments = append(comments, c.Value)
			continue
		}
		values = append(values, [2]string{it.Key.(string), it.Value.(string)})
	}
	return values, comments, nil
}

func sopsDataKey(tree sops.Tree, p *keyPair) ([]byte, error) {
	for _, k := range tree.Metadata.KeyGroups[0] {
		if key := k.(*sopsage.MasterKey); key.Recipient == p.recipient.Text {
			sopsage.ParsedIdentities{p.identity.Identity}.ApplyToMasterKey(key)
			return key.Decrypt()
		}
	}
	return nil, errors.New("no such recipient")
}

// checkSealed holds one sealed file against sops's packages and crypt.Open.
func checkSealed(t *testing.T, items []crypt.Item, data []byte, r *rand.Rand, people []*keyPair) {
	t.Helper()
	got, comments, err := sopsOpen(data, pick(r, people))
	if err != nil {
		t.Fatalf("sops's packages refuse what we wrote: %v", err)
	}
	if diff := difference(got, values(items)); diff != "" {
		t.Fatalf("sops reads %s", diff)
	}
	if !strings.HasPrefix(comments[0], "envcrypt-seal v1 environment=staging keys=") {
		t.Errorf("the first comment is %.80q", comments[0])
	}
	d := open(t, data, crypt.Options{Environment: "staging"}, pick(r, people))
	if !slices.Equal(d.Items(), items) {
		t.Fatalf("we read %s", difference(valuesOf(d), values(items)))
	}
}

// checkReemitted loads a sealed file into sops's store and writes it again.
func checkReemitted(t *testing.T, data []byte) {
	t.Helper()
	tree, err := dotenvStore.LoadEncryptedFile(data)
	if err != nil {
		t.Fatal(err)
	}
	again, err := dotenvStore.EmitEncryptedFile(tree)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again, data) {
		a, b := bytes.Split(again, []byte("\n")), bytes.Split(data, []byte("\n"))
		for i := range min(len(a), len(b)) {
			if !bytes.Equal(a[i], b[i]) {
				t.Fatalf("line %d: sops writes\n%.200s\nand we\n%.200s", i+1, a[i], b[i])
			}
		}
		t.Fatalf("sops writes %d lines, and we %d", len(a), len(b))
	}
}

func TestSopsPackagesOpenWhatWeSeal(t *testing.T) {
	r := newRand(t)
	for i := range 120 {
		s := style{keys: r.IntN(25), size: 1 + r.IntN(300), raw: r.IntN(2) == 0, blanks: i%3 == 0}
		items := randomItems(r, s)
		people := somebody(r, 1+r.IntN(1+i*49/119))
		data := seal(t, newDocument(t, items), "staging", people)
		checkSealed(t, items, data, r, people)
		if !s.blanks {
			checkReemitted(t, data)
		}
	}
}

func TestManyRecipientsInOrder(t *testing.T) {
	r := newRand(t)
	people := somebody(r, 50)
	items := randomItems(r, style{keys: 3, size: 20})
	data := seal(t, newDocument(t, items), "staging", people)
	for _, p := range people {
		checkSealed(t, items, data, r, []*keyPair{p})
	}
	d := open(t, data, crypt.Options{}, people[49])
	for i, text := range d.Recipients() {
		if text != people[i].recipient.Text {
			t.Errorf("recipient %d is %s", i, text)
		}
	}
}

func TestBigDocuments(t *testing.T) {
	r := newRand(t)
	people := somebody(r, 2)
	for name, items := range map[string][]crypt.Item{
		"10000 keys":   randomItems(r, style{keys: 10_000, size: 60}),
		"one megabyte": {{Key: "A", Value: "x"}, {Key: "BIG", Value: strings.Repeat("π\n", 1<<20/3)}, {Key: "B", Value: "y"}},
	} {
		t.Run(name, func(t *testing.T) {
			data := seal(t, newDocument(t, items), "staging", people)
			checkSealed(t, items, data, r, people)
			checkReemitted(t, data)
			checkProgram(t, items, data, people[1])
		})
	}
}

// checkProgram holds one sealed file against the sops program.
func checkProgram(t *testing.T, items []crypt.Item, data []byte, p *keyPair) {
	t.Helper()
	b := newBox(t, p)
	b.write(t, "staging.env", data)
	if diff := difference(b.decrypted(t, "staging.env", items), values(items)); diff != "" {
		t.Fatalf("sops reads %s", diff)
	}
}

// decrypted returns what sops decrypt gives for a file with these items.
func (b *box) decrypted(t *testing.T, file string, items []crypt.Item) (got [][2]string) {
	t.Helper()
	var out map[string]string
	if err := json.Unmarshal(b.sops(t, "decrypt", "--output-type", "json", file), &out); err != nil {
		t.Fatal(err)
	}
	for _, it := range values(items) {
		if v, ok := out[it[0]]; ok {
			got = append(got, [2]string{it[0], v})
		}
		delete(out, it[0])
	}
	for key, v := range out {
		got = append(got, [2]string{key, v})
	}
	return got
}

func TestSopsProgramOpensWhatWeSeal(t *testing.T) {
	r := newRand(t)
	for i, p := range everybody()[:8] { // of all kinds
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			items := randomItems(r, style{keys: 1 + r.IntN(60), size: 1 + r.IntN(2000), blanks: true})
			people := append(somebody(r, r.IntN(6)), p)
			checkProgram(t, items, seal(t, newDocument(t, items), "staging", people), p)
		})
	}
}

// The age program unwraps the data key of our files.
func TestAgeProgramUnwraps(t *testing.T) {
	for i, p := range everybody()[:4] {
		b := newBox(t, p)
		b.write(t, "key", []byte(p.secret))
		data := seal(t, newDocument(t, nil), "staging", []*keyPair{p})
		_, after, _ := strings.Cut(string(data), "sops_age__list_0__map_enc=")
		text, _, _ := strings.Cut(after, "\n")
		cmd := exec.Command(ageProgram, "--decrypt", "-i", b.path("key"))
		cmd.Stdin = strings.NewReader(strings.ReplaceAll(text, `\n`, "\n"))
		if out, err := cmd.Output(); err != nil || len(out) != 32 {
			t.Errorf("key %d: %d bytes, %v", i, len(out), err)
		}
	}
}
