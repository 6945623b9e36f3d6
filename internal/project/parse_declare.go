package project

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"envcrypt/internal/tomltree"
)

const keyNameRule = `a key is letters, digits and "_", with no digit first, and does not begin with "sops_"`

// validKeyName is crypt's rule for names of variables, which this package does not link for
// it.
func validKeyName(s string) bool { return validVariable(s) && !strings.HasPrefix(s, "sops_") }

// vars reads a table of plain values.
func (p *policyParser) vars(at ...string) []Var {
	table := p.table(at...)
	if len(table.Names) == 0 {
		return nil
	}
	vars := make([]Var, 0, len(table.Names))
	for _, name := range table.Names {
		at := append(slices.Clip(at), name)
		if !validKeyName(name) {
			p.fail(at, "", "vars has what is not the name of a key", keyNameRule)
		}
		node := table.Get(name)
		v := Var{Name: name, Line: node.Line}
		switch value := node.Value.(type) {
		case string:
			v.Value = value
		case int64:
			v.Value = strconv.FormatInt(value, 10)
		case bool:
			v.Value = strconv.FormatBool(value)
		case tomltree.Float:
			v.Value = string(value)
		default:
			p.fail(at, "", fmt.Sprintf("the value of %s is neither text nor a number nor true or false", quote(name)),
				`write it in quotes, as in LOG_LEVEL = "debug"`)
		}
		if strings.IndexByte(v.Value, 0) >= 0 {
			p.fail(at, "", fmt.Sprintf("the value of %s holds a NUL byte, which no variable can", quote(name)), "remove it")
		}
		vars = append(vars, v)
	}
	return vars
}

// declarations reads [keys.NAME].
func (p *policyParser) declarations(environments []string) []Declaration {
	names := p.table("keys").Names
	if len(names) == 0 {
		return nil
	}
	all := make([]Declaration, 0, len(names))
	for _, name := range names {
		at := []string{"keys", name}
		if !validKeyName(name) {
			p.fail(at, "", "a declared key's name is not valid", keyNameRule)
		}
		all = append(all, p.declaration(name, p.table(at...), environments))
	}
	return all
}

func (p *policyParser) declaration(name string, table *tomltree.Node, environments []string) Declaration {
	f := fields{p: p, table: table, at: []string{"keys", name}}
	d := Declaration{
		Name:        name,
		Description: f.text("description"),
		Type:        Type(f.text("type")),
		Values:      f.texts("values"),
		Pattern:     f.text("pattern"),
		MinLength:   f.number("min_length"),
		Unique:      f.truth("unique", false),
		Shared:      !f.truth("unique", true),
		Example:     f.text("example"),
		NoPromotion: !f.truth("promote", true),
		Line:        table.Line,
	}
	f.required(&d, environments)
	if text := f.text("rotate"); table.Get("rotate") != nil {
		var ok bool
		if d.Rotate, ok = ParseAge(text); !ok {
			f.fail("rotate", "is no length of time", `write it as in rotate = "30d"; there are h, d and w`)
		}
	}
	if text := f.text("generate"); table.Get("generate") != nil {
		var ok bool
		if d.Generate, ok = ParseGenerator(text); !ok {
			f.fail("generate", "is no way to make a value", `write it as in generate = "hex:64"; there are `+list(alphabets)+", with 128 bits at least")
		}
	}
	f.contradictions(&d)
	return d
}

// fields reads the values of one table: of a key, an environment, or a rule of one.
type fields struct {
	p     *policyParser
	table *tomltree.Node
	at    []string
	rule  int // its number, from 1; 0 for none
}

// what says whose values they are, for a message.
func (f *fields) what() string {
	switch {
	case f.rule > 0:
		return fmt.Sprintf("rule %d of environment %s", f.rule, quote(f.at[1]))
	case f.at[0] == "keys":
		return "key " + quote(f.at[1])
	}
	return "environment " + quote(f.at[1])
}

func (f *fields) fail(name, problem, fix string) {
	if f.p.err == nil {
		line := locate(f.table, []string{name}, "")
		f.p.err = &PolicyError{File: f.p.file, Line: line, Problem: fmt.Sprintf("%s of %s %s", name, f.what(), problem), Fix: fix}
	}
}

func (f *fields) texts(name string) []string {
	node := f.table.Get(name)
	if node == nil {
		return nil
	}
	return f.p.strings(node, append(slices.Clip(f.at), name))
}

func (f *fields) text(name string) string {
	node := f.table.Get(name)
	if node == nil {
		return ""
	}
	s, ok := node.Value.(string)
	if !ok {
		f.fail(name, "is not a string", "put its value in quotes")
	}
	return s
}

func (f *fields) truth(name string, otherwise bool) bool {
	node := f.table.Get(name)
	if node == nil {
		return otherwise
	}
	value, ok := node.Value.(bool)
	if !ok {
		f.fail(name, "is neither true nor false", "write true or false, without quotes")
	}
	return value
}

