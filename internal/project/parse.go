package project

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"envcrypt/internal/tomltree"
	"envcrypt/recipients"
)

const (
	defaultVariable = "ENVIRONMENT"
	memberRule      = "a name is 1 to 64 letters, digits and \"_.@-\", the first a letter or digit"
	keyRule         = "keys are public ones: age1…, age1pq1…, a plugin's age1NAME1…, ssh-ed25519 or ssh-rsa"
)

// ParsePolicy reads a policy; file is its name for errors. Every error is a
// *[PolicyError] for the first mistake found.
func ParsePolicy(file string, text []byte) (*Policy, error) {
	root, err := tomltree.Parse(text)
	if err != nil {
		return nil, syntaxError(file, err)
	}
	p := &policyParser{file: file, root: root}
	policy := p.policy()
	if p.err != nil {
		return nil, p.err
	}
	return policy, nil
}

// policyParser turns TOML into a policy. Its methods go on after a mistake, and the
// first one is kept.
type policyParser struct {
	file string
	root *tomltree.Node
	err  *PolicyError
}

func (p *policyParser) policy() *Policy {
	// The version comes first: with another one, nothing else means what it does here.
	if version := p.root.Get("version"); version == nil {
		p.fail(nil, "", "the policy has no version", `add "version = 1" as the first line`)
	} else if version.Value != int64(1) {
		p.fail([]string{"version"}, "", "the policy's version is not 1", `write "version = 1", or use an envcrypt that knows this version`)
	}
	const depth = 8 // of paths, for a start
	p.unknownKeys(p.root, make([]string, 0, depth))
	policy := &Policy{Version: 1, Variable: defaultVariable}
	if p.root.Get("variable") != nil {
		policy.Variable = p.string("variable")
		if !validVariable(policy.Variable) {
			p.fail([]string{"variable"}, "", "variable is not the name of a process variable",
				`use letters, digits and "_", as in variable = "ENVIRONMENT"`)
		}
	}
	policy.Directory.Members = p.members()
	policy.Directory.Groups = p.groups(policy.Directory.Members)
	policy.Environments = p.environments(&policy.Directory)
	p.inheritance(policy.Environments)
	policy.Vars = p.vars("vars")
	policy.Keys = p.declarations(policy.Names())
	policy.Exceptions = p.exceptions(policy.Names())
	policy.declared = make(map[string]int, len(policy.Keys))
	for i, d := range policy.Keys {
		policy.declared[d.Name] = i
	}
	if p.root.Get("default") != nil {
		policy.Default = p.string("default")
		if names := policy.Names(); !slices.Contains(names, policy.Default) {
			p.fail([]string{"default"}, "", fmt.Sprintf("default names %s, which is no environment", quote(policy.Default)),
				"use one of "+list(names))
		}
	}
	return policy
}

// What stands in a policy, table by table. docs/policy.md has the same.
var (
	policyKeys      = []string{"version", "default", "variable", "members", "groups", "environments", "vars", "keys", "check"}
	memberKeys      = []string{"keys"}
	environmentKeys = []string{
		"readers", "reader_groups", "quorum", "protected", "allow", "inherits", "vars", "strict", "kind", "deny", "disable",
	}
	ruleKeys        = []string{"name", "key", "value", "host", "message"}
	declarationKeys = []string{
		"description", "required", "type", "values", "pattern", "min_length", "unique", "promote", "rotate", "example", "generate",
	}
	checkKeys = []string{"ignore", "warn"}
)

// knownKeys returns the keys of the table at a path, or that it names things and so may
// have any.
func knownKeys(at []string) (known []string, names bool) {
	if len(at) == 0 {
		return policyKeys, false
	}
	switch at[0] {
	case "groups", "vars":
		return nil, len(at) == 1
	case "check":
		if len(at) == 1 {
			return checkKeys, false
		}
		return nil, len(at) == 2
	case "members", "keys":
		switch {
		case len(at) == 1:
			return nil, true
		case len(at) == 2 && at[0] == "members":
			return memberKeys, false
		case len(at) == 2:
			return declarationKeys, false
		}
	case "environments":
		switch {
		case len(at) == 1:
			return nil, true
		case len(at) == 2:
			return environmentKeys, false
		}
		return nil, len(at) == 3 && (at[2] == "vars" || at[2] == "deny")
	}
	return nil, false
}

// unknownKeys goes no deeper than there are known keys. What names things is checked with them.
func (p *policyParser) unknownKeys(table *tomltree.Node, at []string) {
	if len(table.Names) == 0 {
		return
	}
	known, names := knownKeys(at)
	for _, name := range table.Names {
		at := append(at, name)
		if names || slices.Contains(known, name) {
			p.unknownKeys(table.Get(name), at)
			continue
		}
		fix := "remove it"
		if known != nil {
			fix = "remove it, or use one of " + list(known)
		}
		p.fail(at, "", "unknown key "+quote(name), fix)
	}
}

