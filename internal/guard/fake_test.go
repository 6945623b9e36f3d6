package guard

import (
	"regexp"
	"strings"
	"testing"

	"envcrypt/internal/project"
)

func TestFake(t *testing.T) {
	for _, test := range []struct {
		d    project.Declaration
		want string // an expression for the whole value
	}{
		{project.Declaration{Example: "abc"}, "abc"},
		{project.Declaration{Type: project.TypeInt, Example: "abc"}, "[0-9]+"}, // its example is wrong
		{project.Declaration{Example: "sk_live_abcdefgh"}, "fake-.*"},          // a live key is no example
		{project.Declaration{Type: project.TypeBool}, "true"},
		{project.Declaration{Type: project.TypePort}, "[0-9]{5}"},
		{project.Declaration{Type: project.TypeURL, MinLength: 200}, `https://[a-z]+\.example\.com/.{150,}`},
		{project.Declaration{Type: project.TypeHost}, `[a-z]+\.example\.test`},
		{project.Declaration{Type: project.TypeEmail}, `[a-z0-9.]+@example\.com`},
		{project.Declaration{Type: project.TypeEnum, Values: []string{"x", "long"}, MinLength: 2}, "long"},
		{project.Declaration{Type: project.TypeJSON, MinLength: 50}, `\{.{48,}\}`},
		{project.Declaration{Type: project.TypeBase64, MinLength: 50}, "[A-Za-z0-9+/=]{50,}"},
		{project.Declaration{Type: project.TypePEM}, `(?s)-----BEGIN EXAMPLE-----\n.*`},
		{project.Declaration{Type: project.TypeDuration}, "[0-9]+s"},
		{project.Declaration{MinLength: 300}, "(?s).{300,}"},
		{project.Declaration{MinLength: 1 << 20}, "fake-.*"},
		{project.Declaration{Type: project.TypeString, Pattern: "[A-Z]{3}-[0-9]{4}"}, "[A-Z]{3}-[0-9]{4}"},
		{project.Declaration{Pattern: "^(?i)abc(d|e)?[^a-z]+$"}, "(?i)abc(d|e)?[^a-z]+"},
		{project.Declaration{Pattern: "[a-z]+", MinLength: 100}, "[a-z]{100,}"},
		{project.Declaration{Pattern: `\d{2,}`, Type: project.TypePort}, `\d{2,5}`},
		{project.Declaration{Pattern: `(sk|rk)_(live|test)_\w{24}`}, `(sk|rk)_test_\w{24}`},
		{project.Declaration{Pattern: `https://.*`, Type: project.TypeURL}, `https://.*`},
		{project.Declaration{Pattern: `.*@example\.com`, Type: project.TypeEmail}, `.*@example\.com`},
		{project.Declaration{Pattern: `\p{Greek}+`}, `\p{Greek}+`},
		{project.Declaration{Pattern: `\bab\b`}, `ab`},
	} {
		d := test.d
		d.Name = "KEY"
		value, ok := Fake(&d, d.Name, "staging")
		if !ok || !regexp.MustCompile(`^(?:`+test.want+`)$`).MatchString(value) {
			t.Errorf("%+v: %q, %t", test.d, value, ok)
		}
		if again, _ := Fake(&d, d.Name, "development"); again != value {
			t.Errorf("%+v: %q, then %q", test.d, value, again)
		}
	}
}

func TestFakeSaysWhatItCannot(t *testing.T) {
	for _, d := range []project.Declaration{
		{Pattern: "("},
		{Pattern: "a", MinLength: 2},
		{Pattern: "[a-z]+", Type: project.TypeInt},
		{Pattern: `sk_live_\w{24}`}, // which development refuses
		{Pattern: `[^\x00-\x{10FFFF}]`},
		{Pattern: `a\bb`},
		{Type: project.TypeBool, MinLength: 9},
		{Type: project.TypeEnum},
	} {
		if value, ok := Fake(&d, "K", ""); ok {
			t.Errorf("%+v: %q", d, value)
		}
	}
}

