package project

import (
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"envcrypt/internal/tomltree"

	"filippo.io/age"
	"filippo.io/age/plugin"
	"golang.org/x/crypto/ssh"
)

func publicKey(t testing.TB) string {
	t.Helper()
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return identity.Recipient().String()
}

// fillKeys replaces <A>, <B> and <C> by public keys and <P> by a private one.
func fillKeys(t testing.TB, text string) (filled, private string) {
	t.Helper()
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer("<A>", publicKey(t), "<B>", publicKey(t), "<C>", publicKey(t), "<P>", identity.String()).
		Replace(text), identity.String()
}

const goodPolicy = `# who may read what
version = 1
default = "development"

[members.alice]
keys = ["<A>", "<B>"] # two
[members.web-1]
keys = ["<C>"]

[groups]
ops = ["alice"]
none = []

[environments.staging]
readers = ["ops", "web-1", "none"]
[environments.development]
readers = ["web-1"]
allow = ["NODE_OPTIONS"]
[environments.production]
readers = ["ops"]
protected = true
`

func TestParsePolicy(t *testing.T) {
	text, _ := fillKeys(t, goodPolicy)
	for _, text := range []string{text, "\ufeff" + strings.ReplaceAll(text, "\n", "\r\n")} {
		p, err := ParsePolicy("envcrypt.toml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		want := []Environment{
			{Name: "staging", Readers: []string{"ops", "web-1", "none"}},
			{Name: "development", Readers: []string{"web-1"}, Allow: []string{"NODE_OPTIONS"}},
			{Name: "production", Readers: []string{"ops"}, Protected: true},
		}
		if p.Version != 1 || p.Default != "development" || p.Variable != "ENVIRONMENT" || !reflect.DeepEqual(p.Environments, want) {
			t.Errorf("got %+v", p)
		}
		readers, err := p.Recipients("staging")
		if err != nil || len(readers) != 3 || readers[0].Member != "alice" || readers[2].Member != "web-1" {
			t.Errorf("got %v, %v", readers, err)
		}
		_, err = p.Recipients("prod")
		var unknown *UnknownEnvironmentError
		if !errors.As(err, &unknown) || unknown.Name != "prod" || strings.Join(unknown.Valid, " ") != "staging development production" {
			t.Errorf("got %v", err)
		}
	}
}

