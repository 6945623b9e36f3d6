package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// The size of the policy that the rules are measured with.
const (
	declaredKeys = 50
	denyRules    = 20
	plainVars    = 10
)

// rules measures what declared keys and guard rules cost in front of a command, and a check
// of many values.
func (b *bench) rules() error {
	if err := b.rulesExec(); err != nil {
		return err
	}
	return b.rulesCheck()
}

// rulesExec measures exec with a long policy against sops, and against exec with a short one.
func (b *bench) rulesExec() error {
	const secrets, warmup = 3, 10
	environments := []string{"development"}
	var dirs []string
	for _, name := range []string{"rules", "plain"} {
		dir, err := b.project(name, environments)
		if err != nil {
			return err
		}
		if err := b.seal(dir, "development", secrets); err != nil {
			return err
		}
		dirs = append(dirs, dir)
	}
	if err := addRules(dirs[0], environments); err != nil {
		return err
	}
	s, err := paired(b.execRounds, warmup,
		b.tool(dirs[0], b.envcrypt, "exec", "--", "true").run,
		b.tool(dirs[0], b.sops, "exec-env", environmentFile(dirs[0], "development"), "true").run,
		b.tool(dirs[1], b.envcrypt, "exec", "--", "true").run)
	if err != nil {
		return err
	}
	r, more := ratios(s[0], s[1]), less(s[0], s[2])
	heading(fmt.Sprintf("Rules in front of a command: %d declared keys, %d deny rules, %d vars, %d secrets, %d rounds",
		declaredKeys, denyRules, plainVars, secrets, b.execRounds))
	columns()
	spread("`envcrypt exec -- true`", s[0])
	spread("`sops exec-env FILE true`", s[1])
	spread("`envcrypt exec -- true`, a policy without them", s[2])
	spread("with rules over without", more)
	spreadRatio("envcrypt / sops", r)
	fmt.Println()
	b.bar(quantile(r, 0.5) <= 0.20, "exec with rules takes %.3f of sops exec-env (bar: 0.20)", quantile(r, 0.5))
	return nil
}

// rulesCheck measures all rules on large environments.
func (b *bench) rulesCheck() error {
	const keys, warmup = 10_000, 1
	environments := []string{"development", "staging", "production"}
	dir, err := b.project("check", environments)
	if err != nil {
		return err
	}
	for _, env := range environments {
		if err := b.seal(dir, env, keys); err != nil {
			return err
		}
		// So that each has a history, as those in use have.
		if _, err := b.tool(dir, b.envcrypt, "set", "-q", "-e", env, "KEY_000000=made-up first value of "+env).run(); err != nil {
			return err
		}
	}
	if err := addRules(dir, environments); err != nil {
		return err
	}
	run := func(args ...string) func() (time.Duration, error) {
		return b.tool(dir, append([]string{b.envcrypt}, args...)...).run
	}
	s, err := paired(b.openRounds, warmup, run("check"), run("check", "development"), run("export", "development"))
	if err != nil {
		return err
	}
	heading(fmt.Sprintf("All rules on %d keys in each of %d environments, %d rounds", keys, len(environments), b.openRounds))
	columns()
	spread("`envcrypt check`", s[0])
	spread("`envcrypt check development`", s[1])
	spread("`envcrypt export development`, the guard rules alone", s[2])
	fmt.Println()
	b.bar(s[1].median() <= time.Second, "a check of %d keys takes %s (bar: 1 s)", keys, ms(s[1].median()))
	b.bar(s[0].median() <= time.Second, "a check of all %d environments takes %s (bar: 1 s)", len(environments), ms(s[0].median()))
	return nil
}

// addRules adds to a project's policy what the part is about: declarations of all types, plain
// values, and rules of all conditions in each environment. They refuse none of the values of
// [bench.seal].
func addRules(dir string, environments []string) error {
	var text strings.Builder
	text.WriteString("[vars]\n")
	for i := range plainVars {
		fmt.Fprintf(&text, "PLAIN_%02d = \"plain value %d\"\n", i, i)
	}
	declarations := []string{
		"description = \"what it is for\"\nmin_length = 8\n",
		"pattern = \"^[a-z0-9 _-]+$\"\nunique = true\n",
		"type = \"string\"\nrotate = \"30000d\"\npromote = false\n",
		"type = \"string\"\npattern = \"made-up (first )?value .*\"\n",
		"description = \"shared\"\nunique = false\nexample = \"made-up value\"\n",
	}
	for i := range declaredKeys {
		fmt.Fprintf(&text, "\n[keys.KEY_%06d]\nrequired = %t\n%s", i, i < 3, declarations[i%len(declarations)])
	}
	rules := []string{ // each expression is another one, with the rule's number in it
		"key = \"OTHER_*\"\nvalue = \"^office-[0-9]+-%d$\"\n",
		"value = \"(?i)internal[- ]only|do not use %d\"\n",
		"host = \"*.corp%d.internal\"\n",
		"key = \"KEY_*\"\nhost = \"db-?.example\"\nvalue = \":543%d/\"\n",
	}
	for _, env := range environments {
		for i := range denyRules {
			conditions := fmt.Sprintf(rules[i%len(rules)], i)
			fmt.Fprintf(&text, "\n[[environments.%s.deny]]\nname = \"rule-%d\"\n%smessage = \"is not for %s\"\n", env, i, conditions, env)
		}
	}
	f, err := os.OpenFile(filepath.Join(dir, "envcrypt.toml"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(text.String())
	return err
}