func (p *policyParser) members() map[string][]recipients.Key {
	members := make(map[string][]recipients.Key)
	owners := make(map[recipients.Key]string)
	for _, name := range p.table("members").Names {
		at := []string{"members", name, "keys"}
		if !ValidMemberName(name) {
			p.fail(at[:2], "", "a member's name is not valid", memberRule)
		}
		members[name] = nil
		for _, text := range p.strings(p.table(at[:2]...).Get("keys"), at) {
			key, err := recipients.ParseKey(text)
			var private *recipients.PrivateKeyError
			if errors.As(err, &private) {
				p.fail(at, text, fmt.Sprintf("member %s has a private key where the public one belongs", quote(name)),
					"put the public key here, and make a new one: whoever can read this file has the private key")
			} else if err != nil {
				p.fail(at, text, fmt.Sprintf("a key of member %s: %v", quote(name), err), keyRule)
			} else if owner, taken := owners[key]; taken {
				p.fail(at, text, fmt.Sprintf("a key of member %s is listed already, by member %s", quote(name), quote(owner)),
					"list each key once, under one member")
			}
			owners[key] = name
			members[name] = append(members[name], key)
		}
		if len(members[name]) == 0 {
			p.fail(at, "", fmt.Sprintf("member %s has no keys", quote(name)), `add keys = ["age1…"], or remove the member`)
		}
	}
	return members
}

func (p *policyParser) groups(members map[string][]recipients.Key) map[string][]string {
	groups := make(map[string][]string)
	names := p.table("groups").Names
	for _, name := range names {
		at := []string{"groups", name}
		if !ValidMemberName(name) {
			p.fail(at, "", "a group's name is not valid", memberRule)
		}
		if _, ok := members[name]; ok {
			p.fail(at, "", quote(name)+" is both a member and a group", "rename one of them")
		}
		groups[name] = p.strings(p.table("groups").Get(name), at)
		for i, member := range groups[name] {
			if p.err != nil {
				break // the next mistake would not be kept, and takes long to find in a hostile list
			}
			if _, ok := members[member]; ok {
				if slices.Contains(groups[name][:i], member) {
					p.fail(at, member, fmt.Sprintf("group %s lists %s twice", quote(name), quote(member)), "list it once")
				}
			} else if slices.Contains(names, member) {
				p.fail(at, member, fmt.Sprintf("group %s lists %s, which is a group too", quote(name), quote(member)),
					"groups cannot contain groups: list the members themselves")
			} else {
				p.fail(at, member, fmt.Sprintf("group %s lists %s, which is no member", quote(name), quote(member)),
					p.unknownName(member, members, nil))
			}
		}
	}
	return groups
}

func (p *policyParser) environments(directory *recipients.Directory) []Environment {
	var environments []Environment
	for _, name := range p.table("environments").Names {
		at := []string{"environments", name}
		if !ValidEnvironmentName(name) {
			p.fail(at, "", "an environment's name is not valid",
				`a name is 1 to 32 of a-z, 0-9, "-" and "_", the first a letter or digit`)
		}
		table := p.table(at...)
		env := Environment{
			Name:    name,
			Readers: p.strings(table.Get("readers"), append(at, "readers")),
			Allow:   p.strings(table.Get("allow"), append(at, "allow")),
		}
		if protected := table.Get("protected"); protected != nil {
			var ok bool
			if env.Protected, ok = protected.Value.(bool); !ok {
				p.fail(append(at, "protected"), "", "protected is neither true nor false", "write true or false, without quotes")
			}
		}
		for _, variable := range env.Allow {
			if !validVariable(variable) {
				p.fail(append(at, "allow"), variable, "allow lists what is not the name of a variable",
					`use letters, digits and "_", as in allow = ["NODE_OPTIONS"]`)
			}
		}
		p.quorum(&env, table)
		p.guards(&env, table)
		p.readers(env, directory)
		environments = append(environments, env)
	}
	if len(environments) == 0 {
		p.fail([]string{"environments"}, "", "the policy has no environments", `add [environments.development] with readers = ["NAME"]`)
	}
	return environments
}

func (p *policyParser) readers(env Environment, directory *recipients.Directory) {
	at := []string{"environments", env.Name, "readers"}
	if len(env.ReaderGroups) > 0 {
		at[2] = "reader_groups"
		p.readerGroups(env, directory)
	}
	readers := env.readers()
	for i, reader := range readers {
		if p.err != nil {
			return
		}
		_, isMember := directory.Members[reader]
		_, isGroup := directory.Groups[reader]
		if !isMember && !isGroup {
			p.fail(at, reader, fmt.Sprintf("unknown reader %s of environment %s", quote(reader), quote(env.Name)),
				p.unknownName(reader, directory.Members, directory.Groups))
		}
		if slices.Contains(readers[:i], reader) {
			p.fail(at, reader, fmt.Sprintf("environment %s lists reader %s twice", quote(env.Name), quote(reader)), "list it once")
		}
	}
	anybody := func(reader string) bool {
		_, isMember := directory.Members[reader] // who has a key, or that was the first mistake
		return isMember || len(directory.Groups[reader]) > 0
	}
	if !slices.ContainsFunc(readers, anybody) {
		p.unread(at, env.Name, fmt.Sprintf("environment %s has no readers", quote(env.Name)),
			`add readers = ["NAME"], with a member, or a group that has members`)
	}
}

