package sopsconfig

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"envcrypt/recipients"

	"filippo.io/age"
)

// canary stands in what is malformed: no error may show it.
const canary = "hunter2-canary"

// someKeys replaces $1, $2, … in a text by public keys.
func someKeys(t *testing.T, text string) (string, []recipients.Key) {
	t.Helper()
	var keys []recipients.Key
	for i := 1; i <= 5; i++ {
		id, err := age.GenerateX25519Identity()
		if err != nil {
			t.Fatal(err)
		}
		key, err := recipients.ParseKey(id.Recipient().String())
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
		text = strings.ReplaceAll(text, fmt.Sprintf("$%d", i), key.String())
	}
	return text, keys
}

// describe writes a configuration with its keys as $1, $2, ….
func describe(c *Config, keys []recipients.Key) string {
	number := func(key recipients.Key) string {
		for i, k := range keys {
			if k == key {
				return fmt.Sprintf("$%d", i+1)
			}
		}
		return "?"
	}
	var b strings.Builder
	for _, r := range c.Rules {
		fmt.Fprintf(&b, "%d:%s", r.Line, r.Pattern)
		for _, g := range r.Groups {
			b.WriteString(" [")
			for _, key := range g {
				b.WriteString(number(key))
			}
			b.WriteString("]")
		}
		fmt.Fprintf(&b, " %d %v %v %v\n", r.Quorum, r.Foreign, r.Partial, r.Shared)
	}
	for i, key := range keys {
		if name := c.Name(key); name != "" {
			fmt.Fprintf(&b, "$%d=%s ", i+1, name)
		}
	}
	return strings.TrimSpace(b.String())
}