func (f *fields) number(name string) int {
	node := f.table.Get(name)
	if node == nil {
		return 0
	}
	const limit = 1 << 20
	n, ok := node.Value.(int64)
	if !ok || n < 1 || n > limit {
		f.fail(name, "is no number of at least 1", "write it without quotes")
		return 0
	}
	return int(n)
}

func (f *fields) required(d *Declaration, environments []string) {
	node := f.table.Get("required")
	if node == nil {
		return
	}
	var ok bool
	if d.Required, ok = node.Value.(bool); ok {
		return
	}
	if d.RequiredIn, ok = node.Strings(); !ok {
		f.fail("required", "is neither true nor false nor a list of environments", `write true, or ["production"]`)
	}
	f.once("required", d.RequiredIn)
	for _, name := range d.RequiredIn {
		if f.p.err != nil {
			return // the next mistake would not be kept, and takes long to find in a hostile list
		}
		if !slices.Contains(environments, name) {
			f.p.fail(append(slices.Clip(f.at), "required"), name, fmt.Sprintf("%s is required in %s, which is no environment", f.what(), quote(name)),
				"use one of "+list(environments))
		}
	}
}

// contradictions refuses what no value could satisfy, and what says two things.
func (f *fields) contradictions(d *Declaration) {
	switch {
	case d.Type != "" && !slices.Contains(types, d.Type):
		var names []string
		for _, t := range types {
			names = append(names, string(t))
		}
		f.fail("type", "is no type", "use one of "+strings.Join(names, ", "))
	case d.Type == TypeEnum && len(d.Values) == 0:
		f.fail("type", "is enum, without values", `add values = ["one", "two"]`)
	case d.Type != TypeEnum && f.table.Get("values") != nil:
		f.fail("values", "are for an enum only", `write type = "enum", or remove them`)
	case d.Unique && f.table.Get("promote") != nil && !d.NoPromotion:
		f.fail("promote", "contradicts unique: no two environments may have the same value", "remove one of the two")
	case d.Generate.Alphabet != "" && !slices.Contains([]Type{"", TypeString, TypeBase64}, d.Type):
		f.fail("generate", "makes a text, and the type is another", "remove one of the two")
	case d.Generate.Alphabet != "" && d.Generate.Alphabet != "words" && d.MinLength > d.Generate.Length:
		f.fail("generate", "makes fewer characters than min_length", "make it longer")
	}
	f.once("values", d.Values)
}

// once refuses a list that has something twice.
func (f *fields) once(name string, list []string) {
	seen := make(map[string]bool, len(list))
	for _, item := range list {
		if seen[item] {
			f.fail(name, "has one twice", "list each once")
			return
		}
		seen[item] = true
	}
}

// rules reads [[environments.NAME.deny]].
func (p *policyParser) rules(env string, node *tomltree.Node) []Rule {
	if node == nil {
		return nil
	}
	at := []string{"environments", env, "deny"}
	items, ok := node.Value.([]*tomltree.Node)
	if !ok {
		p.fail(at, "", "deny is not a list of tables", fmt.Sprintf("begin each rule with [[environments.%s.deny]]", env))
	}
	rules := make([]Rule, 0, len(items))
	names := make(map[string]bool, len(items))
	for i, table := range items {
		f := fields{p: p, table: table, at: at, rule: i + 1}
		r := Rule{
			Name: f.text("name"), Key: f.text("key"), Value: f.text("value"), Host: f.text("host"),
			Message: f.text("message"), Line: table.Line,
		}
		if r.Name == "" {
			r.Name = fmt.Sprintf("deny-%d", i+1)
		}
		for _, name := range table.Names {
			if !slices.Contains(ruleKeys, name) {
				f.failAt(table.Get(name).Line, "has the unknown key "+quote(name), "a rule has "+list(ruleKeys))
			}
		}
		switch {
		case !table.IsTable():
			f.failAt(table.Line, "is not a table", fmt.Sprintf("begin each rule with [[environments.%s.deny]]", env))
		case r.Key == "" && r.Value == "" && r.Host == "":
			f.failAt(r.Line, "has no condition: it would refuse everything, or nothing", "give it key, value or host")
		case !ValidMemberName(r.Name) || slices.Contains(builtinRules, r.Name):
			f.failAt(r.Line, "has a name that it cannot have", memberRule+"; built-in rules keep theirs")
		case strings.ContainsFunc(r.Message, unicode.IsControl):
			f.failAt(r.Line, "has a control character in its message", "write it on one line")
		case names[r.Name]:
			f.failAt(r.Line, "has the name of another", "give each its own")
		}
		names[r.Name] = true
		rules = append(rules, r)
	}
	return rules
}

func (f *fields) failAt(line int, problem, fix string) {
	if f.p.err == nil {
		f.p.err = &PolicyError{File: f.p.file, Line: line, Problem: f.what() + " " + problem, Fix: fix}
	}
}

// The rules that need no policy, which "disable" of an environment switches off by name.
const (
	RuleLiveKeys        = "live-keys"        // keys of providers that work on real money and data, outside production
	RuleProductionHosts = "production-hosts" // hosts named prod, production or prd, outside production
	RuleTestKeys        = "test-keys"        // keys of providers that are for tests, in production
	RuleLocalHosts      = "local-hosts"      // localhost and the like, in production
	RulePlaceholders    = "placeholders"     // changeme and the like, in production
)

