package main

import (
	"fmt"
	"slices"
	"strings"

	"envcrypt/internal/sopsconfig"
	"envcrypt/recipients"
)

// memberNames are the names of the keys that rules list.
type memberNames struct {
	of    map[recipients.Key]string
	order []recipients.Key
	taken map[string]bool
}

// nameMembers gives each key that an environment needs a member's name: that of the
// .sops.yaml, this user's own, or one that is asked for.
func (a *app) nameMembers(m *sopsMove, own []string) error {
	m.members = &memberNames{of: make(map[recipients.Key]string), taken: make(map[string]bool)}
	for _, env := range m.environments {
		for _, key := range slices.Concat(env.rule.Groups...) {
			if _, ok := m.members.of[key]; !ok {
				m.members.of[key] = ""
				m.members.order = append(m.members.order, key)
			}
		}
	}
	for _, key := range m.members.order { // so that nobody is asked for a name that is taken
		name := m.config.Name(key)
		if name == "" && slices.Contains(own, key.String()) {
			name = a.memberName()
		}
		if name != "" {
			m.members.give(key, name)
		}
	}
	ask := !a.yes && !a.dryRun && hasTerminal()
	for i, key := range m.members.order {
		if m.members.of[key] != "" {
			continue
		}
		name := fmt.Sprintf("key-%d", i+1)
		if ask {
			var err error
			if name, err = askMember(key, name); err != nil {
				return err
			}
		}
		name = m.members.give(key, name)
		if !ask {
			a.warningf("nothing names %s: it is member %s", recipients.Short(key.String()), name)
		}
	}
	return nil
}

// give names a key, with a suffix where another has the name. It returns the name.
func (n *memberNames) give(key recipients.Key, name string) string {
	const longest = 60 // and a suffix
	unique := name
	for i := 2; n.taken[unique]; i++ {
		unique = fmt.Sprintf("%s-%d", name[:min(len(name), longest)], i)
	}
	n.taken[unique], n.of[key] = true, unique
	return unique
}

func askMember(key recipients.Key, otherwise string) (string, error) {
	for {
		answer, err := askLine("whose key is "+recipients.Short(key.String())+"? member name", otherwise)
		switch {
		case err != nil:
			return "", err
		case answer == "":
			return otherwise, nil
		case sopsconfig.MemberName(answer) == answer && !recipients.LooksPrivate(answer):
			return answer, nil
		}
	}
}

// policyText writes the policy, with where each part comes from.
func (m *sopsMove) policyText() []byte {
	var b strings.Builder
	b.WriteString("# Who may read which environment. Only this file says so.\n# After a change: envcrypt rekey --all\n#\n")
	fmt.Fprintf(&b, "# Made of %s.\n\nversion = 1\n", sopsconfig.FileName)
	if name := m.defaultEnvironment(); name != "" {
		fmt.Fprintf(&b, "%-30s # used when neither -e nor the variable names one\n", fmt.Sprintf("default = %q", name))
	}
	fmt.Fprintf(&b, "%-30s # selects the environment, and exec sets it\n", `variable = "ENVIRONMENT"`)
	for _, key := range m.members.order {
		name := m.members.of[key]
		fmt.Fprintf(&b, "\n[members.%s]\n", tomlKey(name))
		if m.config.Name(key) == "" {
			fmt.Fprintf(&b, "# nothing in %s names this key\n", sopsconfig.FileName)
		}
		fmt.Fprintf(&b, "keys = [%q]\n", key.String())
	}
	for _, env := range m.environments {
		fmt.Fprintf(&b, "\n# the rule on line %d of %s, for %s\n[environments.%s]\n", env.rule.Line, sopsconfig.FileName, env.origin(), env.name)
		m.writeReaders(&b, env.rule)
		if env.name == "production" {
			fmt.Fprintf(&b, "%-30s # writes ask first; -y where nobody can be asked\n", "protected = true")
		}
	}
	return []byte(b.String())
}

// origin names an environment's files for a comment.
func (e *sopsEnvironment) origin() string {
	const most = 4
	var paths []string
	for _, f := range e.files {
		paths = append(paths, oneLine(showName(f.path)))
	}
	if len(paths) > most {
		paths = append(paths[:most], "…")
	}
	return strings.Join(paths, ", ")
}

func (m *sopsMove) writeReaders(b *strings.Builder, r *sopsconfig.Rule) {
	list := func(keys []recipients.Key) string {
		var names []string
		for _, key := range keys {
			names = append(names, fmt.Sprintf("%q", m.members.of[key]))
		}
		return "[" + strings.Join(names, ", ") + "]"
	}
	if len(r.Groups) == 1 {
		fmt.Fprintf(b, "readers = %s\n", list(r.Groups[0]))
		return
	}
	var groups []string
	for _, g := range r.Groups {
		groups = append(groups, list(g))
	}
	fmt.Fprintf(b, "reader_groups = [%s]\nquorum = %d\n", strings.Join(groups, ", "), r.Quorum)
}

// defaultEnvironment is never one that somebody may regret.
func (m *sopsMove) defaultEnvironment() string {
	for _, name := range []string{"development", "local", "default", "test", "staging"} {
		if slices.ContainsFunc(m.environments, func(e *sopsEnvironment) bool { return e.name == name }) {
			return name
		}
	}
	return ""
}
