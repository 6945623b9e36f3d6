// Package guard holds the rules that the values of an environment must meet: what a key's
// declaration says of it, what the policy denies, and what is built in, so that a live key does
// not get into development, nor a laptop's database into production.
//
// All of it is functions of the policy and a value. Nothing here opens a file, decrypts, prints,
// or decides what to do about a violation; and no message contains a value or a part of one, not
// even a host that was found in it.
package guard

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"

	"envcrypt/internal/project"
)

// Guard checks the values of one environment. The rules are the environment's own: those of
// the environments that it inherits from are about their files, not about this one.
//
// Making one costs nothing, since it stands in front of every exec: a regular expression is
// compiled when the first value has to be looked at, and once. Not for concurrent use.
type Guard struct {
	policy     *project.Policy
	env        project.Environment
	production bool
	compiled   map[string]*regexp.Regexp // by what is compiled
}

// New returns the guard of an environment of a policy.
func New(p *project.Policy, env project.Environment) *Guard {
	return &Guard{policy: p, env: env, production: IsProduction(env)}
}

// IsProduction reports whether an environment is production: by its kind, or else by its name, of
// which a part, between "-" and "_", is prod, production or prd, digits allowed after it.
func IsProduction(env project.Environment) bool {
	if env.Kind != "" {
		return env.Kind == project.KindProduction
	}
	return hasProductionPart(env.Name)
}

// The rules of a declaration. Those of guards are in package project, and the names of deny rules.
const (
	RuleType      = "type"
	RulePattern   = "pattern"
	RuleMinLength = "min_length"
)

// Violation is a rule that a value does not meet.
type Violation struct {
	Key      string
	Rule     string // what --allow calls it; of a declaration: type, pattern or min_length
	Problem  string // the rest of a sentence that begins with the key; the message of a deny rule as it stands in the policy
	Declared bool   // it is the key's declaration that says so, and not a guard rule
	Line     int    // of the rule or the declaration in the policy, 0 for a built-in rule
}

func (v Violation) String() string {
	return fmt.Sprintf("%s %s (%s)", v.Key, v.Problem, v.Rule)
}

// PatternError says that a regular expression of the policy is none. It does not quote it.
type PatternError struct {
	Rule    string // whose it is: of a deny rule, or
	Key     string // of a declaration
	Line    int    // of the rule or the declaration in the policy, from 1
	Problem string
}

func (e *PatternError) Error() string {
	what := "the value of deny rule " + e.Rule
	if e.Key != "" {
		what = "the pattern of key " + e.Key
	}
	return fmt.Sprintf("line %d of the policy: %s is no regular expression: %s", e.Line, what, e.Problem)
}

// Check is [Guard.CheckDeclared] and [Guard.CheckRules].
func (g *Guard) Check(key, value string) ([]Violation, error) {
	declared, err := g.CheckDeclared(key, value)
	if err != nil {
		return nil, err
	}
	rules, err := g.CheckRules(key, value)
	if err != nil {
		return nil, err
	}
	return append(declared, rules...), nil
}

// CheckRules returns the guard rules that refuse a value: the built-in ones of the environment's
// kind that the policy does not disable, then the deny rules in the policy's order. It is for a
// value that is written, and for one that is about to be used.
//
// The error is a *[PatternError]. Nothing may be used then: what a rule that cannot be read
// would have refused is not known.
func (g *Guard) CheckRules(key, value string) ([]Violation, error) {
	if value == "" && len(g.env.Deny) == 0 {
		return nil, nil
	}
	s := subject{key: key, value: value, declared: g.policy.Declaration(key)}
	violations := g.builtin(&s)
	for i := range g.env.Deny {
		rule := &g.env.Deny[i]
		denied, err := g.denied(rule, &s)
		if err != nil {
			return nil, err
		}
		if denied {
			problem := rule.Message
			if problem == "" {
				problem = "is denied by a rule of the environment"
			}
			violations = append(violations, Violation{Key: key, Rule: rule.Name, Problem: problem, Line: rule.Line})
		}
	}
	return violations, nil
}

// CheckDeclared returns what a key's declaration refuses of a value: its type first. It is for
// a value that is written, and for a check of all. The error is a *[PatternError].
func (g *Guard) CheckDeclared(key, value string) ([]Violation, error) {
	d := g.policy.Declaration(key)
	if d == nil {
		return nil, nil
	}
	return g.declared(d, value)
}

func (g *Guard) declared(d *project.Declaration, value string) ([]Violation, error) {
	var violations []Violation
	add := func(rule, problem string) {
		violations = append(violations, Violation{Key: d.Name, Rule: rule, Problem: problem, Declared: true, Line: d.Line})
	}
	if problem := typeProblem(d, value); problem != "" {
		add(RuleType, problem)
	}
	if d.Pattern != "" {
		whole, err := g.compile(d.Pattern)
		if err != nil {
			return nil, &PatternError{Key: d.Name, Line: d.Line, Problem: err.Error()}
		}
		if !matchesWhole(whole, value) {
			add(RulePattern, "does not match the pattern of its declaration")
		}
	}
	if len(value) < d.MinLength {
		add(RuleMinLength, fmt.Sprintf("is shorter than %d bytes", d.MinLength))
	}
	return violations, nil
}

