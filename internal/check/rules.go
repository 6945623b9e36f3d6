package check

import (
	"fmt"
	"slices"
	"strings"

	"envcrypt/internal/guard"
	"envcrypt/internal/history"
	"envcrypt/internal/project"
	"envcrypt/internal/vault"
	"envcrypt/recipients"
)

// policy looks at what needs no file.
func (c *Checker) policy() {
	p := c.Vault.Project.Policy
	for _, problem := range guard.Validate(p) {
		what := problem.Key
		if what == "" {
			what = fmt.Sprintf("rule %s of %s", problem.Rule, problem.Environment)
		}
		c.add(BadDeclaration, Error, inPolicy(problem.Environment, problem.Key, problem.Line), "mend it in "+project.PolicyName, "%s %s", what, problem.Text)
	}
	for _, e := range p.Exceptions {
		if !Known(e.ID) {
			c.add(BadDeclaration, Error, inPolicy("", "", e.Line), `"envcrypt check --help" lists the IDs`, "an exception names no ID of check")
		}
	}
	c.vars("", p.Vars)
	staging, production := false, false
	for _, env := range p.Environments {
		c.vars(env.Name, env.Vars)
		c.production(env)
		if guard.IsProduction(env) {
			production = true
		} else {
			staging = staging || env.Name != "development"
		}
	}
	if production && !staging {
		c.add(NoStaging, Warning, inPolicy("", "", 0), "add an environment in which a release is tried with keys of its own",
			"there is production, and no environment such as staging to try a release in")
	}
}

// production finds an environment that is not production and has production's values, which no
// comparison finds: they are inherited.
func (c *Checker) production(env project.Environment) {
	layers, err := c.Vault.Project.Policy.Layers(env.Name)
	if err != nil || guard.IsProduction(env) {
		return
	}
	for _, under := range layers {
		if guard.IsProduction(under) {
			c.add(SameValue, Error, inPolicy(env.Name, "", 0), "inherit from an environment that is not production",
				"%s is not production, and inherits the values of %s", env.Name, under.Name)
		}
	}
}

func (c *Checker) vars(env string, vars []project.Var) {
	for _, v := range vars {
		if guard.LooksSecret(v.Name, v.Value) {
			fix := fmt.Sprintf(`take it out of the policy, give it a new value at its source, and "envcrypt set %s"`, v.Name)
			c.add(SecretInVars, Error, inPolicy(env, v.Name, v.Line), fix, "%s stands in the clear in vars, and looks like a secret", v.Name)
		}
	}
}

// required looks for declared keys that are not there.
func (c *Checker) required(env project.Environment, values []vault.Value) {
	have := make(map[string]bool, len(values))
	for _, v := range values {
		have[v.Key] = true
	}
	for _, d := range c.Vault.Project.Policy.Keys {
		if d.IsRequired(env.Name) && !have[d.Name] {
			c.add(RequiredMissing, Error, inPolicy(env.Name, d.Name, d.Line), fmt.Sprintf("envcrypt set %s -e %s", d.Name, env.Name),
				"%s is required in %s, and missing", d.Name, env.Name)
		}
	}
}

// undeclared is a finding only where a project declares its keys at all.
func (c *Checker) undeclared(env project.Environment, values []vault.Value) {
	p := c.Vault.Project.Policy
	if len(p.Keys) == 0 {
		return
	}
	for _, v := range values {
		of := strings.TrimSuffix(v.Key, history.PreviousSuffix) // which a rotation keeps for a while
		if v.Origin.Environment == env.Name && !v.Origin.Plain && p.Declaration(v.Key) == nil && p.Declaration(of) == nil {
			place := inFile(env.Name)
			place.key = v.Key
			c.add(UndeclaredKey, Warning, place, fmt.Sprintf("declare it in %s as [keys.%s], or unset it", project.PolicyName, v.Key),
				"%s of %s is not declared", v.Key, env.Name)
		}
	}
}

// values holds values to their declarations and to the guard rules; of an environment that
// was not opened, the plain ones.
func (c *Checker) values(env project.Environment, values []vault.Value, isOpen bool) {
	g := guard.New(c.Vault.Project.Policy, env)
	for _, v := range values {
		if !isOpen && !v.Origin.Plain {
			continue
		}
		place := c.place(env, v)
		rules, err := g.CheckRules(v.Key, v.Value)
		var declared []guard.Violation
		if err == nil && (v.Origin.Plain || v.Origin.Environment == env.Name) {
			declared, err = g.CheckDeclared(v.Key, v.Value)
		}
		if err != nil {
			continue // a pattern that does not compile, which Validate has found
		}
		for _, violation := range declared {
			c.add(WrongType, Error, place, fmt.Sprintf("envcrypt set %s -e %s", v.Key, env.Name), "%s of %s %s", v.Key, env.Name, violation.Problem)
		}
		for _, violation := range rules {
			fix := fmt.Sprintf(`give it a value of %s's own; disable = [%q] under the environment switches the rule off`, env.Name, violation.Rule)
			if violation.Line > 0 {
				fix = fmt.Sprintf("give it a value that the rule on line %d of %s allows", violation.Line, project.PolicyName)
			}
			c.add(DeniedValue, Error, place, fix, "%s of %s %s (%s)", v.Key, env.Name, violation.Problem, violation.Rule)
		}
	}
}

