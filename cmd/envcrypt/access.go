package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"envcrypt/crypt"
	"envcrypt/internal/keyring"
	"envcrypt/internal/project"
	"envcrypt/internal/vault"
	"envcrypt/recipients"

	"github.com/urfave/cli/v2"
)

func (a *app) accessCommand() *cli.Command {
	return a.command(cli.Command{
		Usage:     "show who may read what",
		ArgsUsage: "[who ENV | whoami]",
		Description: `Shows each member's access to each environment, by the policy and by the keys
that the files are really encrypted to, and marks every difference:
   yes      the policy says so, and the file is encrypted to them
   to come  the policy says so, the file not yet: envcrypt rekey
   partly   the file lacks some of their keys, or has one that they gave up
   ALARM    the file is encrypted to them, and the policy does not say so
A key in a file that is no member's gets a line of its own, and a file whose
quorum is another than the policy's a warning. "access who ENV"
lists an environment's readers and through which group they are, "access
whoami" whose your keys are. It needs no identity; an ALARM is exit 5.

EXAMPLES:
   envcrypt access
   envcrypt access who production
   envcrypt access whoami
   envcrypt access --json`,
		Flags: []cli.Flag{a.environmentFlag(), a.jsonFlag()},
	}, func(c *cli.Context) error {
		args, err := arguments(c, 0, 2)
		if err != nil {
			return err
		}
		v, err := a.vault()
		if err != nil {
			return err
		}
		switch {
		case first(args) == "who" && (len(args) == 2 || a.environment != ""):
			return a.accessWho(v, args[1:])
		case first(args) == "who":
			return usagef("access who needs ENV")
		case first(args) == "whoami" && len(args) == 1:
			return a.accessWhoami(v)
		case len(args) > 0:
			return usagef("access takes nothing, who ENV or whoami")
		case a.environment != "":
			return usagef(`-e goes with "access who"`)
		}
		return a.accessMatrix(v)
	})
}

// The states of somebody's access to an environment.
const (
	accessNone    = ""
	accessYes     = "yes"
	accessPending = "to come"
	accessPartly  = "partly"
	accessAlarm   = "ALARM"
)

// accessRow is the access of a member, or of a key that is no member's.
type accessRow struct {
	Member       string            `json:"member,omitempty"`
	Key          string            `json:"key,omitempty"` // where there is no member
	Environments map[string]string `json:"environments"`  // of states, where there is one
}

// accessTable compares the policy with the files.
type accessTable struct {
	Environments []string          `json:"environments"`
	Rows         []accessRow       `json:"rows"`
	Quorums      map[string]string `json:"quorums,omitempty"` // in what a file's differs from the policy
	Failed       map[string]string `json:"failed,omitempty"`  // why a file could not be read
	weaker       bool              // a file opens by fewer people than the policy wants
}

func newAccessTable() *accessTable {
	return &accessTable{Quorums: make(map[string]string), Failed: make(map[string]string)}
}

func (a *app) accessMatrix(v *vault.Vault) error {
	t := a.readAccess(v)
	alarm := slices.ContainsFunc(t.Rows, func(r accessRow) bool {
		return slices.Contains(slices.Collect(maps.Values(r.Environments)), accessAlarm)
	})
	if err := a.printAccess(t); err != nil {
		return err
	}
	if alarm {
		a.hintf(`an ALARM is a key that can open a file and should not: "envcrypt rekey --all" takes it out and lists what it could read`)
	}
	if alarm || t.weaker {
		return &exitError{code: exitFinding}
	}
	return nil
}

func (a *app) printAccess(t *accessTable) error {
	if a.json {
		return a.printJSON(t)
	}
	table := [][]string{append([]string{""}, t.Environments...)}
	for _, r := range t.Rows {
		name := r.Member
		if name == "" {
			name = recipients.Short(r.Key)
		}
		line := []string{name}
		for _, env := range t.Environments {
			state := r.Environments[env]
			if state == accessNone {
				state = "-"
			}
			line = append(line, state)
		}
		table = append(table, line)
	}
	if err := a.printTable(table); err != nil {
		return err
	}
	a.warnQuorums(t)
	for _, env := range slices.Sorted(maps.Keys(t.Failed)) {
		a.warningf("%s: only the policy was looked at: %s", env, t.Failed[env])
	}
	return nil
}

