package sopsconfig

import (
	"errors"
	"strings"
	"testing"

	"envcrypt/internal/project"
	"envcrypt/recipients"
)

// FuzzParse: there is a configuration or an error of the one type, never both; keys are
// public, names and environments are valid, and no error has more than a line of its own words.
func FuzzParse(f *testing.F) {
	const key = "age1nqwguee9lz03v4ya3qx560sl7ct32709e9g5a2gtshszgqd9rc4qxm280s"
	f.Add("creation_rules:\n  - path_regex: a\n    age: " + key + " # alice\n")
	f.Add("k: &a " + key + "\ncreation_rules:\n  - <<: {age: *a}\n    key_groups:\n      - age: [*a]\n      - merge: [{age: *a}]\n")
	f.Add("a: &a [*a]\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse([]byte(text))
		if err != nil {
			var e *Error
			if c != nil || !errors.As(err, &e) || strings.Contains(err.Error(), "\n") {
				t.Fatalf("got %v, %v", c, err)
			}
			return
		}
		for key, name := range c.names {
			if recipients.LooksPrivate(key.String()) || MemberName(name) != name {
				t.Errorf("%q is called %q", key, name)
			}
		}
		for _, name := range Environments(strings.Split(text, "\n")) {
			if name != "" && !project.ValidEnvironmentName(name) {
				t.Errorf("environment %q", name)
			}
		}
		c.RuleFor(text)
	})
}