// place is where a value stands, for the environment that is looked at.
func (c *Checker) place(env project.Environment, v vault.Value) at {
	if !v.Origin.Plain {
		place := inFile(v.Origin.Environment)
		place.environment, place.key = env.Name, v.Key
		place.line = c.lines[v.Origin.Environment][v.Key]
		return place
	}
	vars := c.Vault.Project.Policy.Vars
	if v.Origin.Environment != "" {
		origin, _ := c.Vault.Project.Policy.Environment(v.Origin.Environment)
		vars = origin.Vars
	}
	i := slices.IndexFunc(vars, func(plain project.Var) bool { return plain.Name == v.Key })
	return inPolicy(env.Name, v.Key, vars[i].Line)
}

// sameValues looks for secrets that two environments share: each pair of what was opened.
func (c *Checker) sameValues() {
	type holder struct {
		env  *opened
		keys []string
	}
	holders := make(map[string][]*holder) // by value, each environment once
	var order []string
	for _, o := range c.opened {
		for _, v := range o.values {
			if v.Origin.Plain || v.Origin.Environment != o.Name || !c.comparable(v) {
				continue
			}
			all := holders[v.Value]
			if all == nil {
				order = append(order, v.Value)
			}
			if len(all) == 0 || all[len(all)-1].env != o {
				all = append(all, &holder{env: o})
				holders[v.Value] = all
			}
			all[len(all)-1].keys = append(all[len(all)-1].keys, v.Key)
		}
	}
	for _, value := range order {
		all := holders[value]
		for i, b := range all {
			for _, a := range all[:i] {
				c.samePair(value, a.env.Name, a.keys, b.env.Name, b.keys)
			}
		}
	}
}

// samePair compares the keys with which two environments hold a value.
func (c *Checker) samePair(value, a string, aKeys []string, b string, bKeys []string) {
	has := make(map[string]bool, len(aKeys))
	for _, key := range aKeys {
		has[key] = true
	}
	common := false
	for _, key := range bKeys {
		if has[key] {
			common = true
			c.sameValue(value, a, key, b, key)
		}
	}
	if !common && guard.LooksSecret(aKeys[0], value) {
		c.sameValue(value, a, aKeys[0], b, bKeys[0])
	}
}

// comparable reports whether a value should be an environment's own.
func (c *Checker) comparable(v vault.Value) bool {
	d := c.Vault.Project.Policy.Declaration(v.Key)
	switch {
	case v.Value == "":
		return false
	case d != nil && d.Unique:
		return true
	case d != nil && (d.Shared || d.Type == project.TypeEnum || d.Type == project.TypeBool || d.Type == project.TypePort):
		return false
	}
	return guard.LooksSecret(v.Key, v.Value) || !ordinary(v.Value)
}

// ordinary reports whether a value is of those that two environments may well share: short
// ones, numbers, addresses without a password.
func ordinary(value string) bool {
	const short = 8
	if len(value) < short || strings.Contains(value, "://") {
		return true
	}
	return strings.Trim(value, "0123456789.:,-") == ""
}

func (c *Checker) sameValue(value, a, aKey, b, bKey string) {
	severity := Warning
	unique := func(key string) bool {
		d := c.Vault.Project.Policy.Declaration(key)
		return d != nil && d.Unique
	}
	if unique(aKey) || unique(bKey) || guard.LooksSecret(bKey, value) {
		severity = Error
	}
	place := inFile(b)
	place.key = bKey
	fix := fmt.Sprintf("give each environment its own, or declare that they share it: [keys.%s] unique = false", bKey)
	if aKey == bKey {
		c.add(SameValue, severity, place, fix, "%s has the same value in %s and %s", bKey, a, b)
		return
	}
	c.add(SameValue, severity, place, fix, "%s of %s has the value of %s of %s", bKey, b, aKey, a)
}

// unused looks for declarations of keys that no environment has. It sees names only, so it
// needs no identity.
func (c *Checker) unused() {
	p := c.Vault.Project.Policy
	have := make(map[string]bool)
	for _, env := range p.Environments {
		names, err := c.Vault.ResolveNames(env.Name)
		if err != nil {
			return // nobody knows what is in it
		}
		for _, v := range names {
			have[v.Key] = true
		}
	}
	for _, d := range p.Keys {
		if !have[d.Name] && !d.Required && len(d.RequiredIn) == 0 {
			c.add(UnusedDeclaration, Warning, inPolicy("", d.Name, d.Line), "remove the declaration, or set the key", "%s is declared, and in no environment", d.Name)
		}
	}
}

// excludedReaders finds readers of an environment who are none of one underneath.
func (c *Checker) excludedReaders(env project.Environment) {
	p := c.Vault.Project.Policy
	layers, err := p.Layers(env.Name)
	if err != nil {
		return
	}
	readers, err := p.Recipients(env.Name)
	if err != nil {
		return
	}
	for _, under := range layers[:len(layers)-1] {
		allowed, err := p.Recipients(under.Name)
		if err != nil {
			return
		}
		var excluded []string
		for _, r := range readers {
			if !slices.ContainsFunc(allowed, func(a recipients.Reader) bool { return a.Member == r.Member }) && !slices.Contains(excluded, r.Member) {
				excluded = append(excluded, r.Member)
			}
		}
		if excluded != nil {
			c.add(ExcludedReader, Error, inPolicy(env.Name, "", 0), fmt.Sprintf("envcrypt grant %s %s", under.Name, strings.Join(excluded, " ")),
				"%s reads %s and not %s, which is underneath", strings.Join(excluded, ", "), env.Name, under.Name)
		}
	}
}
