package guard

import (
	"os"
	"slices"
	"strings"
	"testing"
)

const (
	alnum30 = "abcdefghijABCDEFGHIJ0123456789"
	uuid    = "0d1c3a52-1b0f-4c51-9b6e-0a5ad1c9b7f4"
)

func TestKeysOfProviders(t *testing.T) {
	const live, test, neither = "live", "test", ""
	for value, want := range map[string]string{
		"sk_live_abc": live, "rk_live_" + alnum30: live, "pk_live_abc": live,
		"sk_test_abc": test, "rk_test_abc": test, "pk_test_abc": test,
		"rzp_live_abc": live, "rzp_test_abc": test,
		"live_" + alnum30: live, "test_" + alnum30: test,
		"sq0atp-" + alnum30: live, "sandbox-sq0idb-" + alnum30: test,
		"access_token$production$abc$def": live, "access_token$sandbox$abc$def": test,
		"sk_sbox_" + alnum30:        test,
		"access-production-" + uuid: live, "access-sandbox-" + uuid: test,
		"FLWSECK-" + alnum30 + "-X": live, "FLWSECK_TEST-" + alnum30 + "-X": test,
		"xnd_production_" + alnum30: live, "xnd_development_" + alnum30: test,
		"Mid-server-" + alnum30: live, "SB-Mid-server-" + alnum30: test,
		"shippo_live_" + alnum30: live, "duffel_test_" + alnum30: test,
		"https://sk_live_abc:@api.example.com/v1": live,
		`{"key":"sk_test_abc"}`:                   test,
		"a=1;key=rk_live_abc":                     live,
		"xxsk_live_ sk_live_1":                    live,

		"": neither, "sk_live_": neither, "sk_live": neither, "SK_LIVE_abc": neither, "keys begin with sk_live_, there": neither,
		"task_live_view": neither, "my_pk_test_x": neither, "risk-sk_live_abc": neither,
		"live_view": neither, "test_database_for_the_integration_suite": neither, "live_" + alnum30[:20]: neither, "alive_" + alnum30: neither,
		"access-production-logs": neither, "EZAK": neither, "prod": neither, "test": neither, "https://live.example.com/test_1": neither,
		"sk_" + alnum30: neither, "whsec_" + alnum30: neither, "AC" + strings.Repeat("0a", 16): neither,
	} {
		_, isLive := findKey(value, true)
		_, isTest := findKey(value, false)
		if isLive != (want == live) || isTest != (want == test) {
			t.Errorf("%s: live %t, test %t, want %q", value, isLive, isTest, want)
		}
	}
	for _, shape := range keyShapes {
		tail := strings.Repeat("a1", 1+shape.least/2)
		if provider, found := findKey("x:"+shape.prefix+tail, shape.live); !found || provider == "" {
			t.Errorf("%s is not found", shape.prefix)
		}
		if _, found := findKey(shape.prefix+tail, !shape.live); found {
			t.Errorf("%s is both", shape.prefix)
		}
	}
}

func TestPlaceholders(t *testing.T) {
	for value, want := range map[string]bool{
		"changeme": true, "change-me": true, "CHANGE_ME": true, " Change Me\n": true, "password": true, "Passw0rd": true, "secret": true,
		"xxx": true, "XXXXXXXX": true, "***": true, "...": true, "todo": true, "TBD": true, "fixme": true, "example": true, "placeholder": true,
		"your-api-key-here": true, "your_token": true, "insert-key-here": true, "<password>": true, "<your key>": true, "dummy": true,
		"test": true, "123456": true, "foobar": true,
		"": false, " ": false, "x": false, "xx": false, "5432": false, "1234": false, "example.com": false, "test.example.com": false,
		"passwords": false, "the-secret": false, "your.example.com": false, "https://your-shop.example/": false, "<b>bold</b>": false,
		"<note/>": false, "admin": false, "token": false, "api-key": false, "default": false, "none": false, "xxxy": false, "where": false, "sphere": false,
		"correct-horse-battery-staple": false, "testing-ground-7": false,
		strings.Repeat("x", 1000): false,
	} {
		if isPlaceholder(value) != want {
			t.Errorf("%q: %t", value, !want)
		}
	}
}

