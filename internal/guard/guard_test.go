package guard

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"filippo.io/age"

	"envcrypt/internal/project"
)

// parse returns a policy with development, staging and production, and what else is said.
func parse(t testing.TB, more string) *project.Policy {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	text := "version = 1\n[members.a]\nkeys = [\"" + id.Recipient().String() + "\"]\n"
	for _, name := range []string{"development", "staging", "production"} {
		if !strings.Contains(more, "[environments."+name+"]") {
			text += "[environments." + name + "]\nreaders = [\"a\"]\n"
		}
	}
	p, err := project.ParsePolicy("envcrypt.toml", []byte(text+more))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func guardOf(t testing.TB, p *project.Policy, env string) *Guard {
	t.Helper()
	e, err := p.Environment(env)
	if err != nil {
		t.Fatal(err)
	}
	return New(p, e)
}

func rulesOf(violations []Violation) string {
	var names []string
	for _, v := range violations {
		names = append(names, v.Rule)
	}
	return strings.Join(names, " ")
}

func TestIsProduction(t *testing.T) {
	for _, test := range []struct {
		name, kind string
		want       bool
	}{
		{"production", "", true},
		{"prod", "", true},
		{"eu-prod2", "", true},
		{"prd_us", "", true},
		{"staging", "", false},
		{"product", "", false},
		{"reproduce-prods", "", false},
		{"live", "", false},
		{"live", project.KindProduction, true},
		{"production", project.KindDevelopment, false},
	} {
		if got := IsProduction(project.Environment{Name: test.name, Kind: test.kind}); got != test.want {
			t.Errorf("%s %s: %t", test.name, test.kind, got)
		}
	}
}

func TestBuiltinRules(t *testing.T) {
	p := parse(t, `[keys.DB]
type = "host"
[keys.MODE]
type = "enum"
values = ["password", "token"]
`)
	for _, test := range []struct{ env, key, value, want string }{
		{"development", "STRIPE", "sk_live_abc123", "live-keys"},
		{"staging", "STRIPE", "sk_live_abc123", "live-keys"},
		{"production", "STRIPE", "sk_live_abc123", ""},
		{"production", "STRIPE", "sk_test_abc123", "test-keys"},
		{"development", "STRIPE", "sk_test_abc123", ""},
		{"development", "DATABASE_URL", "postgres://u:p@prod-db:5432/x", "production-hosts"},
		{"production", "DATABASE_URL", "postgres://u:p@prod-db:5432/x", ""},
		{"development", "DATABASE_URL", "postgres://u:sk_live_abc@prod-db:5432/x", "live-keys production-hosts"},
		{"production", "DATABASE_URL", "postgres://u:p@localhost:5432/x", "local-hosts"},
		{"development", "DATABASE_URL", "postgres://u:p@localhost:5432/x", ""},
		{"production", "LISTEN_ADDR", "127.0.0.1:8080", ""},
		{"production", "ADDR", "127.0.0.1:8080", "local-hosts"},
		{"production", "PASSWORD", "changeme", "placeholders"},
		{"development", "PASSWORD", "changeme", ""},
		{"production", "MODE", "password", ""},
		{"development", "DB", "prod", "production-hosts"},
		{"development", "DB_HOST", "prod", "production-hosts"},
		{"development", "NAME", "prod", ""},
		{"production", "PASSWORD", "", ""},
	} {
		violations, err := guardOf(t, p, test.env).CheckRules(test.key, test.value)
		if got := rulesOf(violations); err != nil || got != test.want {
			t.Errorf("%s %s=%s: %s, %v", test.env, test.key, test.value, got, err)
		}
	}
}

func TestDisable(t *testing.T) {
	p := parse(t, `[environments.development]
readers = ["a"]
disable = ["live-keys", "production-hosts"]
[environments.production]
readers = ["a"]
disable = ["test-keys", "local-hosts", "placeholders"]
`)
	for env, values := range map[string][]string{
		"development": {"sk_live_abc", "prod-db:1"},
		"production":  {"sk_test_abc", "localhost", "changeme"},
	} {
		for _, value := range values {
			if violations, err := guardOf(t, p, env).CheckRules("K", value); err != nil || len(violations) > 0 {
				t.Errorf("%s %s: %v, %v", env, value, violations, err)
			}
			other := map[string]string{"development": "staging", "production": "production"}[env]
			if violations, _ := New(&project.Policy{}, project.Environment{Name: other}).CheckRules("K", value); len(violations) != 1 {
				t.Errorf("%s %s is refused by nothing", other, value)
			}
		}
	}
}

func TestDenyRules(t *testing.T) {
	p := parse(t, `[[environments.staging.deny]]
key = "DATABASE_*"
host = "*.CORP.internal"
message = "not the office's databases"
[[environments.staging.deny]]
name = "no-x"
value = "x{3}$"
[[environments.staging.deny]]
name = "all"
key = "A?C"
host = "h"
value = "^p"
[[environments.staging.deny]]
name = "gone"
key = "OLD_*"
`)
	g := guardOf(t, p, "staging")
	for _, test := range []struct{ key, value, want string }{
		{"DATABASE_URL", "postgres://u:p@DB.corp.internal/x", "deny-1"},
		{"DATABASE_URL", "postgres://u:p@corp.internal/x", ""},
		{"database_url", "postgres://u:p@db.corp.internal/x", ""},
		{"CACHE_URL", "redis://db.corp.internal", ""},
		{"X", "aaxxx", "no-x"},
		{"X", "xxxa", ""},
		{"ABC", "pg://h/x", "all"},
		{"ABC", "qg://h/x", ""},
		{"ABC", "pg://i/x", ""},
		{"ABBC", "pg://h/x", ""},
		{"OLD_KEY", "", "gone"},
		{"OLD_DATABASE_URL", "pg://db.corp.internal/xxx", "no-x gone"},
	} {
		violations, err := g.CheckRules(test.key, test.value)
		if got := rulesOf(violations); err != nil || got != test.want {
			t.Errorf("%s=%s: %s, %v", test.key, test.value, got, err)
		}
	}
	violations, _ := g.CheckRules("DATABASE_URL", "pg://db.corp.internal")
	want := Violation{Key: "DATABASE_URL", Rule: "deny-1", Problem: "not the office's databases", Line: p.Environments[len(p.Environments)-2].Deny[0].Line}
	if len(violations) != 1 || violations[0] != want || want.Line == 0 {
		t.Errorf("%+v, want %+v", violations, want)
	}
}

// TestInvalidPatterns: they are found when they are needed, by their line, and never quoted.
func TestInvalidPatterns(t *testing.T) {
	p := parse(t, `[keys.K]
pattern = "hunter2("
[[environments.staging.deny]]
name = "bad"
key = "X_*"
value = "hunter2)("
`)
	g := guardOf(t, p, "staging")
	for _, key := range []string{"OTHER", "K"} {
		if _, err := g.CheckRules(key, "v"); err != nil {
			t.Errorf("%s: %v", key, err)
		}
	}
	if _, err := g.CheckDeclared("X_1", "v"); err != nil {
		t.Error(err)
	}
	rule, _ := p.Environment("staging")
	for key, want := range map[string]PatternError{
		"X_1": {Rule: "bad", Line: rule.Deny[0].Line, Problem: "unexpected )"},
		"K":   {Key: "K", Line: p.Keys[0].Line, Problem: "missing closing )"},
	} {
		violations, err := g.Check(key, "v")
		e, ok := errors.AsType[*PatternError](err)
		if !ok || *e != want || violations != nil {
			t.Errorf("%s: %+v, %v", key, e, violations)
		}
		if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), fmt.Sprintf("line %d of the policy", want.Line)) {
			t.Errorf("%s: %v", key, err)
		}
	}
}

