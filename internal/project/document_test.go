package project

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// around is what the pieces of policies in docs/policy.md need around them.
const around = `version = 1
[members.alice]
keys = ["age1n6pfc748wy6f2qud3y89fnu4vctvms74r5xt8nd67cmkdym7cyrsx7rjx4"]
[members.bob]
keys = ["KEY"]
[groups]
developers = ["alice"]
ops = ["bob"]
security = []
[environments.development]
readers = ["developers"]
[environments.staging]
readers = ["developers"]
`

// TestDocument parses every policy and every piece of one in docs/policy.md, and looks for the
// keys that the parser knows: each stands there, in a table or in the text.
func TestDocument(t *testing.T) {
	data, err := os.ReadFile("../../docs/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	blocks := regexp.MustCompile("(?ms)^```toml\n(.*?)^```$").FindAllStringSubmatch(text, -1)
	whole := 0
	for _, block := range blocks {
		policy := block[1]
		if strings.HasPrefix(policy, "version = ") {
			whole++
		} else {
			policy = strings.Replace(around, "KEY", publicKey(t), 1) + policy
		}
		if _, err := ParsePolicy(PolicyName, []byte(policy)); err != nil {
			t.Errorf("%v\n%s", err, policy)
		}
	}
	if whole == 0 || len(blocks) < 7 {
		t.Errorf("%d policies in %d blocks", whole, len(blocks))
	}

	for _, keys := range [][]string{memberKeys, environmentKeys, ruleKeys, declarationKeys, {"version", "default", "variable"}} {
		for _, key := range keys {
			if !strings.Contains(text, "\n| `"+key+"` | ") {
				t.Errorf("no table has %s", key)
			}
		}
	}
	for _, key := range policyKeys {
		known := slices.Contains([]string{"version", "default", "variable"}, key)
		if !known && !strings.Contains(text, "`["+key) {
			t.Errorf("the text has no [%s]", key)
		}
	}
	words := slices.Concat(checkKeys, builtinRules, alphabets)
	for _, typ := range types {
		words = append(words, string(typ))
	}
	for _, word := range words {
		if !strings.Contains(text, "`"+word+"`") && !strings.Contains(text, "."+word+"]`") {
			t.Errorf("the text has no %s", word)
		}
	}
}
