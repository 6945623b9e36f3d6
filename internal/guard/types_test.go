package guard

import (
	"encoding/base64"
	"strings"
	"testing"

	"envcrypt/internal/project"
)

func TestTypes(t *testing.T) {
	const block = "-----BEGIN X-----\nYWJj\n-----END X-----\n"
	large := strings.Repeat("a", 1<<20)
	for _, test := range []struct {
		of         project.Type
		yes, wrong []string
	}{
		{"", []string{"", "x", " ", large}, nil},
		{project.TypeString, []string{"", "x", "\n"}, nil},
		{project.TypeInt, []string{"0", "-1", "+7", "007", "9223372036854775807"},
			[]string{"", " 1", "1 ", "1.0", "1e3", "0x1", "1_000", "9223372036854775808", "one", large}},
		{project.TypeBool, []string{"true", "FALSE", "1", "0", "yes", "No", "on", "off", "t", "f", "y", "n"}, []string{"", "2", "maybe", " true", "truee"}},
		{project.TypePort, []string{"1", "80", "65535"}, []string{"", "0", "65536", "-1", "080", "+80", "http", "80/tcp", "80 "}},
		{project.TypeURL, []string{
			"https://example.com", "postgres://u:p@h:1/d", "mongodb://u:p@a:1,b:2/x?y=z", "mongodb+srv://a.example/x", "jdbc:postgresql://h/d",
			"mailto:a@example.com", "file:///etc/x", "unix:///run/x", "redis://[::1]:6379", "https://example.com/" + large, "urn:uuid:" + uuid,
		}, []string{
			"", "example.com", "/path", "//example.com", "https://", "https:///", "localhost:8080", "http://a b", "http://a\n", "C:\\x", "http://:80",
			"http://h:port/", "http://h/%zz", "://x", "x:", "a:1,b:2", "https://a:1,b c/",
		}},
		{project.TypeHost, []string{"localhost", "db", "db.example.com", "db.example.com.", "DB-1_x.internal", "10.0.0.1", "::1", "[::1]", "bücher.example"},
			[]string{"", "db:5432", "http://db", "a b", "a/b", "-a", "a..b", "1.2.3", "1.2.3.4.5", "256.1.1.1", "a,b", "u@db", "%41", large, strings.Repeat("a", 64)}},
		{project.TypeEmail, []string{"a@example.com", "first.last+tag@sub.example.com"},
			[]string{"", "a", "a@", "@b", "A <a@example.com>", "<a@example.com>", "a@b c", "a@example.com, b@example.com", " a@example.com", "(x)a@example.com"}},
		{project.TypeEnum, []string{"info", "debug"}, []string{"", "INFO", "info ", "warn"}},
		{project.TypeJSON, []string{"{}", "[1]", `"x"`, "1", "null", " {\"a\": 1}\n", `"` + large + `"`}, []string{"", "{", "{'a':1}", "x", "{}{}", "nul"}},
		{project.TypeBase64, []string{"YWJj", "YQ==", "YQ", "-_-_", "+/+/", "YWJj\nYWJj\n", base64.StdEncoding.EncodeToString([]byte(large))},
			[]string{"", "\n", "a", "YQ=", "YW Jj", "-_+/", "ä", "YWJj="}},
		{project.TypePEM, []string{block, block + "\n" + block, "\n " + block},
			[]string{"", " ", "x", "x\n" + block, block + "x", strings.ReplaceAll(block, "\n", `\n`), "-----BEGIN X-----\n" + block, block[:20], "-----BEGIN X-----\n!\n-----END X-----\n" + block}},
		{project.TypeDuration, []string{"30s", "1h30m", "30d", "2w", "0", "-5m", "1.5h", "100ms"}, []string{"", "30", "d", "1 h", "1d12h", "PT30S", "0d"}},
	} {
		d := &project.Declaration{Name: "K", Type: test.of, Values: []string{"info", "debug"}}
		for _, value := range test.yes {
			if problem := typeProblem(d, value); problem != "" {
				t.Errorf("%s %.60q: %s", test.of, value, problem)
			}
		}
		for _, value := range test.wrong {
			if problem := typeProblem(d, value); problem == "" {
				t.Errorf("%s %.60q is accepted", test.of, value)
			}
		}
	}
}
