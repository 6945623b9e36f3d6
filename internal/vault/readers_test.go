package vault

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"envcrypt/crypt"
	"envcrypt/internal/project"
)

// quorumPlace is a place whose development several people read.
type quorumPlace struct {
	*place
	people map[string]person
}

func newQuorumPlace(t *testing.T, readers string) *quorumPlace {
	q := &quorumPlace{place: &place{t: t, dir: t.TempDir()}, people: make(map[string]person)}
	for _, name := range []string{"alice", "bob", "carol", "dave", "erin"} {
		q.people[name] = newPerson(t)
	}
	q.policy(readers)
	if err := q.vault("alice").Create("development"); err != nil {
		t.Fatal(err)
	}
	return q
}

// policy says who reads development.
func (q *quorumPlace) policy(readers string) {
	q.t.Helper()
	var text strings.Builder
	text.WriteString("version = 1\n")
	for name, p := range q.people {
		fmt.Fprintf(&text, "[members.%s]\nkeys = [%q]\n", name, p.public)
	}
	fmt.Fprintf(&text, "[environments.development]\n%s\n", readers)
	if err := os.WriteFile(filepath.Join(q.dir, project.PolicyName), []byte(text.String()), 0o600); err != nil {
		q.t.Fatal(err)
	}
}

// vault is that of these people together.
func (q *quorumPlace) vault(names ...string) *Vault {
	var ids []crypt.Identity
	for _, name := range names {
		ids = append(ids, q.people[name].identity)
	}
	v := q.place.vault(q.people[names[0]])
	v.Identities = slices.Values(ids)
	return v
}

const (
	twoGroups   = `reader_groups = [["alice", "bob"], ["carol", "dave"]]` + "\nquorum = 2"
	threeGroups = `reader_groups = [["alice", "bob"], ["carol", "dave"], ["erin"]]` + "\nquorum = 2"
)

func TestCompareQuorum(t *testing.T) {
	two, three := Shape{2, 2}, Shape{2, 3}
	type want struct {
		gained, lost, moved string
		reordered           bool
		was, is             Shape
	}
	for name, c := range map[string]struct {
		from, to string
		want     want
	}{
		"nothing": {twoGroups, twoGroups, want{was: two, is: two}},
		"a member comes": {twoGroups, `reader_groups = [["alice", "bob"], ["carol", "dave", "erin"]]` + "\nquorum = 2",
			want{gained: "erin", was: two, is: two}},
		"a member goes": {twoGroups, `reader_groups = [["alice"], ["carol", "dave"]]` + "\nquorum = 2",
			want{lost: "bob", was: two, is: two}},
		"a member moves": {twoGroups, `reader_groups = [["alice"], ["carol", "bob", "dave"]]` + "\nquorum = 2",
			want{moved: "bob", was: two, is: two}},
		"two change places": {twoGroups, `reader_groups = [["alice", "carol"], ["bob", "dave"]]` + "\nquorum = 2",
			want{moved: "carol bob", was: two, is: two}},
		"a group comes":     {twoGroups, threeGroups, want{gained: "erin", was: two, is: three}},
		"a group is split":  {twoGroups, `reader_groups = [["alice"], ["carol", "dave"], ["bob"]]` + "\nquorum = 2", want{moved: "bob", was: two, is: three}},
		"groups are joined": {threeGroups, `reader_groups = [["alice", "bob"], ["carol", "dave", "erin"]]` + "\nquorum = 2", want{moved: "erin", was: three, is: two}},
		"more are needed": {threeGroups, strings.Replace(threeGroups, "quorum = 2", "quorum = 3", 1),
			want{was: three, is: Shape{3, 3}}},
		"groups in another order": {threeGroups, `reader_groups = [["erin"], ["alice", "bob"], ["carol", "dave"]]` + "\nquorum = 2",
			want{reordered: true, was: three, is: three}},
		"readers in another order": {twoGroups, `reader_groups = [["bob", "alice"], ["carol", "dave"]]` + "\nquorum = 2",
			want{reordered: true, was: two, is: two}},
		"another order, and one moves": {threeGroups, `reader_groups = [["erin"], ["carol", "dave", "bob"], ["alice"]]` + "\nquorum = 2",
			want{moved: "bob", was: three, is: three}},
		"a quorum from now on": {`readers = ["alice", "bob", "carol", "dave"]`, twoGroups,
			want{was: Shape{1, 1}, is: two}},
		"no quorum any more": {twoGroups, `readers = ["alice", "bob", "carol", "dave"]`,
			want{was: two, is: Shape{1, 1}}},
	} {
		t.Run(name, func(t *testing.T) {
			q := newQuorumPlace(t, c.from)
			everybody := []string{"alice", "carol", "dave", "erin"}
			if err := q.set(q.vault(everybody...), "A", "hunter2"); err != nil {
				t.Fatal(err)
			}
			value := func() string {
				_, rest, _ := strings.Cut(string(q.read("development")), "\nA=")
				text, _, _ := strings.Cut(rest, "\n")
				return text
			}
			before, text := q.read("development"), value()
			q.policy(c.to)
			v := q.vault(everybody...)
			steps := v.Plan([]string{"development"})
			r := steps[0].Readers
			var got want
			for _, g := range r.Gained {
				got.gained = strings.TrimSpace(got.gained + " " + g.Member)
			}
			for _, l := range r.Lost {
				got.lost = strings.TrimSpace(got.lost + " " + v.Name(l))
			}
			for _, m := range r.Moved {
				got.moved = strings.TrimSpace(got.moved + " " + m.Member)
			}
			got.reordered, got.was, got.is = r.Reordered, r.Was, r.Is
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("%+v, want %+v", got, c.want)
			}
			if name == "nothing" {
				if r.Differ() || q.set(v, "B", "hunter2") != nil || value() != text {
					t.Error("a file that is as it should be cannot be written, or is written anew")
				}
				return
			}

			// It stops a write, and a rekey does it with a new data key.
			var refused *ReadersError
			if err := q.set(v, "A", "hunter3"); !r.Differ() || !errors.As(err, &refused) || !bytes.Equal(q.read("development"), before) {
				t.Errorf("set: %v", err)
			}
			if r.ChangeAccess() == r.Reordered {
				t.Errorf("changes access: %v", r.ChangeAccess())
			}
			if err := v.Rekey(steps, func(int) {}); err != nil || steps[0].Err != nil {
				t.Fatal(err, steps[0].Err)
			}
			if value() == text {
				t.Error("the data key is the old one")
			}
			env, err := v.Open("development")
			if err != nil || env.Readers.Differ() {
				t.Fatal(err, env)
			}
			if a, _ := env.Doc.Get("A"); a != "hunter2" {
				t.Errorf("A is %q", a)
			}
		})
	}
}