var builtinRules = []string{RuleLiveKeys, RuleProductionHosts, RuleTestKeys, RuleLocalHosts, RulePlaceholders}

// RuleNames are the guard rules that can refuse a value of the environment: the built-in ones
// and its own.
func (e *Environment) RuleNames() []string {
	names := slices.Clone(builtinRules)
	for _, rule := range e.Deny {
		names = append(names, rule.Name)
	}
	return names
}

// The kinds of environments, which decide about the built-in rules.
const (
	KindProduction  = "production"
	KindDevelopment = "development" // everything else
)

func (p *policyParser) guards(env *Environment, table *tomltree.Node) {
	at := []string{"environments", env.Name}
	f := fields{p: p, table: table, at: at}
	env.Strict = f.truth("strict", false)
	env.Inherits = f.text("inherits")
	env.Kind = f.text("kind")
	if env.Kind != "" && env.Kind != KindProduction && env.Kind != KindDevelopment {
		f.fail("kind", "is no kind", "write "+KindProduction+" or "+KindDevelopment)
	}
	env.Disable = f.texts("disable")
	for _, name := range env.Disable {
		if !slices.Contains(builtinRules, name) {
			p.fail(append(at, "disable"), name, "disable of "+f.what()+" names no built-in rule", "there are "+strings.Join(builtinRules, ", "))
		}
	}
	env.Vars = p.vars("environments", env.Name, "vars")
	env.Deny = p.rules(env.Name, table.Get("deny"))
}

// inheritance refuses what leads nowhere, or in a circle.
func (p *policyParser) inheritance(environments []Environment) {
	next := make(map[string]string)
	for _, env := range environments {
		next[env.Name] = env.Inherits
	}
	for _, env := range environments {
		at := []string{"environments", env.Name, "inherits"}
		if _, ok := next[env.Inherits]; env.Inherits != "" && !ok {
			p.fail(at, "", fmt.Sprintf("environment %s inherits from %s, which is no environment", quote(env.Name), quote(env.Inherits)), "name one of the policy's")
		}
		steps := 0
		for name := env.Inherits; name != "" && p.err == nil; name = next[name] {
			if steps++; steps > len(environments) || name == env.Name {
				p.fail(at, "", fmt.Sprintf("environment %s inherits in a circle", quote(env.Name)), "remove one inherits")
			}
		}
	}
}

// quorum reads reader_groups and quorum, which stand in the place of readers.
func (p *policyParser) quorum(env *Environment, table *tomltree.Node) {
	at := []string{"environments", env.Name, "reader_groups"}
	f := fields{p: p, table: table, at: at[:2]}
	env.Quorum = f.number("quorum")
	groups := table.Get("reader_groups")
	switch {
	case groups == nil && env.Quorum > 0:
		f.fail("quorum", "is for reader_groups", `add reader_groups = [["ops"], ["security"]]`)
		return
	case groups == nil:
		return
	case table.Get("readers") != nil:
		p.fail(at, "", f.what()+" has both readers and reader_groups", "keep one of the two")
	}
	items, ok := groups.Value.([]*tomltree.Node)
	for _, item := range items {
		names, isList := item.Strings()
		ok = ok && isList
		env.ReaderGroups = append(env.ReaderGroups, names)
	}
	switch {
	case !ok:
		p.fail(at, "", "reader_groups of "+f.what()+" is not a list of lists of names", `write it as [["ops"], ["security"]]`)
	case table.Get("quorum") == nil:
		p.fail(at, "", f.what()+" has reader_groups and no quorum", "add quorum = 2, the number of groups that it takes to open it")
	case env.Quorum < 2 || env.Quorum > len(env.ReaderGroups):
		f.fail("quorum", "is not between 2 and the number of its reader_groups", "a quorum of 1 is what readers are for")
	}
}

// exceptions reads [check.ignore] and [check.warn].
func (p *policyParser) exceptions(environments []string) []Exception {
	var all []Exception
	for _, level := range []string{"ignore", "warn"} {
		table := p.table("check", level)
		for _, name := range table.Names {
			at := []string{"check", level, name}
			e := Exception{Warn: level == "warn", Line: table.Get(name).Line}
			parts := strings.SplitN(name, "/", 3)
			parts = append(parts, "", "")
			e.ID, e.Environment, e.Key = parts[0], parts[1], parts[2]
			if e.Environment == "*" {
				e.Environment = ""
			}
			var ok bool
			if e.Reason, ok = table.Get(name).Value.(string); !ok || strings.TrimSpace(e.Reason) == "" {
				p.fail(at, "", "an exception of check needs a reason", `write it as in undeclared-key = "a migration, until June"`)
			}
			if e.Environment != "" && !slices.Contains(environments, e.Environment) {
				p.fail(at, "", "an exception of check names no environment", `write "ID", "ID/ENVIRONMENT" or "ID/ENVIRONMENT/KEY", with * for any environment`)
			}
			all = append(all, e)
		}
	}
	return all
}