// TestFakeByName: what is not declared gets a value that suits its name and breaks no rule of
// development.
func TestFakeByName(t *testing.T) {
	for key, want := range map[string]string{
		"DATABASE_URL":    `postgres://.*@db\.example\.test:5432/app`,
		"REDIS_URL":       `redis://.*\.example\.test.*`,
		"PROD_API_URL":    `https://[a-z]+\.example\.com/`,
		"PGHOST":          `[a-z]+\.example\.test`,
		"DB_PORT":         `[0-9]{5}`,
		"ADMIN_EMAIL":     `.*@example\.com`,
		"DB_NAME":         `app`,
		"SENDER_NAME":     `[A-Z][a-z]+ [A-Z][a-z]+`,
		"DB_PASSWORD":     `fake-.{12,}`,
		"API_TOKEN_2":     `fake-.{12,}`,
		"STRIPE_KEY":      `fake-.{12,}`,
		"SUPPORT_PHONE":   `\+1-202-555-01[0-9]{2}`,
		"CLIENT_IP":       `192\.0\.2\.[0-9]+`,
		"FEATURE_ENABLED": `true`,
		"KAFKA_BROKERS":   `one\.example\.test:9092,.*`,
		"SOMETHING":       `fake-.+`,
		"":                `fake-.+`,
	} {
		value, ok := Fake(nil, key, "staging")
		if !ok || !regexp.MustCompile(`^(?:`+want+`)$`).MatchString(value) {
			t.Errorf("%s: %q, %t", key, value, ok)
		}
		violations, err := New(&project.Policy{}, project.Environment{Name: "development"}).Check(key, value)
		if err != nil || len(violations) > 0 {
			t.Errorf("%s=%s: %v, %v", key, value, violations, err)
		}
	}
}

// TestFakesDiffer where they have to, and stay the same from one version to the next.
func TestFakesDiffer(t *testing.T) {
	d := &project.Declaration{Name: "K", Unique: true}
	a, _ := Fake(d, "K", "development")
	b, _ := Fake(d, "K", "staging")
	c, _ := Fake(nil, "OTHER", "staging")
	if a == b || a == c || b == c {
		t.Errorf("%s %s %s", a, b, c)
	}
	if value, _ := Fake(nil, "DB_PASSWORD", ""); value != "fake-saffron-canyon-cedar-pine-5739" {
		t.Errorf("DB_PASSWORD is %s now", value)
	}
}

// FuzzFake: what Fake is content with, meets the declaration and the rules.
func FuzzFake(f *testing.F) {
	for _, pattern := range []string{"[a-z]+", "(a|b)*c{2,5}", `^\w+$`, "(?i)x", `\bx\b`, "((a{9}){9}){9}", "(a*)*", "[^a]", "(?s).", "sk_live_a"} {
		f.Add(pattern, 3, "KEY")
	}
	f.Fuzz(func(t *testing.T, pattern string, length int, key string) {
		if length < 0 || length > 1000 || len(pattern) > 200 {
			return
		}
		d := &project.Declaration{Name: key, Pattern: pattern, MinLength: length}
		value, ok := Fake(d, key, "")
		if again, _ := Fake(d, key, ""); again != value {
			t.Fatalf("%q, then %q", value, again)
		}
		if !ok {
			return
		}
		if _, err := regexp.Compile(pattern); err != nil {
			t.Fatalf("%q matches no expression", value)
		}
		if whole, err := regexp.Compile(`\A(?:` + pattern + `)\z`); err == nil && !strings.Contains(pattern, `\Q`) && pattern != "" && !whole.MatchString(value) {
			t.Fatalf("%q does not match", value)
		}
		if len(value) < length {
			t.Fatalf("%q is too short", value)
		}
		if violations, err := New(&project.Policy{}, project.Environment{}).CheckRules(key, value); err != nil || len(violations) > 0 {
			t.Fatal(violations, err)
		}
	})
}