// readerGroups refuses a group that nobody is in, and a member in two groups, who would be
// more than one of the people that it takes.
func (p *policyParser) readerGroups(env Environment, directory *recipients.Directory) {
	at := []string{"environments", env.Name, "reader_groups"}
	in := make(map[string]bool)
	for _, group := range env.ReaderGroups {
		readers, err := directory.Resolve(group)
		if err != nil {
			return // which is found out with its line
		}
		if len(readers) == 0 {
			p.fail(at, "", fmt.Sprintf("a group of environment %s has no readers", quote(env.Name)),
				"each of reader_groups needs somebody with a key: put another member into that group")
		}
		for _, r := range readers {
			if in[r.Member] {
				p.fail(at, "", fmt.Sprintf("%s is in two reader_groups of environment %s", quote(r.Member), quote(env.Name)),
					"a quorum is of different people: each belongs to one group")
			}
		}
		for _, r := range readers {
			in[r.Member] = true
		}
	}
}

// unknownName says what to do about a name that nothing has.
func (p *policyParser) unknownName(name string, members map[string][]recipients.Key, groups map[string][]string) string {
	if _, err := recipients.ParseKey(name); err == nil || recipients.LooksPrivate(name) {
		return "keys stand under [members.NAME], as keys = [\"age1…\"]; list the member's NAME here"
	}
	names := slices.AppendSeq(slices.Collect(maps.Keys(members)), maps.Keys(groups))
	slices.Sort(names)
	fix := "add it as [members.NAME] with its keys"
	if len(names) > 0 {
		fix += ", or use one of " + list(names)
	}
	return fix
}

// table returns the table at a path, an empty one if there is none.
func (p *policyParser) table(at ...string) *tomltree.Node {
	table := p.root
	for i := range at {
		if table = table.Get(at[i]); table == nil {
			break
		}
		if !table.IsTable() {
			p.fail(at[:i+1], "", quote(at[i])+" is not a table", "write it as a table: [members.NAME], [groups] or [environments.NAME]")
			break
		}
	}
	if !table.IsTable() {
		return new(tomltree.Node)
	}
	return table
}

func (p *policyParser) string(key string) string {
	s, ok := p.root.Get(key).Value.(string)
	if !ok {
		p.fail([]string{key}, "", key+" is not a string", `put its value in quotes`)
	}
	return s
}

// strings returns the list of strings that was found at a path, nil if there was none.
func (p *policyParser) strings(node *tomltree.Node, at []string) []string {
	if node == nil {
		return nil
	}
	result, ok := node.Strings()
	if !ok {
		p.fail(at, "", quote(at[len(at)-1])+" is not a list of strings", `write it as ["one", "two"]`)
	}
	return result
}

// fail keeps the first mistake. It lies at the value, if that is not "", in the list
// at a path.
func (p *policyParser) fail(at []string, value, problem, fix string) {
	if p.err == nil {
		p.err = &PolicyError{File: p.file, Line: locate(p.root, at, value), Problem: problem, Fix: fix}
	}
}

// unread is fail for an environment that nobody could read.
func (p *policyParser) unread(at []string, env, problem, fix string) {
	if p.err == nil {
		p.fail(at, "", problem, fix)
		p.err.Unread = env
	}
}

// locate returns the line of a string in the list at a path: of its last occurrence
// there, or else that of the list's key, or else that of the nearest table around it.
func locate(node *tomltree.Node, at []string, value string) int {
	for _, name := range at {
		next := node.Get(name)
		if next == nil {
			return node.Line
		}
		node = next
	}
	line := node.Line
	items, _ := node.Value.([]*tomltree.Node)
	for _, item := range items {
		if item.Value == value {
			line = item.Line
		}
	}
	return line
}

func syntaxError(file string, err error) *PolicyError {
	e := &PolicyError{
		File:    file,
		Line:    1,
		Problem: "this is not TOML",
		Fix:     `each line is [table] or key = value, text stands in "quotes", lists in [brackets]`,
	}
	var syntax *tomltree.SyntaxError
	if errors.As(err, &syntax) {
		e.Line = syntax.Line
		if syntax.Twice {
			e.Problem, e.Fix = "a key or table is defined twice", "keep one of the two"
		}
	}
	return e
}

// quote returns a name for a message. What no name could be is not shown: somebody may
// have pasted a secret.
func quote(name string) string {
	if !ValidMemberName(name) || recipients.LooksPrivate(name) || strings.HasPrefix(name, "age1") {
		return "(not shown)"
	}
	return strconv.Quote(name)
}

// list returns names for a message, not more than a message can take.
func list(names []string) string {
	const limit = 12
	if len(names) > limit {
		return strings.Join(names[:limit], ", ") + ", …"
	}
	return strings.Join(names, ", ")
}