// TestPolicyMistakes: each mistake is an error on the line that ends in "#!" (or the line
// given), with words that name it, a fix, and no key.
func TestPolicyMistakes(t *testing.T) {
	const members = "[members.alice]\nkeys = [\"<A>\"]\n[members.bob]\nkeys = [\"<B>\"]\n"
	const environment = "[environments.dev]\nreaders = [\"alice\"]\n"
	const rest = members + environment
	weak := weakRSA(t)
	for _, tt := range []struct{ name, text, want string }{
		{"syntax", "version = 1\nhunter2 hunter2 #!\n" + rest, "not TOML"},
		{"syntax with a private key", "version = 1\n<P> #!\n", "not TOML"},
		{"unclosed string", "version = 1\n[members.a]\nkeys = [\"<P> #!\n", "not TOML"},
		{"invalid UTF-8", "version = 1\n# \xff #!\n" + rest, "not TOML"},
		{"duplicate table", "version = 1\n" + rest + "[members.alice] #!\n", "twice"},
		{"duplicate key", "version = 1\nversion = 1 #!\n" + rest, "twice"},
		{"duplicate through dots", "version = 1\n" + rest + "[groups]\na = []\n[environments]\ndev.allow = [] #!\n", "twice"},
		{"duplicate in an inline table", "version = 1\n" + members + "[environments]\ndev = {readers = [\"bob\"],\nreaders = []} #!\n", "twice"},
		{"version of another number", "version = 0x10 #!\n" + rest, "not 1"},
		{"version a date", "version = 2026-01-01 #!\n" + rest, "not 1"},
		{"readers of dates", "version = 1\n" + members + "[environments.dev]\nreaders = [ #!\n2026-01-01]\n", "not a list of strings"},
		{"members with a list of tables", "version = 1\n[[members.alice]] #!\nkeys = [\"<A>\"]\n" + environment, "not a table"},
		{"number too large", "version = 1\ndefault = 9223372036854775808 #!\n" + rest, "not TOML"},
		{"empty", "#!", "no version"},
		{"no version", rest, "no version"},
		{"version 2", "\n\nversion = 2 #!\n" + rest, "not 1"},
		{"version a string", "version = \"1\" #!\n" + rest, "not 1"},
		{"version a table", "[version] #!\n" + rest, "not 1"},
		{"unknown key at the top", "version = 1\ncolor = 1 #!\n" + rest, `unknown key "color"`},
		{"unknown table", "version = 1\n" + rest + "[extra] #!\nx = 1\n", `unknown key "extra"`},
		{"unknown key of a member", "version = 1\n[members.alice]\nkeys = [\"<A>\"]\nkey = \"x\" #!\n" + environment, `unknown key "key"`},
		{"unknown key of an environment", "version = 1\n" + rest + "# protect = 1\nprotect = true #!\n", `unknown key "protect"`},
		{"key in another case", "version = 1\n" + rest + "Readers = [\"bob\"] #!\n", `unknown key "Readers"`},
		{"unknown key that is private", "version = 1\n<P> = 1 #!\n" + rest, "unknown key (not shown)"},
		{"unknown key in an inline table", "version = 1\n" + members + "[environments]\nprod.readers = [\"bob\"]\ndev = {readers = [\"bob\"], x = 1} #!\n", `unknown key "x"`},
		{"key of a scalar", "version = 1\ndefault.x = 1 #!\n" + rest, `unknown key "x"`},
		{"default unknown", "version = 1\ndefault = \"prod\" #!\n" + rest, `default names "prod"`},
		{"default a number", "version = 1\ndefault = 1 #!\n" + rest, "not a string"},
		{"default empty", "version = 1\ndefault = \"\" #!\n" + rest, "default names"},
		{"variable invalid", "version = 1\nvariable = \"A-B\" #!\n" + rest, "variable is not the name"},
		{"variable empty", "version = 1\nvariable = \"\" #!\n" + rest, "variable is not the name"},
		{"unknown reader", "version = 1\n" + members + "[environments.dev]\nreaders = [\n \"alice\",\n # \"bobb\"\n \"bobb\", #!\n]\n", `unknown reader "bobb"`},
		{"reader is a key", "version = 1\n" + members + "[environments.dev]\nreaders = [\"<A>\"] #!\n", "unknown reader (not shown)"},
		{"reader is a private key", "version = 1\n" + members + "[environments.dev]\nreaders = [\"<P>\"] #!\n", "unknown reader (not shown)"},
		{"reader twice", "version = 1\n" + members + "[environments.dev]\nreaders = [\"alice\",\n'bob',\n\"al\\u0069ce\" #!\n]\n", `reader "alice" twice`},
		{"no readers", "version = 1\n" + members + "[environments.dev] #!\nprotected = true\n", "no readers"},
		{"empty readers", "version = 1\n" + members + "[environments.dev]\nreaders = [] #!\n", "no readers"},
		{"readers through an empty group", "version = 1\n" + members + "[groups]\nnone = []\n[environments.dev]\nreaders = [\"none\"] #!\n", "no readers"},
		{"readers a string", "version = 1\n" + members + "[environments.dev]\nreaders = \"alice\" #!\n", "not a list of strings"},
		{"readers of numbers", "version = 1\n" + members + "[environments.dev]\nreaders = [1] #!\n", "not a list of strings"},
		{"protected a string", "version = 1\n" + rest + "protected = \"yes\" #!\n", "neither true nor false"},
		{"allow a bad name", "version = 1\n" + rest + "allow = [\"PATH\",\n \"LD_*\"] #!\n", "not the name of a variable"},
		{"environment name", "version = 1\n" + members + "[environments.Prod] #!\nreaders = [\"bob\"]\n", "environment's name"},
		{"environment name that climbs", "version = 1\n" + members + "[environments.\"../x\"] #!\nreaders = [\"bob\"]\n", "environment's name"},
		{"environments a list", "version = 1\n" + members + "[[environments]] #!\nreaders = [\"bob\"]\n", "not a table"},
		{"environments a number", "version = 1\nenvironments = 3 #!\n" + members, "not a table"},
		{"an environment a number", "version = 1\n" + members + "[environments]\ndev = 3 #!\n", "not a table"},
		{"no environments", "version = 1\n" + members, "no environments"},
		{"no environments but the table", "version = 1\n" + members + "[environments] #!\n", "no environments"},
		{"member name", "version = 1\n[members.\"al ice\"] #!\nkeys = [\"<A>\"]\n" + environment, "member's name"},
		{"member name too long", "version = 1\n[members." + strings.Repeat("a", 65) + "] #!\nkeys = [\"<A>\"]\n" + environment, "member's name"},
		{"member without keys", "version = 1\n[members.alice] #!\n" + environment, "no keys"},
		{"member with empty keys", "version = 1\n[members]\nalice.keys = [] #!\n" + environment, "no keys"},
		{"keys a string", "version = 1\n[members.alice]\nkeys = \"<A>\" #!\n" + environment, "not a list of strings"},
		{"malformed key", "version = 1\n[members.alice]\nkeys = [\n\"<A>\",\n\"age1hunter2\", #!\n]\n" + environment, `a key of member "alice"`},
		{"weak RSA key", "version = 1\n[members.alice]\nkeys = [\"" + weak + "\"] #!\n" + environment, "2048"},
		{"private key", "version = 1\n[members.alice]\nkeys = [\n\"<A>\", # mine\n'<P>', #!\n]\n" + environment, "private key"},
		{"private key of a plugin", "version = 1\n[members.alice]\nkeys = [\"" + plugin.EncodeIdentity("x", []byte("hunter2")) + "\"] #!\n" + environment, "private key"},
		{"private key of ssh", "version = 1\n[members.alice]\nkeys = [\"-----BEGIN OPENSSH PRIVATE KEY-----\"] #!\n" + environment, "private key"},
		{"one key of two members", "version = 1\n[members.alice]\nkeys = [\"<A>\"]\n[members.bob]\nkeys = [\"<B>\",\n\"<A>\" #!\n]\n" + environment, `already, by member "alice"`},
		{"one key twice", "version = 1\n[members.alice]\nkeys = [\"<A>\",\n\"<A>\" #!\n]\n" + environment, `already, by member "alice"`},
		{"member and group", "version = 1\n" + members + "[groups]\nbob = [\"alice\"] #!\n" + environment, "both a member and a group"},
		{"group name", "version = 1\n" + members + "[groups]\n\"a/b\" = [\"alice\"] #!\n" + environment, "group's name"},
		{"unknown member of a group", "version = 1\n" + members + "[groups]\ndev = [\n\"alice\",\n\"carol\" #!\n]\n" + environment, `"carol", which is no member`},
		{"group in a group", "version = 1\n" + members + "[groups]\ndev = [\"ops\"] #!\nops = [\"bob\"]\n" + environment, "which is a group too"},
		{"group in itself", "version = 1\n" + members + "[groups]\ndev = [\"dev\"] #!\n" + environment, "which is a group too"},
		{"member twice in a group", "version = 1\n" + members + "[groups]\ndev = [\"bob\",\n\"bob\"] #!\n" + environment, `"bob" twice`},
		{"group a table", "version = 1\n" + members + "[groups.dev]\nmembers = [\"bob\"] #!\n" + environment, "unknown key"},
		{"members a string", "version = 1\nmembers = \"alice\" #!\n" + environment, "not a table"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text, private := fillKeys(t, tt.text)
			line := 1
			if before, _, ok := strings.Cut(text, "#!"); ok {
				line += strings.Count(before, "\n")
			}
			p, err := ParsePolicy("dir/envcrypt.toml", []byte(text))
			var mistake *PolicyError
			if p != nil || !errors.As(err, &mistake) {
				t.Fatalf("got %v, %v", p, err)
			}
			if mistake.File != "dir/envcrypt.toml" || mistake.Line != line {
				t.Errorf("%s:%d, want line %d: %s", mistake.File, mistake.Line, line, mistake.Problem)
			}
			if !strings.Contains(mistake.Problem, tt.want) || mistake.Fix == "" {
				t.Errorf("problem %q, fix %q", mistake.Problem, mistake.Fix)
			}
			said := strings.ToUpper(err.Error() + mistake.Fix)
			for _, secret := range []string{private, "HUNTER2", "AGE-PLUGIN-", "PRIVATE KEY-"} {
				if strings.Contains(said, secret) {
					t.Errorf("the secret is in %q", said)
				}
			}
		})
	}
}

