package guard

import (
	"errors"
	"math/rand/v2"

	"envcrypt/internal/project"
)

// Problem is a mistake in what a policy says of keys and rules, which stops nothing but what is
// to do with that key or rule.
type Problem struct {
	Key         string // of a declaration, or
	Environment string // of the deny rule
	Rule        string // called so
	Line        int    // in the policy, from 1
	Text        string // the rest of a sentence that begins with the key or the rule
}

// Validate returns the mistakes in a policy's declarations and rules, in the policy's order:
// expressions that are none, and declarations that refuse what they themselves give.
func Validate(p *project.Policy) []Problem {
	var problems []Problem
	for i := range p.Keys {
		d := &p.Keys[i]
		for _, text := range declarationProblems(d) {
			problems = append(problems, Problem{Key: d.Name, Line: d.Line, Text: text})
		}
	}
	for _, env := range p.Environments {
		g := New(p, env)
		for i := range env.Deny {
			rule := &env.Deny[i]
			if _, err := g.compile(rule.Value); err != nil {
				text := "has a value that is no regular expression: " + err.Error()
				problems = append(problems, Problem{Environment: env.Name, Rule: rule.Name, Line: rule.Line, Text: text})
			}
		}
	}
	return problems
}

func declarationProblems(d *project.Declaration) []string {
	var g Guard
	var texts []string
	refused := func(what, value string) {
		violations, _ := g.declared(d, value)
		for _, v := range violations {
			texts = append(texts, what+" that its own declaration refuses: it "+v.Problem)
		}
	}
	if _, err := g.declared(d, ""); err != nil {
		if e, ok := errors.AsType[*PatternError](err); ok {
			return []string{"has a pattern that is no regular expression: " + e.Problem}
		}
	}
	if d.Example != "" {
		refused("has an example", d.Example)
	}
	for _, value := range d.Values {
		refused("has among its values one", value)
	}
	if !g.generatorFits(d) {
		texts = append(texts, "generates values that its own declaration refuses")
	}
	return texts
}

// generatorFits reports whether a declaration accepts one of many values such as its generator
// makes. What the words are is not known here.
func (g *Guard) generatorFits(d *project.Declaration) bool {
	alphabet := generatorAlphabet(d.Generate)
	if alphabet == "" {
		return true
	}
	const attempts = 100
	random := rand.New(rand.NewPCG(1, 2))
	for range attempts {
		value := make([]byte, d.Generate.Length)
		for i := range value {
			value[i] = alphabet[random.IntN(len(alphabet))]
		}
		if violations, err := g.declared(d, string(value)); err == nil && len(violations) == 0 {
			return true
		}
	}
	return false
}

func generatorAlphabet(g project.Generator) string {
	const digits, lower, upper = "0123456789", "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	switch g.Alphabet {
	case "hex":
		return digits + "abcdef"
	case "alphanumeric":
		return digits + lower + upper
	case "base64url":
		return digits + lower + upper + "-_"
	}
	return ""
}