// readAccess needs no identity.
func (a *app) readAccess(v *vault.Vault) *accessTable {
	t := newAccessTable()
	p := v.Project.Policy
	states := make(map[string]map[string]string) // by member, and by key where there is none
	set := func(who, env, state string) {
		if states[who] == nil {
			states[who] = make(map[string]string)
		}
		states[who][env] = state
	}
	var strangers []string
	for _, env := range p.Environments {
		t.Environments = append(t.Environments, env.Name)
		wanted, err := p.Recipients(env.Name)
		if err != nil {
			t.Failed[env.Name] = err.Error()
			continue
		}
		have, known := a.fileRecipients(v, env, t)
		for member, state := range memberStates(&p.Directory, wanted, have, known) {
			set(member, env.Name, state)
		}
		for _, text := range have {
			if p.Directory.Owner(text) == "" {
				if !slices.Contains(strangers, text) {
					strangers = append(strangers, text)
				}
				set(text, env.Name, accessAlarm)
			}
		}
	}
	for _, member := range slices.Sorted(maps.Keys(p.Directory.Members)) {
		t.Rows = append(t.Rows, accessRow{Member: member, Environments: notNil(states[member])})
	}
	for _, key := range strangers {
		t.Rows = append(t.Rows, accessRow{Key: key, Environments: states[key]})
	}
	return t
}