// TestPatternsAreCompiledOnce, and only when a value has to be looked at.
func TestPatternsAreCompiledOnce(t *testing.T) {
	p := parse(t, "[[environments.staging.deny]]\nkey = \"X_*\"\nhost = \"h\"\nvalue = \"a+\"\n")
	g := guardOf(t, p, "staging")
	for _, item := range [][2]string{{"Y", "a"}, {"X_1", "a"}} {
		if _, err := g.CheckRules(item[0], item[1]); err != nil || g.compiled != nil {
			t.Fatalf("%v: compiled, %v", item, err)
		}
	}
	for range 2 {
		before := g.compiled["a+"]
		if violations, err := g.CheckRules("X_1", "aa://h/"); err != nil || len(violations) != 1 {
			t.Fatal(violations, err)
		}
		if before != nil && g.compiled["a+"] != before {
			t.Error("compiled twice")
		}
	}
}

func TestDeclared(t *testing.T) {
	p := parse(t, `[keys.K]
type = "int"
pattern = "[0-4]+|9"
min_length = 2
[keys.Q]
pattern = '\Qa.b'
[keys.M]
pattern = '(?m)^a$|b|bc'
`)
	g := guardOf(t, p, "development")
	for _, test := range []struct{ key, value, want string }{
		{"K", "12", ""},
		{"K", "9", "min_length"},
		{"K", "x", "type pattern min_length"},
		{"K", "", "type pattern min_length"},
		{"K", "129", "pattern"},
		{"K", "12\n", "type pattern"},
		{"Q", "a.b", ""},
		{"Q", "a.b)", "pattern"},
		{"M", "a", ""},
		{"M", "a\nb", "pattern"},
		{"M", "bc", ""},
		{"OTHER", "", ""},
	} {
		violations, err := g.CheckDeclared(test.key, test.value)
		if got := rulesOf(violations); err != nil || got != test.want {
			t.Errorf("%s=%s: %s, %v", test.key, test.value, got, err)
		}
		for _, v := range violations {
			if !v.Declared || v.Line == 0 || v.Key != test.key {
				t.Errorf("%+v", v)
			}
		}
	}
	both, err := guardOf(t, p, "production").Check("K", "changeme")
	if rulesOf(both) != "type pattern placeholders" || err != nil {
		t.Errorf("%v, %v", both, err)
	}
}

