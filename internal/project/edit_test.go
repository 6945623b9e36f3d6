package project

import (
	"bytes"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"envcrypt/internal/tomltree"
	"envcrypt/recipients"

	"filippo.io/age"
)

const editPolicy = `# who may read what
version = 1

# Alice, since 2019
[members.alice]
keys = ["<A>"] # laptop

# Bob, until May
[members.bob]
keys = [
  "<B>", # desk
]

# the groups
[groups]
devs = ["alice", "bob"]
ops = ['bob'] # on call

[environments.staging]
readers = ["devs", "ops"]
[environments.production]
readers = [
  "ops", # always
  "alice"
]
`

func TestPolicyEdits(t *testing.T) {
	text, private := fillKeys(t, editPolicy)
	c, d := publicKey(t), publicKey(t)
	for _, tt := range []struct {
		name string
		edit func(*Edit) ([]byte, error)
		want []string // old and new, in turn
	}{
		{"add a member", func(e *Edit) ([]byte, error) {
			return e.AddMember("carol.x", []string{" " + c + "\n"}, []string{"Carol", "two\nlines"})
		}, []string{"# the groups\n", "# Carol\n# two lines\n[members.\"carol.x\"]\nkeys = [\"" + c + "\"]\n\n# the groups\n"}},
		{"add a key", func(e *Edit) ([]byte, error) { return e.AddKeys("alice", c, d) },
			[]string{`"] # laptop`, `", "` + c + `", "` + d + `"] # laptop`}},
		{"add a key on a line", func(e *Edit) ([]byte, error) { return e.AddKeys("bob", c) },
			[]string{", # desk\n", ", # desk\n  \"" + c + "\",\n"}},
		{"remove a member", func(e *Edit) ([]byte, error) { return e.RemoveMember("alice") }, []string{
			text[strings.Index(text, "# Alice"):strings.Index(text, "# Bob")], "", `["alice", "bob"]`, `["bob"]`,
			"\"ops\", # always\n  \"alice\"\n", "\"ops\" # always\n"}},
		{"remove a member from quotes", func(e *Edit) ([]byte, error) { return e.RemoveMember("bob") }, []string{
			text[strings.Index(text, "# Bob"):strings.Index(text, "# the groups")], "", `, "bob"]`, `]`, "['bob']", "[]"}},
		{"rename a member", func(e *Edit) ([]byte, error) { return e.RenameMember("bob", "bob@x") }, []string{
			"[members.bob]", "[members.\"bob@x\"]", `"bob"]`, `"bob@x"]`, "'bob'", "'bob@x'"}},
		{"add to a group", func(e *Edit) ([]byte, error) { return e.AddToGroup("ops", "alice", "alice") },
			[]string{"['bob']", "['bob', 'alice']"}},
		{"make a group", func(e *Edit) ([]byte, error) { return e.AddToGroup("on.call", "alice", "bob") },
			[]string{" # on call\n", " # on call\n\"on.call\" = [\"alice\", \"bob\"]\n"}},
		{"remove from a group", func(e *Edit) ([]byte, error) { return e.RemoveFromGroup("devs", "bob", "alice") },
			[]string{`["alice", "bob"]`, `[]`}},
		{"grant", func(e *Edit) ([]byte, error) { return e.Grant("production", "devs", "bob") },
			[]string{"\"alice\"\n]", "\"alice\",\n  \"devs\",\n  \"bob\"\n]"}},
		{"revoke a group", func(e *Edit) ([]byte, error) { return e.Revoke("staging", "ops") },
			[]string{`["devs", "ops"]`, `["devs"]`}},
		{"revoke a member", func(e *Edit) ([]byte, error) { return e.Revoke("production", "alice") },
			[]string{"\"ops\", # always\n  \"alice\"\n", "\"ops\" # always\n"}},
		{"revoke the last ones", func(e *Edit) ([]byte, error) { return e.Revoke("staging", "ops", "devs") },
			[]string{`["devs", "ops"]`, `[]`}},
	} {
		for _, crlf := range []bool{false, true} {
			ends := strings.NewReplacer()
			if crlf {
				ends = strings.NewReplacer("\n", "\r\n")
			}
			old := ends.Replace(text)
			want := old
			for pair := range slices.Chunk(tt.want, 2) {
				if strings.Count(want, ends.Replace(pair[0])) != 1 {
					t.Fatalf("%s: %q is not there once", tt.name, pair[0])
				}
				want = strings.Replace(want, ends.Replace(pair[0]), ends.Replace(pair[1]), 1)
			}
			e, err := NewEdit("envcrypt.toml", []byte(old))
			if err != nil {
				t.Fatal(err)
			}
			got, err := tt.edit(e)
			if err != nil || string(got) != want {
				t.Errorf("%s: got %v\n%s\nwant\n%s", tt.name, err, got, want)
			}
			if strings.Contains(string(got), private) {
				t.Error("a private key")
			}
		}
	}
}

