//go:build cases

package envfile

import (
	"encoding/json"
	"os"
	"testing"
)

// Inputs on which eight other parsers agree, in the file that ENVCRYPT_CASES names.
func TestCases(t *testing.T) {
	text, err := os.ReadFile(os.Getenv("ENVCRYPT_CASES"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Name, Input, From string
		Expect            map[string]string
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) == 0 {
		t.Fatal("no cases")
	}
	for _, c := range cases {
		f, err := Parse([]byte(c.Input))
		if err != nil {
			t.Errorf("%s (%s): %v", c.Name, c.From, err)
			continue
		}
		vars := varsOf(f)
		if len(vars) != len(c.Expect) {
			t.Errorf("%s (%s): %d variables, not %d", c.Name, c.From, len(vars), len(c.Expect))
		}
		for _, v := range vars {
			if want, found := c.Expect[v.Key]; !found || v.Value != want {
				t.Errorf("%s (%s): %s is %q, not %q", c.Name, c.From, v.Key, v.Value, want)
			}
		}
	}
}