func TestLooksSecret(t *testing.T) {
	const random = "q7Zr2LxV9mTb4KpW8nYc"
	hex := strings.Repeat("0f3a9c57", 8)
	for _, test := range []struct {
		name, value string
		want        bool
	}{
		{"X", "-----BEGIN OPENSSH PRIVATE KEY-----\nx", true},
		{"X", "AGE-SECRET-KEY-1QQQ", true},
		{"X", "AKIA" + "ABCDEFGHIJKLMNOP", true},
		{"X", "ghp_" + alnum30 + "123456", true},
		{"X", "xoxb-" + "1234567890-abc", true},
		{"X", "sk_live_" + "abcdefgh", true},
		{"X", "glpat-" + alnum30, true},
		{"X", "AIza" + alnum30 + "12345", true},
		{"X", "token=ghs_" + alnum30 + "123456", true},
		{"X", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", true},
		{"X", "https://hooks.slack.com/services/" + "T0/B0/" + alnum30, true},
		{"X", "postgres://u:hunter2@db/x", true},
		{"X", "redis://:hunter2@cache", true},
		{"X", "u:hunter2@tcp(db:3306)/x", true},
		{"X", "Server=db;User=u;Password=hunter2;", true},
		{"X", "host=db password=hunter2", true},
		{"DB_PASSWORD", "hunter2", true},
		{"API_TOKEN", "abcdefgh", true},
		{"SESSION_SECRET", "some-words-only", true},
		{"SIGNING_KEY", "abcdef123456", true},
		{"X", random, true},
		{"X", "k3j9x7q2m5v8b4n6z1w0r", true},
		{"X", hex, true},
		{"X", "mJ8/kQ2+vT5wRz7Yb3NcXg==", true},

		{"X", "", false},
		{"DB_PASSWORD", "", false},
		{"DB_PASSWORD", "changeme", false},
		{"DB_PASSWORD", "/run/secrets/db", false},
		{"TOKEN", "true", false},
		{"RESET_TOKEN_TTL", "900", false},
		{"SESSION_TOKEN", "30d", false},
		{"TOKEN_URL", "https://auth.example.com/token", false},
		{"PUBLIC_KEY", "abcdef1234567890", false},
		{"STRIPE_PUBLISHABLE_KEY", "pk_live_abcdefgh1234", false},
		{"CACHE_KEY", "users:v1:something", false},
		{"SORT_KEY", "created_at", false},
		{"X", "https://example.com/path?q=1", false},
		{"X", "postgres://u@db/x", false},
		{"X", "postgres://u:password@localhost/x", false},
		{"X", "postgres://u:${DB_PASSWORD}@db/x", false},
		{"X", "https://0123456789abcdef0123456789abcdef@o1.ingest.example.com/1", false},
		{"X", "1.24.3-alpine3.20", false},
		{"VERSION", "v2.0.0-rc.1+build.20260101", false},
		{"GIT_COMMIT", "0f3a9c570f3a9c570f3a9c570f3a9c570f3a9c57", false},
		{"X", "0f3a9c570f3a9c570f3a9c570f3a9c570f3a9c57", false},
		{"IMAGE_SHA256", hex, false},
		{"X", "registry.example.com/app@sha256:" + hex, false},
		{"X", uuid, false},
		{"X", "*/15 0-6 1,15 * 1-5", false},
		{"X", "2026-01-02T03:04:05.000Z", false},
		{"X", "/usr/local/Cellar/python3.11/3.11.4/bin", false},
		{"X", "my-service-production-eu-west-1", false},
		{"X", "MyCompanyServiceName2024Production", false},
		{"X", "d111111abcdef8.cloudfront.net", false},
		{"X", "myapp-7f9c6d5b4d-x2x8k.internal", false},
		{"X", "arn:aws:iam::123456789012:role/deployRole2", false},
		{"X", "12345678901234567890123", false},
		{"X", "the quick brown fox jumps over 13 lazy dogs", false},
		{"X", "com.example.product.Service2Impl", false},
		{"X", "application/vnd.api+json;version=2", false},
		{"X", "age1" + "qyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgp", false},
		{"X", "feature_flag_one,feature_flag_two,feature_flag_3", false},
	} {
		if LooksSecret(test.name, test.value) != test.want {
			t.Errorf("%s=%s: %t", test.name, test.value, !test.want)
		}
	}
}

// TestDocumented: docs/rules.md has the lists that are here.
func TestDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/rules.md")
	if err != nil {
		t.Fatal(err)
	}
	words := strings.Fields(strings.ReplaceAll(string(text), "`", " "))
	for _, list := range []string{placeholders, hostWords} {
		for word := range strings.FieldsSeq(list) {
			if !slices.Contains(words, word) {
				t.Errorf("docs/rules.md does not list %s", word)
			}
		}
	}
	for _, shape := range keyShapes {
		if !slices.Contains(words, shape.prefix) {
			t.Errorf("docs/rules.md does not list %s", shape.prefix)
		}
	}
}