func TestFirstGroup(t *testing.T) {
	text, _ := fillKeys(t, "version = 1\n[members]\nalice.keys = [\"<A>\"]\n\n[environments.dev]\nreaders = [\"alice\"]\n")
	e, err := NewEdit("envcrypt.toml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	got, err := e.AddToGroup("ops", "alice")
	want := strings.Replace(text, "\n[env", "[groups]\nops = [\"alice\"]\n\n[env", 1)
	if err != nil || string(got) != want {
		t.Errorf("got %v\n%s\nwant\n%s", err, got, want)
	}
}

// TestReaderGroups: whether a policy may have what results is judged elsewhere.
func TestReaderGroups(t *testing.T) {
	text, _ := fillKeys(t, editPolicy+"[environments.vault]\nquorum = 2\nreader_groups = [[\"ops\"], [\"alice\", \"carol\"]]\n[members.carol]\nkeys = [\"<C>\"]\n")
	e, err := NewEdit("envcrypt.toml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	for want, edit := range map[string]func() ([]byte, error){
		"[[\"ops\"], [\"carol\"]]":           func() ([]byte, error) { return e.RemoveMember("alice") },
		"[[\"ops\"], []]":                    func() ([]byte, error) { return e.Revoke("vault", "carol", "alice") },
		"[[], [\"alice\", \"carol\"]]":       func() ([]byte, error) { return e.Revoke("vault", "ops") },
		"[[\"ops\"], [\"dave\", \"carol\"]]": func() ([]byte, error) { return e.RenameMember("alice", "dave") },
	} {
		if got, err := edit(); err != nil || !strings.Contains(string(got), "\nreader_groups = "+want+"\n") {
			t.Errorf("want %s, got %v\n%s", want, err, got)
		}
	}
	var reads *ReadsError
	if _, err := e.Grant("vault", "carol"); !errors.As(err, &reads) || reads.Environment != "vault" {
		t.Errorf("got %v", err)
	}
	var groups *ReaderGroupsError
	if _, err := e.Grant("vault", "devs"); !errors.As(err, &groups) || groups.Environment != "vault" {
		t.Errorf("got %v", err)
	}
	if through := e.Through("vault", "bob"); !slices.Equal(through, []string{"ops"}) {
		t.Errorf("bob reads through %q", through)
	}
}

func TestPolicyEditErrors(t *testing.T) {
	text, private := fillKeys(t, editPolicy)
	e, err := NewEdit("envcrypt.toml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	a, c := e.policy.Directory.Members["alice"][0], publicKey(t)
	parsed, err := recipients.ParseKey(c)
	if err != nil {
		t.Fatal(err)
	}
	add := func(name string, keys ...string) error { _, err := e.AddMember(name, keys, nil); return err }
	addKeys := func(name string, keys ...string) error { _, err := e.AddKeys(name, keys...); return err }
	removeMember := func(name string) error { _, err := e.RemoveMember(name); return err }
	rename := func(old, new string) error { _, err := e.RenameMember(old, new); return err }
	addTo := func(group string, names ...string) error { _, err := e.AddToGroup(group, names...); return err }
	removeFrom := func(group string, names ...string) error { _, err := e.RemoveFromGroup(group, names...); return err }
	grant := func(env string, names ...string) error { _, err := e.Grant(env, names...); return err }
	revoke := func(env string, names ...string) error { _, err := e.Revoke(env, names...); return err }
	unknown := func(name string) error { return &UnknownMemberError{Name: name, Valid: []string{"alice", "bob"}} }
	unknownEnv := &UnknownEnvironmentError{Name: "prod", Valid: []string{"staging", "production"}}
	for name, tt := range map[string]struct{ got, want error }{
		"add a name that is none":          {add("a b", c), ErrInvalidName},
		"add a name of a look-alike":       {add("аlice", c), ErrInvalidName},
		"add a name with a line":           {add("x]\n[y", c), ErrInvalidName},
		"add a long name":                  {add(strings.Repeat("x", 65), c), ErrInvalidName},
		"add a member that exists":         {add("alice", c), &NameTakenError{Name: "alice"}},
		"add a member named as a group":    {add("ops", c), &NameTakenError{Name: "ops", Group: true}},
		"add another's key":                {add("carol", c, a.String()), &KeyTakenError{Key: a, Owner: "alice"}},
		"add a key twice":                  {add("carol", c, c), &KeyTakenError{Key: parsed, Owner: "carol"}},
		"add a key to nobody":              {addKeys("carol", c), unknown("carol")},
		"add a key to a group":             {addKeys("ops", c), unknown("ops")},
		"add another's key to a member":    {addKeys("bob", a.String()), &KeyTakenError{Key: a, Owner: "alice"}},
		"add a key again":                  {addKeys("alice", a.String()), &KeyTakenError{Key: a, Owner: "alice"}},
		"remove nobody":                    {removeMember("carol"), unknown("carol")},
		"remove a group":                   {removeMember("ops"), unknown("ops")},
		"rename nobody":                    {rename("carol", "dave"), unknown("carol")},
		"rename to what is no name":        {rename("bob", ""), ErrInvalidName},
		"rename to a member":               {rename("bob", "alice"), &NameTakenError{Name: "alice"}},
		"rename to a group":                {rename("bob", "ops"), &NameTakenError{Name: "ops", Group: true}},
		"rename to itself":                 {rename("bob", "bob"), &NameTakenError{Name: "bob"}},
		"add nobody to a group":            {addTo("ops", "alice", "carol"), unknown("carol")},
		"add a group to a group":           {addTo("ops", "devs"), unknown("devs")},
		"add to a group again":             {addTo("ops", "alice", "bob"), &InGroupError{"ops", []string{"bob"}}},
		"make a group of no name":          {addTo("-", "alice"), ErrInvalidName},
		"make a group named as a member":   {addTo("bob", "alice"), &NameTakenError{Name: "bob"}},
		"remove from no group":             {removeFrom("alice", "bob"), &UnknownGroupError{"alice", []string{"devs", "ops"}}},
		"remove nobody from a group":       {removeFrom("ops", "carol"), unknown("carol")},
		"remove a stranger from a group":   {removeFrom("ops", "bob", "alice"), &NotInGroupError{"ops", []string{"alice"}}},
		"grant nowhere":                    {grant("prod", "alice"), unknownEnv},
		"grant nobody":                     {grant("staging", "carol"), &recipients.UnknownReaderError{Name: "carol"}},
		"grant again":                      {grant("production", "devs", "alice"), &ReadsError{"production", []string{"alice"}}},
		"revoke nowhere":                   {revoke("prod", "alice"), unknownEnv},
		"revoke nobody":                    {revoke("staging", "carol"), &recipients.UnknownReaderError{Name: "carol"}},
		"revoke who does not read":         {revoke("production", "ops", "devs"), &NotReaderError{"production", []string{"devs"}}},
		"revoke who reads through a group": {revoke("production", "bob"), &ThroughGroupError{"production", "bob", []string{"ops"}}},
		"revoke who reads through groups":  {revoke("staging", "bob"), &ThroughGroupError{"staging", "bob", []string{"devs", "ops"}}},
	} {
		if !reflect.DeepEqual(tt.got, tt.want) {
			t.Errorf("%s: got %#v, want %#v", name, tt.got, tt.want)
		}
	}
	for i, keys := range [][]string{{"hunter2"}, {c, "hunter2"}} {
		var invalid *InvalidKeyError
		if err := add("carol", keys...); !errors.As(err, &invalid) || invalid.Index != i || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: got %v", keys, err)
		}
	}
	var privateKey *recipients.PrivateKeyError
	if err := addKeys("bob", private); !errors.As(err, &privateKey) || strings.Contains(err.Error(), private) {
		t.Errorf("a private key: got %v", err)
	}
	var mistake *PolicyError
	if _, err := NewEdit("envcrypt.toml", []byte("version = 2\n")); !errors.As(err, &mistake) || mistake.Line != 1 {
		t.Errorf("got %v", err)
	}
	if string(e.text) != text {
		t.Error("the text changed")
	}
}

// FuzzPolicyEdit: an edit changes the policy as it says, or there is an error.
func FuzzPolicyEdit(f *testing.F) {
	var keys []string
	for range 4 {
		identity, err := age.GenerateX25519Identity()
		if err != nil {
			f.Fatal(err)
		}
		keys = append(keys, identity.Recipient().String())
	}
	newKey, err := recipients.ParseKey(keys[3])
	if err != nil {
		f.Fatal(err)
	}
	fill := strings.NewReplacer("<A>", keys[0], "<B>", keys[1], "<C>", keys[2])
	for i, text := range []string{
		editPolicy, goodPolicy,
		"version=1\r\nmembers.a.keys=['<A>']\r\nmembers.b.keys=[\r\n'<B>','<C>']\r\n" +
			"groups={g=['a','b']}\r\nenvironments={dev={readers=['g','a','b']}}",
		"version=1\n[members]\na={keys=['<A>']}\nb={keys=['<B>',]} # b\n[groups]\ng=['a']\n" +
			"[environments.q]\nquorum=2\nreader_groups=[['a'],['b','c']]\n" +
			"[environments]\ndev.readers=['b' # b\n,'g' # g\n]\n\n[members.c]\nkeys=['<C>']",
	} {
		if _, err := NewEdit("envcrypt.toml", []byte(fill.Replace(text))); err != nil {
			f.Fatalf("%d: %v", i, err)
		}
		for kind := range byte(8) {
			f.Add([]byte(text), kind, byte(i), byte(i/2), "a.x")
		}
	}
	f.Fuzz(func(t *testing.T, text []byte, kind, who, where byte, name string) {
		text = []byte(fill.Replace(string(text)))
		e, err := NewEdit("envcrypt.toml", text)
		if err != nil {
			return
		}
		want, err := ParsePolicy("envcrypt.toml", text)
		if err != nil {
			t.Fatal(err)
		}
		members, groups := sorted(want.Directory.Members), sorted(want.Directory.Groups)
		member, env := members[int(who)%len(members)], want.Environments[int(where)%len(want.Environments)].Name
		group := name
		if len(groups) > 0 && who%2 == 0 {
			group = groups[int(where)%len(groups)]
		}
		got, err := editBoth(e, want, kind, member, group, env, name, newKey)
		if err != nil {
			var form *tomltree.FormError
			if got != nil || errors.Is(err, tomltree.ErrMissing) || errors.Is(err, tomltree.ErrExists) || errors.As(err, &form) {
				t.Errorf("%d: %q, %q, %q: %v\n%q", kind%8, member, group, name, err, text)
			}
			return
		}
		if bytes.Equal(got, text) {
			t.Errorf("%d: nothing changed:\n%s", kind%8, text)
		}
		policy, err := ParsePolicy("envcrypt.toml", got)
		if err != nil && slices.ContainsFunc(want.Environments, func(e Environment) bool { return e.Quorum > 0 }) {
			return // a group in which nobody is left, a member in two
		}
		if !readable(want) {
			if err == nil {
				t.Errorf("%d: %q: nobody reads an environment of\n%s", kind%8, member, got)
			}
		} else if err != nil || !reflect.DeepEqual(plainPolicy(policy), plainPolicy(want)) {
			t.Errorf("%d: %q, %q, %q, %q: %v\n%s\nbecame\n%s", kind%8, member, group, env, name, err, text, got)
		}
	})
}

// editBoth edits a text, and in the same way the policy that it is.
func editBoth(e *Edit, p *Policy, kind byte, member, group, env, name string, key recipients.Key) ([]byte, error) {
	everywhere := func(change func([]string) []string) {
		for name, list := range p.Directory.Groups {
			p.Directory.Groups[name] = change(list)
		}
		for i := range p.Environments {
			p.Environments[i].Readers = change(p.Environments[i].Readers)
			for j, list := range p.Environments[i].ReaderGroups {
				p.Environments[i].ReaderGroups[j] = change(list)
			}
		}
	}
	without := func(list []string) []string { return except(list, []string{member}) }
	i := slices.IndexFunc(p.Environments, func(e Environment) bool { return e.Name == env })
	switch kind % 8 {
	case 0:
		p.Directory.Members[name] = []recipients.Key{key}
		return e.AddMember(name, []string{key.String()}, []string{name})
	case 1:
		p.Directory.Members[member] = append(p.Directory.Members[member], key)
		return e.AddKeys(member, key.String())
	case 2:
		delete(p.Directory.Members, member)
		everywhere(without)
		return e.RemoveMember(member)
	case 3:
		text, err := e.RenameMember(member, name)
		p.Directory.Members[name] = p.Directory.Members[member]
		delete(p.Directory.Members, member)
		everywhere(func(list []string) []string {
			if i := slices.Index(list, member); i >= 0 {
				list[i] = name
			}
			return list
		})
		return text, err
	case 4:
		p.Directory.Groups[group] = append(p.Directory.Groups[group], member)
		return e.AddToGroup(group, member)
	case 5:
		p.Directory.Groups[group] = without(p.Directory.Groups[group])
		return e.RemoveFromGroup(group, member)
	case 6:
		p.Environments[i].Readers = append(p.Environments[i].Readers, member)
		return e.Grant(env, member)
	default:
		p.Environments[i].Readers = without(p.Environments[i].Readers)
		for j, list := range p.Environments[i].ReaderGroups {
			p.Environments[i].ReaderGroups[j] = without(list)
		}
		return e.Revoke(env, member)
	}
}

// readable reports whether each environment has a reader with a key.
func readable(p *Policy) bool {
	return !slices.ContainsFunc(p.Environments, func(e Environment) bool {
		readers, err := p.Directory.Resolve(slices.Concat(e.Readers, slices.Concat(e.ReaderGroups...)))
		return err != nil || len(readers) == 0
	})
}

// plainPolicy makes no difference between no list and an empty one.
func plainPolicy(p *Policy) *Policy {
	plain := *p
	plain.Directory.Groups = maps.Clone(p.Directory.Groups)
	for name, list := range plain.Directory.Groups {
		plain.Directory.Groups[name] = append([]string{}, list...)
	}
	plain.Environments = slices.Clone(p.Environments)
	for i := range plain.Environments {
		plain.Environments[i].Readers = append([]string{}, plain.Environments[i].Readers...)
	}
	return &plain
}

// TestUnread: the mistake of a policy that somebody's removal leaves names the environment.
func TestUnread(t *testing.T) {
	const key = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"
	const head = "version = 1\n[members.a]\nkeys = [\"" + key + "\"]\n[groups]\nops = []\n[environments.one]\nreaders = [\"a\"]\n[environments.two]\n"
	for _, tt := range []struct{ two, unread string }{
		{"readers = [\"ops\"]\n", "two"},
		{"readers = []\n", "two"},
		{"quorum = 2\nreader_groups = [[\"a\"], [\"ops\"]]\n", ""}, // enough others may be left
		{"readers = [\"nobody\"]\n", ""},
	} {
		_, err := ParsePolicy("envcrypt.toml", []byte(head+tt.two))
		var wrong *PolicyError
		if !errors.As(err, &wrong) || wrong.Unread != tt.unread {
			t.Errorf("%s: %v of %+v", tt.two, err, wrong)
		}
	}
}