func weakRSA(t *testing.T) string {
	t.Helper()
	t.Setenv("GODEBUG", "rsa1024min=0")
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	pk, err := ssh.NewPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(pk)))
}

// TestHostilePolicies: a list of the largest size takes moments.
func TestHostilePolicies(t *testing.T) {
	var names strings.Builder
	for i := 0; names.Len() < 1<<20; i++ {
		fmt.Fprintf(&names, "\"m%x\",", i)
	}
	for name, table := range map[string]string{
		"readers": "[environments.dev]\nreaders = ", "allow": "[environments.dev]\nallow = ",
		"group": "[groups]\nops = ", "keys": "[members.bob]\nkeys = ",
	} {
		text, _ := fillKeys(t, "version = 1\n[members.alice]\nkeys = [\"<A>\"]\n"+table+"["+names.String()+"]\n")
		start := time.Now()
		if _, err := ParsePolicy("envcrypt.toml", []byte(text)); err == nil || time.Since(start) > 5*time.Second {
			t.Errorf("%s: %v, %v", name, time.Since(start), err)
		}
	}
}

func TestLocate(t *testing.T) {
	root, err := tomltree.Parse([]byte(strings.Join([]string{
		`a = """`, `b = "x"`, `"""`, // 1–3
		`["b".'c.d']  # [e]`, `list = ["x#", # "y"`, `  [ 'y' ], { z = "w" }, 'y',`, `"y" ]`, // 4–7
		`n . m = 2026-01-01`, `[[e]]`, `k = 1`, `[b.other]`, // 8–11
	}, "\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		path  string
		value string
		line  int
	}{
		{"", "", 1}, {"a", "", 1}, {"b", "", 4}, {"b/c.d", "", 4}, {"b/c.d/list", "", 5}, {"b/c.d/list", "x#", 5},
		{"b/c.d/list", "y", 7}, {"b/c.d/list/z", "w", 5}, {"b/c.d/n/m", "", 8}, {"e/k", "", 9},
		{"b/c.d/list", "gone", 5}, {"b/other/list", "y", 11}, {"gone", "", 1},
	} {
		if line := locate(root, strings.Split(tt.path, "/"), tt.value); line != tt.line {
			t.Errorf("%s %q: line %d, want %d", tt.path, tt.value, line, tt.line)
		}
	}
}

func TestValidEnvironmentName(t *testing.T) {
	for name, want := range map[string]bool{
		"development": true, "eu-west_1": true, "0": true, strings.Repeat("a", 32): true,
		"": false, "-a": false, "_a": false, "Prod": false, "a.b": false, "a/b": false, "../x": false, "a\n": false,
		"é": false, strings.Repeat("a", 33): false,
	} {
		if ValidEnvironmentName(name) != want {
			t.Errorf("%q is valid: %v", name, !want)
		}
	}
}

func TestFind(t *testing.T) {
	root := t.TempDir()
	text, _ := fillKeys(t, goodPolicy)
	writeFile(t, filepath.Join(root, PolicyName), text)
	deep := filepath.Join(root, "a", "b")
	if err := os.MkdirAll(deep, 0o755); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(deep, link); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{root, deep, filepath.Join(deep, "..", "b"), link} {
		p, err := Find(dir)
		if err != nil {
			t.Errorf("%s: %v", dir, err)
			continue
		}
		if !sameFile(t, p.Root, root) || p.Path("staging") != filepath.Join(p.Root, "secrets", "staging.env") {
			t.Errorf("%s: root %s", dir, p.Root)
		}
	}
	var notFound *NotFoundError
	if _, err := Find(t.TempDir()); !errors.As(err, &notFound) || notFound.Dir == "" {
		t.Errorf("got %v", err)
	}
	// A broken policy ends the search: it must not give way to one further up.
	writeFile(t, filepath.Join(root, "a", PolicyName), "version = 2\n")
	var mistake *PolicyError
	if _, err := Find(deep); !errors.As(err, &mistake) || mistake.File != filepath.Join(root, "a", PolicyName) {
		t.Errorf("got %v", err)
	}
	var fileError *FileError
	if err := os.Remove(filepath.Join(root, "a", PolicyName)); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(root, "a", PolicyName), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Find(deep); !errors.As(err, &fileError) {
		t.Errorf("got %v", err)
	}
}

func FuzzParsePolicy(f *testing.F) {
	text, private := fillKeys(f, goodPolicy)
	f.Add([]byte(text))
	f.Add([]byte(strings.Replace(text, `"web-1"`, `"`+private+`"`, 1)))
	f.Add([]byte(strings.Replace(text, "ops", private, 1)))
	f.Add([]byte("version = 1\n[members.a]\nkeys = ['" + private + "'"))
	f.Add([]byte(`environments={a={readers=["b"]},"c.d"={}}` + "\nversion=1"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := ParsePolicy("envcrypt.toml", text)
		if err == nil {
			for _, env := range p.Environments {
				if readers, err := p.Recipients(env.Name); err != nil || len(readers) == 0 || !ValidEnvironmentName(env.Name) {
					t.Errorf("environment %q has %v, %v", env.Name, readers, err)
				}
			}
			return
		}
		var mistake *PolicyError
		if p != nil || !errors.As(err, &mistake) || mistake.Line < 1 || mistake.Line > 1+strings.Count(string(text), "\n") || mistake.Fix == "" {
			t.Fatalf("got %v, %#v", p, err)
		}
		if strings.Contains(strings.ToUpper(mistake.Problem+mistake.Fix), "AGE-SECRET-KEY") {
			t.Errorf("a key is in %q", mistake)
		}
	})
}

// BenchmarkParsePolicy reads what stands in front of every exec: this repository's own policy,
// one with many members, and one with many declarations and rules.
func BenchmarkParsePolicy(b *testing.B) {
	sample, err := os.ReadFile("../../envcrypt.toml")
	if err != nil {
		b.Fatal(err)
	}
	for _, policy := range []struct {
		name string
		text []byte
	}{
		{"sample", sample},
		{"20 members", benchPolicy(b, 20, 0, 0)},
		{"50 keys and 20 rules", benchPolicy(b, 1, 50, 20)},
	} {
		b.Run(policy.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ParsePolicy("envcrypt.toml", policy.text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestParseHostileLists: no list of a policy takes time that grows with its square.
func TestParseHostileLists(t *testing.T) {
	const many = 120_000 // the square of which takes a quarter of a minute
	var list strings.Builder
	for i := range many {
		fmt.Fprintf(&list, "\"%x\",", i)
	}
	text := string(benchPolicy(t, 1, 0, 0)) + "[keys.LEVEL]\n"
	p, err := ParsePolicy("envcrypt.toml", []byte(text+"type = \"enum\"\nvalues = ["+list.String()+"]\n"))
	if err != nil || len(p.Keys[0].Values) != many {
		t.Error(err)
	}
	for value, want := range map[string]string{
		`values = ["a", "b", "a"]`:              "values of key \"LEVEL\" has one twice",
		`required = ["staging", "staging"]`:     "required of key \"LEVEL\" has one twice",
		`required = [` + list.String() + `"x"]`: "is required in \"0\", which is no environment",
	} {
		if strings.HasPrefix(value, "values") {
			value += "\ntype = \"enum\""
		}
		if _, err := ParsePolicy("envcrypt.toml", []byte(text+value+"\n")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, not %s", err, want)
		}
	}
}

func benchPolicy(b testing.TB, members, keys, rules int) []byte {
	var text strings.Builder
	text.WriteString("version = 1\ndefault = \"development\"\n")
	var names []string
	for i := range members {
		name := fmt.Sprintf("member-%d", i)
		names = append(names, strconv.Quote(name))
		fmt.Fprintf(&text, "[members.%s]\nkeys = [%q]\n", name, publicKey(b))
	}
	fmt.Fprintf(&text, "[groups]\ndevelopers = [%s]\n", strings.Join(names, ", "))
	for _, env := range []string{"development", "staging", "production"} {
		fmt.Fprintf(&text, "[environments.%s]\nreaders = [\"developers\"]\nprotected = true\n", env)
	}
	for i := range keys {
		fmt.Fprintf(&text, "[keys.KEY_%d]\nrequired = [\"production\"]\ntype = \"string\"\npattern = \"^[a-z]+$\"\nrotate = \"30d\"\n", i)
	}
	for i := range rules {
		fmt.Fprintf(&text, "[[environments.development.deny]]\nname = \"rule-%d\"\nkey = \"KEY_*\"\nhost = \"*.corp\"\nvalue = \"^office\"\n", i)
	}
	return []byte(text.String())
}

func TestFindIgnoresPoliciesThatAnybodyMayHavePut(t *testing.T) {
	open := filepath.Join(t.TempDir(), "open")
	below := filepath.Join(open, "below")
	if err := os.MkdirAll(below, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o1777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(open, PolicyName), []byte("version = 2\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	var missing *NotFoundError
	if _, err := Find(below); !errors.As(err, &missing) {
		t.Errorf("from below: %v, want a NotFoundError", err)
	}
	var bad *PolicyError
	if _, err := Find(open); !errors.As(err, &bad) {
		t.Errorf("right there: %v, want the policy to be read", err)
	}
}