func notNil(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

// fileRecipients are the keys that an environment's file is encrypted to. What cannot be read
// is noted in t, and so is a quorum that is not the policy's.
func (a *app) fileRecipients(v *vault.Vault, env project.Environment, t *accessTable) (texts []string, known bool) {
	summary, err := readSummary(v, env.Name)
	if err != nil {
		t.Failed[env.Name] = err.Error()
		return nil, false
	}
	if r, err := v.Compare(env.Name, summary.Groups, summary.Quorum); err == nil {
		t.compareQuorum(env.Name, r)
	}
	for _, text := range summary.Recipients {
		texts = append(texts, recipients.Canonical(text))
	}
	return texts, true
}

func readSummary(v *vault.Vault, name string) (*crypt.Summary, error) {
	data, err := v.Read(name)
	if err != nil {
		return nil, err
	}
	return crypt.Inspect(data, crypt.Dotenv)
}

func (t *accessTable) compareQuorum(name string, r vault.Readers) {
	switch {
	case r.Was != r.Is:
		t.Quorums[name] = shapeDifference(r)
	case len(r.Moved) > 0:
		t.Quorums[name] = "some of its readers belong to other groups"
	}
	t.weaker = t.weaker || r.Was.Quorum < r.Is.Quorum
}

func (a *app) warnQuorums(t *accessTable) {
	for _, env := range slices.Sorted(maps.Keys(t.Quorums)) {
		a.warningf("%s: %s: run \"envcrypt rekey %s\"", env, t.Quorums[env], env)
	}
}

// memberStates compares who should read an environment with the keys that its file has.
func memberStates(d *recipients.Directory, wanted []recipients.Reader, have []string, known bool) map[string]string {
	states := make(map[string]string)
	want := make(map[string]int)
	for _, r := range wanted {
		want[r.Member]++
	}
	found, extra := make(map[string]int), make(map[string]int)
	for _, text := range have {
		owner := d.Owner(text)
		if slices.ContainsFunc(wanted, func(r recipients.Reader) bool { return r.Key.String() == text }) {
			found[owner]++
		} else if owner != "" {
			extra[owner]++
		}
	}
	for member, n := range want {
		switch {
		case !known || found[member] == 0:
			states[member] = accessPending
		case found[member] < n || extra[member] > 0:
			states[member] = accessPartly
		default:
			states[member] = accessYes
		}
	}
	for member := range extra {
		if want[member] == 0 {
			states[member] = accessAlarm
		}
	}
	return states
}

// accessReader is a line of "access who".
type accessReader struct {
	Member string   `json:"member"`
	Via    []string `json:"via"` // groups; empty where the environment names the member
	Key    string   `json:"key"`
	State  string   `json:"state"`
}

func (a *app) accessWho(v *vault.Vault, args []string) error {
	env, err := a.choose(v.Project.Policy, first(args))
	if err != nil {
		return err
	}
	p := v.Project.Policy
	wanted, err := p.Recipients(env.Name)
	if err != nil {
		return err
	}
	t := newAccessTable()
	have, known := a.fileRecipients(v, env, t)
	rows := []accessReader{}
	alarm := false
	for _, r := range wanted {
		state := accessYes
		if !known || !slices.Contains(have, r.Key.String()) {
			state = accessPending
		}
		rows = append(rows, accessReader{Member: r.Member, Via: readsThrough(p, env, r.Member), Key: r.Key.String(), State: state})
	}
	for _, text := range have {
		if !slices.ContainsFunc(wanted, func(r recipients.Reader) bool { return r.Key.String() == text }) {
			alarm = true
			rows = append(rows, accessReader{Member: p.Directory.Owner(text), Via: []string{}, Key: text, State: accessAlarm})
		}
	}
	if err := a.printReaders(env, rows); err != nil {
		return err
	}
	a.warnQuorums(t)
	if reason := t.Failed[env.Name]; reason != "" {
		a.warningf("%s: only the policy was looked at: %s", env.Name, reason)
	}
	if alarm || t.weaker {
		return &exitError{code: exitFinding}
	}
	return nil
}

func (a *app) printReaders(env project.Environment, rows []accessReader) error {
	if a.json {
		return a.printJSON(rows)
	}
	if env.Quorum > 0 {
		a.notef("%s takes readers of %d of its %d groups together", env.Name, env.Quorum, len(env.ReaderGroups))
	}
	var table [][]string
	for _, r := range rows {
		member, via := r.Member, strings.Join(r.Via, ", ")
		if member == "" {
			member = "(nobody)"
		}
		if via == "" {
			via = "-"
		}
		table = append(table, []string{member, r.State, via, recipients.Short(r.Key)})
	}
	return a.printTable(table)
}

// readsThrough names the groups through which a member reads an environment.
func readsThrough(p *project.Policy, env project.Environment, member string) []string {
	via := []string{}
	for _, reader := range slices.Concat(append([][]string{env.Readers}, env.ReaderGroups...)...) {
		if slices.Contains(p.Directory.Groups[reader], member) {
			via = append(via, reader)
		}
	}
	return via
}

// accessSelf is a line of "access whoami".
type accessSelf struct {
	Key    string   `json:"key"`
	Member string   `json:"member,omitempty"`
	Groups []string `json:"groups"`
	Opens  []string `json:"opens"`
	Parts  []string `json:"parts,omitempty"` // of which it opens one group, and it takes several
}

func (a *app) accessWhoami(v *vault.Vault) error {
	a.keys.Survey()
	p := v.Project.Policy
	rows := []accessSelf{}
	for _, public := range a.keys.Publics() {
		row := accessSelf{Key: public, Member: p.Directory.Owner(public), Groups: []string{}, Opens: []string{}}
		for _, group := range slices.Sorted(maps.Keys(p.Directory.Groups)) {
			if slices.Contains(p.Directory.Groups[group], row.Member) {
				row.Groups = append(row.Groups, group)
			}
		}
		for _, env := range p.Environments {
			s, err := readSummary(v, env.Name)
			switch {
			case err != nil || !slices.Contains(s.Recipients, public):
			case s.Quorum > 1:
				row.Parts = append(row.Parts, env.Name)
			default:
				row.Opens = append(row.Opens, env.Name)
			}
		}
		rows = append(rows, row)
	}
	if a.json {
		return a.printJSON(rows)
	}
	if len(rows) == 0 {
		return &keyring.Error{Place: "access whoami", Problem: "no identity was found that needs no passphrase"}
	}
	for _, r := range rows {
		member, groups, opens := "no member", "", "opens nothing here"
		if r.Member != "" {
			member = r.Member
		}
		if len(r.Groups) > 0 {
			groups = " (" + strings.Join(r.Groups, ", ") + ")"
		}
		if len(r.Opens) > 0 {
			opens = "opens " + strings.Join(r.Opens, ", ")
		}
		if len(r.Parts) > 0 {
			opens += ", and with others " + strings.Join(r.Parts, ", ")
		}
		if _, err := fmt.Fprintln(a.out, oneLine(fmt.Sprintf("%s%s  %s  %s", member, groups, opens, r.Key))); err != nil {
			return err
		}
	}
	return nil
}