// builtin are the rules that need no policy.
func (g *Guard) builtin(s *subject) []Violation {
	var violations []Violation
	add := func(rule, problem string) {
		violations = append(violations, Violation{Key: s.key, Rule: rule, Problem: problem})
	}
	on := func(rule string) bool { return !slices.Contains(g.env.Disable, rule) }
	if !g.production {
		if provider, found := findKey(s.value, true); found && on(project.RuleLiveKeys) {
			add(project.RuleLiveKeys, "is a live key ("+provider+"), and this is not production")
		}
		if on(project.RuleProductionHosts) && mayNameProduction(s.value) && slices.ContainsFunc(s.hosts(), isProductionHost) {
			add(project.RuleProductionHosts, "names a production host, and this is not production")
		}
		return violations
	}
	if provider, found := findKey(s.value, false); found && on(project.RuleTestKeys) {
		add(project.RuleTestKeys, "is a test key ("+provider+"), and this is production")
	}
	if on(project.RuleLocalHosts) && mayNameLocal(s.value) && !namesListener(s.key) && slices.ContainsFunc(s.hosts(), isLocalHost) {
		add(project.RuleLocalHosts, "names the machine that it is used on, and this is production")
	}
	if on(project.RulePlaceholders) && !s.isEnum() && isPlaceholder(s.value) {
		add(project.RulePlaceholders, "is a placeholder, and this is production")
	}
	return violations
}

// denied reports whether a value meets all conditions of a rule, the cheapest first.
func (g *Guard) denied(rule *project.Rule, s *subject) (bool, error) {
	if rule.Key != "" && !glob(rule.Key, s.key) {
		return false, nil
	}
	if rule.Host != "" {
		pattern := strings.TrimSuffix(strings.ToLower(rule.Host), ".")
		if !slices.ContainsFunc(s.hosts(), func(host string) bool { return glob(pattern, host) }) {
			return false, nil
		}
	}
	if rule.Value == "" {
		return true, nil
	}
	part, err := g.compile(rule.Value)
	if err != nil {
		return false, &PatternError{Rule: rule.Name, Line: rule.Line, Problem: err.Error()}
	}
	return part.MatchString(s.value), nil
}

// compile compiles a regular expression, once. Its errors quote nothing of it.
func (g *Guard) compile(pattern string) (*regexp.Regexp, error) {
	if re := g.compiled[pattern]; re != nil {
		return re, nil
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		if syntaxError, ok := errors.AsType[*syntax.Error](err); ok {
			return nil, errors.New(syntaxError.Code.String())
		}
		return nil, errors.New("it cannot be compiled")
	}
	if g.compiled == nil {
		g.compiled = make(map[string]*regexp.Regexp)
	}
	re.Longest() // for matchesWhole; whether there is a match does not depend on it
	g.compiled[pattern] = re
	return re, nil
}

// matchesWhole reports whether an expression of [Guard.compile] matches all of a value. Nothing
// is put around the expression, which could change what it means, as in "a)(b" or `\Qa`: if it
// matches all, then the leftmost of its longest matches is all.
func matchesWhole(re *regexp.Regexp, value string) bool {
	at := re.FindStringIndex(value)
	return at != nil && at[0] == 0 && at[1] == len(value)
}

// subject is a value that rules look at, and what they found in it.
type subject struct {
	key, value string
	declared   *project.Declaration // nil for none
	found      []string
	searched   bool
}

func (s *subject) isEnum() bool { return s.declared != nil && s.declared.Type == project.TypeEnum }

// hosts are looked for when the first rule asks.
func (s *subject) hosts() []string {
	if !s.searched {
		declared := s.declared != nil && s.declared.Type == project.TypeHost
		s.found, s.searched = findHosts(s.value, declared || namesHost(s.key)), true
	}
	return s.found
}

// glob reports whether a name matches a pattern, in which * is any text and ? is any character.
func glob(pattern, name string) bool {
	p, n := []rune(pattern), []rune(name)
	star, resume := -1, 0
	i := 0
	for j := 0; j < len(n); {
		switch {
		case i < len(p) && p[i] == '*':
			star, resume = i, j
			i++
		case i < len(p) && (p[i] == '?' || p[i] == n[j]):
			i++
			j++
		case star >= 0: // the last * takes one more
			resume++
			i, j = star+1, resume
		default:
			return false
		}
	}
	return strings.Trim(string(p[i:]), "*") == ""
}