func TestParse(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"nothing", "", ""},
		{"comments only", "# nothing\n", ""},
		{"comma", "creation_rules:\n  - path_regex: a\n    age: $1,$2 ,\n", "2:a [$1$2] 1 [] [] false"},
		{"folded", "creation_rules:\n  - age: >-\n      $1,\n      $2\n", "2: [$1$2] 1 [] [] false"},
		{"list", "creation_rules:\n  - age:\n      - $1 # alice\n      - $2 # Bob Smith <bob@example.com>\n", "2: [$1$2] 1 [] [] false\n$1=alice $2=Bob-Smith"},
		{"comments above", "creation_rules:\n  - age:\n      # alice\n      - $1\n      # bob's laptop\n      - $2\n", "2: [$1$2] 1 [] [] false\n$1=alice $2=bobs-laptop"},
		{"a heading", "creation_rules:\n  - age:\n      # developers\n      - $1\n      - $2\n", "2: [$1$2] 1 [] [] false"},
		{"anchors", "keys:\n  - &alice $1\n  - &bob $2 # Robert\ncreation_rules:\n  - age: [*alice, *bob]\n", "5: [$1$2] 1 [] [] false\n$1=alice $2=bob"},
		{"an alias with a comment", "keys:\n  - &a1 $1\ncreation_rules:\n  - age:\n      - *a1 # alice\n", "4: [$1] 1 [] [] false\n$1=a1"},
		{"anchored list", "d: &devs [$1, $2]\ncreation_rules:\n  - age: *devs\n  - age: [*devs, $3]\n", "3: [$1$2] 1 [] [] false\n4: [$1$2$3] 1 [] [] false"},
		{"merge", "x: &x\n  age: $1\ncreation_rules:\n  - <<: *x\n    path_regex: p\n", "4:p [$1] 1 [] [] false"},
		{"one key group", "creation_rules:\n  - key_groups:\n      - age: [$1, $2]\n", "2: [$1$2] 1 [] [] false"},
		{"key groups", "creation_rules:\n  - shamir_threshold: 2\n    key_groups:\n      - age: [$1]\n      - age: [$2]\n      - age: [$3]\n", "2: [$1] [$2] [$3] 2 [] [] false"},
		{"all groups", "creation_rules:\n  - key_groups:\n      - age: [$1]\n      - age: [$2]\n", "2: [$1] [$2] 2 [] [] false"},
		{"merged groups", "creation_rules:\n  - key_groups:\n      - merge:\n          - age: [$1]\n            pgp: [X]\n          - age: [$2, $1]\n", "2: [$1$2] 1 [pgp] [] false"},
		{"a key in two groups", "creation_rules:\n  - key_groups:\n      - age: [$1]\n      - age: [$1, $2]\n", "2: [$1] [$1$2] 2 [] [] true"},
		{"others", "creation_rules:\n  - age: $1\n    kms: arn\n    pgp: ''\n    hc_vault_transit_uri: u\n    encrypted_regex: ^x\n", "2: [$1] 1 [kms hc_vault_transit_uri] [encrypted_regex] false"},
		{"none of age", "creation_rules:\n  - kms: [a, b]\n", "2: [] 1 [kms] [] false"},
		{"name after the key", "creation_rules:\n  - age: $1 # ci\n", "2: [$1] 1 [] [] false\n$1=ci"},
		{"a sentence", "creation_rules:\n  - age: $1 # this is the old key of the server\n", "2: [$1] 1 [] [] false"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text, keys := someKeys(t, tt.text)
			c, err := Parse([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			if got := describe(c, keys); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	bomb := "a: &a0 [x]\n"
	for i := range 12 {
		bomb += fmt.Sprintf("b%d: &a%d [%s]\n", i, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i), 10), ","))
	}
	tests := []struct{ name, text, want string }{
		{"no YAML", "creation_rules:\n  - age: [" + canary + "\n", "line 1: this is not YAML"},
		{"an unknown alias", "a: *" + canary + "\n", "this is not YAML"},
		{"no mapping", "- " + canary + "\n", "line 1: not a mapping with creation_rules"},
		{"rules that are none", "creation_rules: " + canary + "\n", "line 1: creation_rules is not a list"},
		{"a rule that is none", "creation_rules:\n  - " + canary + "\n", "line 2: a rule of creation_rules is not a mapping"},
		{"a group that is none", "creation_rules:\n  - key_groups: [" + canary + "]\n", "line 2: a group of key_groups is not a mapping"},
		{"a bad key", "creation_rules:\n  - age: age1" + canary + "\n", "line 2: an age key: malformed age key"},
		{"no key", "creation_rules:\n  - age: " + canary + "\n", "line 2: an age key: not a public key"},
		{"keys that are none", "creation_rules:\n  - age: {a: " + canary + "}\n", "line 2: age is neither a text nor a list"},
		{"a private key", "creation_rules:\n\n  # AGE-SECRET-KEY-1" + canary + "\n", "line 3: a private key"},
		{"a bad pattern", "creation_rules:\n  - path_regex: '(" + canary + "'\n", "line 2: path_regex is not a regular expression"},
		{"a look-ahead", "creation_rules:\n  - path_regex: '(?!" + canary + ")'\n", "line 2: path_regex is not a regular expression"},
		{"twice", "creation_rules:\n  - age: ''\n    age: " + canary + "\n", "line 3: age stands twice"},
		{"a threshold", "creation_rules:\n  - shamir_threshold: 3\n    key_groups: [{kms: [x]}, {kms: [y]}]\n", "line 2: shamir_threshold is not between"},
		{"an alias bomb", bomb + "creation_rules:\n  - age: *a12\n", "line 1: an age key"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := Parse([]byte(tt.text))
			var e *Error
			if c != nil || !errors.As(err, &e) || !strings.HasPrefix(err.Error(), tt.want) {
				t.Fatalf("got %v", err)
			}
			if strings.Contains(err.Error(), canary) {
				t.Errorf("it quotes the file: %v", err)
			}
		})
	}
	bomb = strings.Replace(bomb, "[x]", "['']", 1)
	if _, err := Parse([]byte(bomb + "creation_rules:\n  - age: *a12\n")); err == nil || !strings.HasSuffix(err.Error(), "too much, or nested too deep") {
		t.Errorf("an alias bomb: %v", err)
	}
}

func TestRuleFor(t *testing.T) {
	c, err := Parse([]byte("creation_rules:\n  - path_regex: ^prod/.*\\.env$\n  - path_regex: \\.env$\n  - {}\n"))
	if err != nil {
		t.Fatal(err)
	}
	for path, line := range map[string]int{"prod/a.env": 2, "x/prod/a.env": 3, "a.yaml": 4} {
		if r := c.RuleFor(path); r == nil || r.Line != line {
			t.Errorf("%s: got %+v", path, r)
		}
	}
	c.Rules = c.Rules[:2]
	if r := c.RuleFor("a.yaml"); r != nil {
		t.Errorf("got %+v", r)
	}
}

func TestManyRules(t *testing.T) {
	const rules = 1000
	text, _ := someKeys(t, strings.Repeat("  - path_regex: ^a$\n    age: $1,$2,$3\n", rules))
	c, err := Parse([]byte("creation_rules:\n" + text))
	if err != nil || len(c.Rules) != rules {
		t.Fatal(err)
	}
}