// One who left has no part in what is written later, and their old part, together with the
// part of somebody who stayed, opens only the old file.
func TestLeavingAQuorum(t *testing.T) {
	q := newQuorumPlace(t, twoGroups)
	if err := q.set(q.vault("alice", "carol"), "A", "hunter2"); err != nil {
		t.Fatal(err)
	}
	old := q.read("development")
	q.policy(`reader_groups = [["alice"], ["carol", "dave"]]` + "\nquorum = 2")
	v := q.vault("carol", "alice")
	if err := v.Rekey(v.Plan([]string{"development"}), func(int) {}); err != nil {
		t.Fatal(err)
	}
	if err := q.set(v, "A", "hunter3"); err != nil {
		t.Fatal(err)
	}
	ids := slices.Values([]crypt.Identity{q.people["bob"].identity, q.people["dave"].identity})
	if _, err := crypt.Open(old, crypt.Options{Environment: "development"}, ids); err != nil {
		t.Fatalf("the old file: %v", err)
	}
	var none *crypt.NoIdentityError
	if _, err := q.vault("bob", "dave").Open("development"); !errors.As(err, &none) || !slices.Equal(none.Opened, []bool{false, true}) {
		t.Errorf("the new file: %v", err)
	}
	// The wrappings of the old file, put into the new one.
	var forged []string
	for l := range strings.Lines(string(q.read("development"))) {
		if !strings.HasPrefix(l, "sops_key_groups__") {
			forged = append(forged, l)
		}
	}
	for l := range strings.Lines(string(old)) {
		if strings.HasPrefix(l, "sops_key_groups__") {
			forged = append(forged, l)
		}
	}
	var damaged *crypt.DamagedError
	if d, err := crypt.Open([]byte(strings.Join(forged, "")), crypt.Options{}, ids); d != nil || !errors.As(err, &damaged) {
		t.Errorf("with the old part: %v", err)
	}
	log, problems, err := v.History("development")
	if err != nil || len(problems) > 0 || log == nil {
		t.Errorf("history: %v, %v", problems, err)
	}
}

// What somebody agreed to is done, and not another change of the groups.
func TestRekeyOfAnotherQuorum(t *testing.T) {
	q := newQuorumPlace(t, twoGroups)
	q.policy(threeGroups)
	steps := q.vault("alice").Plan([]string{"development"})
	q.policy(strings.Replace(threeGroups, "quorum = 2", "quorum = 3", 1))
	before := q.read("development")
	var changed *project.ChangedError
	if !errors.As(q.vault("alice", "carol").Rekey(steps, func(int) {}), &changed) || !bytes.Equal(q.read("development"), before) {
		t.Errorf("got %v", steps[0].Err)
	}
}