// TestNoValueInProblems: no message has a part of a value in it, nor a host.
func TestNoValueInProblems(t *testing.T) {
	p := parse(t, `[keys.K]
type = "url"
pattern = "a"
min_length = 90
[[environments.development.deny]]
host = "*"
`)
	value := "zq7 http://zq7:zq7@prod-zq7.example/zq7 sk_live_zq7"
	violations, err := guardOf(t, p, "development").Check("K", value)
	if err != nil || rulesOf(violations) != "type pattern min_length live-keys production-hosts deny-1" {
		t.Fatal(violations, err)
	}
	for _, v := range violations {
		if strings.Contains(v.String(), "zq7") || strings.Contains(v.String(), "prod-") || strings.Contains(v.String(), "sk_live") {
			t.Error(v)
		}
	}
}

func TestGlob(t *testing.T) {
	for _, test := range []struct {
		pattern, name string
		want          bool
	}{
		{"*", "", true}, {"*", "abc", true}, {"a*", "abc", true}, {"*c", "abc", true}, {"a*c", "ac", true}, {"a?c", "abc", true},
		{"a?c", "ac", false}, {"", "", true}, {"", "a", false}, {"a", "A", false}, {"*.b", "b", false}, {"*a*b", "xaxaxb", true},
		{"?", "é", true}, {"**", "", true}, {"[a]", "a", false}, {"[a]", "[a]", true}, {`\*`, "*", false},
	} {
		if glob(test.pattern, test.name) != test.want {
			t.Errorf("%s %s: %t", test.pattern, test.name, !test.want)
		}
	}
	if glob(strings.Repeat("*a", 1000)+"b", strings.Repeat("a", 10000)) {
		t.Error("matched")
	}
}

func TestValidate(t *testing.T) {
	p := parse(t, `[keys.GOOD]
type = "int"
pattern = "[0-9]+"
example = "12"
[keys.PATTERN]
pattern = "("
example = "x"
[keys.EXAMPLE]
type = "int"
pattern = "[0-9]{3}"
min_length = 3
example = "x"
[keys.LEVEL]
type = "enum"
values = ["info", "DEBUG"]
pattern = "[a-z]+"
[keys.GENERATED]
generate = "hex:32"
pattern = "[A-Z]+"
[keys.BASE64]
type = "base64"
generate = "base64url:33"
[keys.WORDS]
generate = "words"
[keys.FITS]
generate = "alphanumeric"
pattern = "[A-Za-z0-9]{43}"
[[environments.staging.deny]]
value = "["
[[environments.staging.deny]]
key = "NOTHING_*"
`)
	var got []string
	for _, problem := range Validate(p) {
		if problem.Line == 0 {
			t.Errorf("%+v has no line", problem)
		}
		got = append(got, problem.Environment+problem.Key+" "+problem.Rule+": "+problem.Text)
	}
	const own = " that its own declaration refuses: it "
	want := []string{
		"PATTERN : has a pattern that is no regular expression: missing closing )",
		"EXAMPLE : has an example" + own + "is not a whole number of at most 64 bits",
		"EXAMPLE : has an example" + own + "does not match the pattern of its declaration",
		"EXAMPLE : has an example" + own + "is shorter than 3 bytes",
		"LEVEL : has among its values one" + own + "does not match the pattern of its declaration",
		"GENERATED : generates values that its own declaration refuses",
		"BASE64 : generates values that its own declaration refuses",
		"staging deny-1: has a value that is no regular expression: missing closing ]",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// BenchmarkCheck is 10 000 values against 20 deny rules, the built-in ones and 50 declarations.
func BenchmarkCheck(b *testing.B) {
	var text strings.Builder
	for i := range 50 {
		fmt.Fprintf(&text, "[keys.DECLARED_%d]\ntype = \"url\"\npattern = \"[a-z]+://.*\"\n", i)
	}
	for i := range 20 {
		fmt.Fprintf(&text, "[[environments.staging.deny]]\nvalue = \"forbidden-%d-[a-z]+\"\nhost = \"*.forbidden%d.*\"\n", i, i)
		if i%2 == 0 {
			fmt.Fprintf(&text, "[[environments.production.deny]]\nvalue = \"(?i)forbidden-%d-[a-z]+\"\n", i)
		} else {
			fmt.Fprintf(&text, "[[environments.production.deny]]\nhost = \"*.forbidden%d.*\"\n", i)
		}
	}
	p := parse(b, text.String())
	for _, env := range []string{"staging", "production"} {
		b.Run(env, func(b *testing.B) {
			for b.Loop() {
				g := guardOf(b, p, env)
				for i := range 10000 {
					key := fmt.Sprintf("KEY_%d", i)
					if i%200 == 0 {
						key = fmt.Sprintf("DECLARED_%d", i/200)
					}
					violations, err := g.Check(key, "postgres://user:a-password-of-some-length@db.example.com:5432/name")
					if err != nil || len(violations) > 0 {
						b.Fatal(violations, err)
					}
				}
			}
		})
	}
}
