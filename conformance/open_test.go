package conformance

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"envcrypt/crypt"

	"github.com/getsops/sops/v3"
	"github.com/getsops/sops/v3/aes"
	sopsage "github.com/getsops/sops/v3/age"
	"github.com/getsops/sops/v3/config"
	"github.com/getsops/sops/v3/stores"
	"github.com/getsops/sops/v3/stores/json"
	"github.com/getsops/sops/v3/stores/yaml"
)

var sopsStores = map[crypt.Format]sops.Store{
	crypt.Dotenv: dotenvStore,
	crypt.YAML:   yaml.NewStore(&config.YAMLStoreConfig{Indent: 4}),
	crypt.JSON:   json.NewStore(&config.JSONStoreConfig{Indent: -1}),
}

// sopsEncrypt encrypts with sops's own packages, as its program does.
func sopsEncrypt(t *testing.T, branch sops.TreeBranch, meta sops.Metadata, f crypt.Format, people []*keyPair) []byte {
	t.Helper()
	var group sops.KeyGroup
	for _, p := range people {
		key, err := sopsage.MasterKeyFromRecipient(p.recipient.Text)
		if err != nil {
			t.Fatal(err)
		}
		group = append(group, key)
	}
	meta.KeyGroups = []sops.KeyGroup{group}
	meta.Version = "3.13.3"
	meta.LastModified = now
	tree := sops.Tree{Branches: sops.TreeBranches{branch}, Metadata: meta}
	dataKey, errs := tree.GenerateDataKey()
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	cipher := aes.NewCipher()
	mac, err := tree.Encrypt(dataKey, cipher)
	if err != nil {
		t.Fatal(err)
	}
	if tree.Metadata.MessageAuthenticationCode, err = cipher.Encrypt(mac, dataKey, now.Format(time.RFC3339)); err != nil {
		t.Fatal(err)
	}
	data, err := sopsStores[f].EmitEncryptedFile(tree)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// randomRules returns one of SOPS's ways to say what is encrypted.
func randomRules(r *rand.Rand, f crypt.Format) (m sops.Metadata) {
	switch n := r.IntN(7); {
	case n == 0:
		m.UnencryptedSuffix = sops.DefaultUnencryptedSuffix
	case n == 1:
		m.UnencryptedSuffix = "x"
	case n == 2:
		m.EncryptedSuffix = "y"
	case n == 3:
		m.UnencryptedRegex = "^[A-M]"
	case n == 4:
		m.EncryptedRegex = "[a-m]$"
	case n == 5 && f != crypt.JSON:
		m.UnencryptedCommentRegex = "^clear$"
	case n == 6 && f != crypt.JSON:
		m.EncryptedCommentRegex = "^secret$"
	default:
		m.UnencryptedSuffix = ".none"
	}
	m.MACOnlyEncrypted = r.IntN(2) == 0
	return m
}

// randomBranch returns a tree that flattens without collisions.
func randomBranch(r *rand.Rand, f crypt.Format, depth, n int) (branch sops.TreeBranch) {
	for i := range n {
		if f != crypt.JSON && r.IntN(4) == 0 {
			c := pick(r, []string{"clear", "secret", " a comment", "größer"})
			branch = append(branch, sops.TreeItem{Key: sops.Comment{Value: c}})
		}
		key := fmt.Sprintf("%c%d%c", pick(r, []rune("ABNabnXYxy")), i, pick(r, []rune("ABNabnXYxy")))
		if r.IntN(10) == 0 {
			key += sops.DefaultUnencryptedSuffix
		}
		if f != crypt.Dotenv && depth > 0 && r.IntN(4) == 0 {
			if sub := randomBranch(r, f, depth-1, 1+r.IntN(4)); slices.ContainsFunc(sub, isValue) {
				branch = append(branch, sops.TreeItem{Key: key, Value: sub})
			}
			continue
		}
		branch = append(branch, sops.TreeItem{Key: key, Value: randomLeaf(r, f)})
	}
	return branch
}

func isValue(it sops.TreeItem) bool { _, comment := it.Key.(sops.Comment); return !comment }

// randomLeaf returns a string, or in a format that has them a value of another type.
func randomLeaf(r *rand.Rand, f crypt.Format) any {
	switch n := r.IntN(12); {
	case f == crypt.Dotenv || n < 5:
		// What begins like a ciphertext or is kept in the clear must survive the store.
		return strings.NewReplacer(`\n`, "", "\r", "", "ENC[", "", "\ufeff", "").Replace(randomValue(r, 40, false))
	case n == 5:
		return r.IntN(2) == 0
	case n == 6:
		return nil
	case n == 7 && f == crypt.YAML:
		return time.Unix(r.Int64N(1<<32), 0).In(time.FixedZone("", 60*(r.IntN(1440)-720)))
	case n < 9:
		return pick(r, []float64{0, 1, -1, 0.5, 1e21, 1e-9, 123456.789, 1 << 60})
	default:
		return pick(r, []int{0, 1, -1, 7, 1 << 62, -1 << 63, r.Int()})
	}
}

// leaves flattens a tree before and after sops encrypts it.
func leaves(branch sops.TreeBranch, prefix string, take func(name string, v any)) {
	for _, it := range branch {
		if !isValue(it) {
			continue
		}
		name := prefix + it.Key.(string)
		if sub, ok := it.Value.(sops.TreeBranch); ok {
			leaves(sub, name+"_", take)
		} else {
			take(name, it.Value)
		}
	}
}

func TestWeOpenWhatSopsPackagesWrite(t *testing.T) {
	const documents = 150
	for f, name := range map[crypt.Format]string{crypt.Dotenv: "dotenv", crypt.YAML: "yaml", crypt.JSON: "json"} {
		t.Run(name, func(t *testing.T) {
			r := newRand(t)
			refused := 0
			for range documents {
				branch := randomBranch(r, f, 4, 1+r.IntN(12))
				var plain []any
				leaves(branch, "", func(_ string, v any) { plain = append(plain, v) })
				people := somebody(r, 1+r.IntN(3))
				meta := randomRules(r, f)
				data := sopsEncrypt(t, branch, meta, f, people) // which encrypts branch in place

				var want [][2]string
				var clear []string
				i := 0
				leaves(branch, "", func(name string, v any) {
					if s, ok := v.(string); ok && strings.HasPrefix(s, "ENC[") {
						want = append(want, [2]string{name, stores.ValToString(plain[i])})
					} else {
						clear = append(clear, name)
					}
					i++
				})
				read, err := sopsRead(data, f, people[0])
				if err != nil { // sops does not always read what it wrote
					if _, ours := crypt.Open(data, crypt.Options{Format: f}, id(people[0])); ours == nil {
						t.Fatalf("we open what sops refuses: %v\n%s", err, data)
					}
					refused++
					continue
				}
				d := open(t, data, crypt.Options{Format: f}, pick(r, people))
				if diff := difference(valuesOf(d), want); diff != "" {
					t.Fatalf("%s in\n%s", diff, data)
				}
				var unverified []string
				for _, u := range d.Unverified() {
					if u.Key != "" {
						unverified = append(unverified, u.Key)
					}
				}
				if !slices.Equal(unverified, clear) {
					t.Fatalf("unverified are %v, in the clear %v", unverified, clear)
				}
				sealedAgain(t, d, read, people)
			}
			if refused > documents/5 {
				t.Errorf("%d of %d documents are no test", refused, documents)
			}
		})
	}
}

// sopsRead returns what sops shows of a file in any format.
func sopsRead(data []byte, f crypt.Format, p *keyPair) (values [][2]string, err error) {
	tree, err := sopsStores[f].LoadEncryptedFile(data)
	if err != nil {
		return nil, err
	}
	dataKey, err := sopsDataKey(tree, p)
	if err != nil {
		return nil, err
	}
	cipher := aes.NewCipher()
	mac, err := tree.Decrypt(dataKey, cipher)
	if err != nil {
		return nil, err
	}
	stated, err := cipher.Decrypt(tree.Metadata.MessageAuthenticationCode, dataKey, tree.Metadata.LastModified.Format(time.RFC3339))
	if err != nil || stated != mac {
		return nil, fmt.Errorf("MAC is %v, computed %s: %v", stated, mac, err)
	}
	leaves(tree.Branches[0], "", func(name string, v any) {
		if v == nil {
			v = ""
		}
		values = append(values, [2]string{name, stores.ValToString(v)})
	})
	return values, nil
}

// sealedAgain takes everything into a sealed file, which sops opens.
func sealedAgain(t *testing.T, d *crypt.Document, want [][2]string, people []*keyPair) {
	t.Helper()
	d.Adopt()
	if diff := difference(valuesOf(d), want); diff != "" {
		t.Fatalf("adopted %s", diff)
	}
	got, _, err := sopsOpen(seal(t, d, "staging", people), people[0])
	if err != nil {
		t.Fatal(err)
	}
	if diff := difference(got, want); diff != "" {
		t.Fatal(diff)
	}
}

// The sops program's own files, and what it makes of them.
func TestWeOpenWhatSopsProgramWrites(t *testing.T) {
	const typed = "# about\ns: text\ni: 42\nf: 1.50\nw: 3.0\nb: true\nn: null\ne: \"\"\nm: |\n  a\n  b\nx_unencrypted: 7\n"
	rules := map[string]string{
		"default":       "",
		"suffix":        "  encrypted_suffix: s\n",
		"regex":         "  encrypted_regex: '^[sifm]$'\n",
		"unencrypted":   "  unencrypted_regex: '^[sb]$'\n",
		"mac":           "  mac_only_encrypted: true\n",
		"mac and regex": "  mac_only_encrypted: true\n  encrypted_regex: '^[sib]$'\n",
	}
	for name, rule := range rules {
		for i, p := range everybody()[:3] {
			for _, ext := range []string{"yaml", "json", "env"} {
				t.Run(fmt.Sprintf("%s/%d/%s", name, i, ext), func(t *testing.T) {
					t.Parallel()
					b := newBox(t, p)
					b.write(t, ".sops.yaml", []byte("creation_rules:\n- age: '"+p.recipient.Text+"'\n"+rule))
					b.write(t, "in.yaml", []byte(typed))
					b.write(t, "plain."+ext, b.convert(t, ext))
					b.write(t, "x."+ext, b.sops(t, "encrypt", "plain."+ext))
					b.compare(t, "x."+ext)
				})
			}
		}
	}
}

// convert turns in.yaml into another format by way of sops, which reads and
// writes only files that it encrypted.
func (b *box) convert(t *testing.T, ext string) []byte {
	t.Helper()
	b.write(t, "all.yaml", b.sops(t, "encrypt", "in.yaml"))
	return b.sops(t, "decrypt", "--output-type", map[string]string{"yaml": "yaml", "json": "json", "env": "dotenv"}[ext], "all.yaml")
}

// compare opens a flat file of sops's, and compares with sops decrypt.
func (b *box) compare(t *testing.T, file string) {
	t.Helper()
	shown := map[string]string{}
	for l := range strings.Lines(string(b.sops(t, "decrypt", "--output-type", "dotenv", file))) {
		if key, value, ok := strings.Cut(strings.TrimSuffix(l, "\n"), "="); ok && l[0] != '#' {
			shown[key] = value
		}
	}
	f := map[string]crypt.Format{"yaml": crypt.YAML, "json": crypt.JSON, "env": crypt.Dotenv}[file[strings.LastIndexByte(file, '.')+1:]]
	d := open(t, b.read(t, file), crypt.Options{Format: f}, b.reader)
	if len(d.Keys()) == 0 || len(d.Keys())+len(d.Unverified()) < len(shown) {
		t.Errorf("we read %v and %v of %v", d.Keys(), d.Unverified(), shown)
	}
	for key, value := range d.All() {
		if got := strings.ReplaceAll(value, "\n", `\n`); got != shown[key] {
			t.Errorf("%s is %q, sops shows %q", key, got, shown[key])
		}
		if in := string(b.read(t, file)); !strings.Contains(in, key+": ENC[") && !strings.Contains(in, key+`": "ENC[`) && !strings.Contains(in, key+"=ENC[") {
			t.Errorf("%s came out of a file where it is in the clear", key)
		}
	}
}

func TestWeRefuseListsAndCollisions(t *testing.T) {
	p := newX25519()
	for f := range sopsStores {
		if f == crypt.Dotenv {
			continue
		}
		for _, branch := range []sops.TreeBranch{
			{{Key: "a", Value: sops.TreeBranch{{Key: "b", Value: []any{"x"}}}}},
			{{Key: "a", Value: sops.TreeBranch{{Key: "b", Value: "x"}}}, {Key: "a_b", Value: "y"}},
			{{Key: "a", Value: sops.TreeBranch{{Key: "b-c", Value: "x"}}}},
		} {
			data := sopsEncrypt(t, branch, sops.Metadata{UnencryptedSuffix: "_unencrypted"}, f, []*keyPair{p})
			d, err := crypt.Open(data, crypt.Options{Format: f}, id(p))
			var e *crypt.DamagedError
			if d != nil || !errors.As(err, &e) || !strings.Contains(e.Key, "a") {
				t.Errorf("got %v, %v", d, err)
			}
		}
	}
}
