package guard

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"envcrypt/internal/project"
)

func TestGenerate(t *testing.T) {
	for spec, pattern := range map[string]string{
		"hex":             `^[0-9a-f]{64}$`,
		"hex:33":          `^[0-9a-f]{33}$`,
		"base64url":       `^[0-9A-Za-z_-]{43}$`,
		"base64url:22":    `^[0-9A-Za-z_-]{22}$`,
		"alphanumeric":    `^[0-9A-Za-z]{43}$`,
		"alphanumeric:99": `^[0-9A-Za-z]{99}$`,
		"words":           `^([bdfghjklmnprstvz][aiou][bdfghjklmnprstvz][aiou][bdfghjklmnprstvz](-|$)){12}$`,
		"words:8":         `^([bdfghjklmnprstvz][aiou][bdfghjklmnprstvz][aiou][bdfghjklmnprstvz](-|$)){8}$`,
	} {
		g, ok := project.ParseGenerator(spec)
		if !ok {
			t.Fatal(spec)
		}
		seen := make(map[string]bool)
		for range 100 {
			value := Generate(g)
			if seen[value] || !regexp.MustCompile(pattern).MatchString(value) {
				t.Errorf("%s: %q", spec, value)
			}
			seen[value] = true
		}
	}
}

// Every character comes up, each about as often as the others: had the bytes been
// taken modulo 62, the first eight would come up a quarter more often.
func TestGenerateIsUnbiased(t *testing.T) {
	const each = 4000
	for spec, alphabet := range map[string]string{
		"alphanumeric:4096": alphanumeric,
		"hex:4096":          "0123456789abcdef",
		"base64url:4096":    alphanumeric + "-_",
	} {
		g, _ := project.ParseGenerator(spec)
		var text strings.Builder
		for text.Len() < each*len(alphabet) {
			text.WriteString(Generate(g))
		}
		want := text.Len() / len(alphabet)
		for _, c := range alphabet {
			// Ten standard deviations: chance alone does not get there.
			if n := strings.Count(text.String(), string(c)); n < want*84/100 || n > want*116/100 {
				t.Errorf("%s: %q came up %d times, not about %d", spec, c, n, want)
			}
		}
	}
}

// The examples of the paper: 127.0.0.1 is lusab-babad.
func TestProquint(t *testing.T) {
	for bits, want := range map[uint32]string{
		0x7f000001: "lusab-babad",
		0x3f54dcc1: "gutih-tugad",
		0x3f760723: "gutuk-bisog",
		0x8c62c18d: "mudof-sakat",
		0x40ff06c8: "haguz-biram",
	} {
		if got := fmt.Sprintf("%s-%s", proquint(uint16(bits>>16)), proquint(uint16(bits))); got != want {
			t.Errorf("%08x is %q, not %q", bits, got, want)
		}
	}
}
