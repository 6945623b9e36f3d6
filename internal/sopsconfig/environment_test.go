package sopsconfig

import (
	"slices"
	"strings"
	"testing"
)

func TestEnvironments(t *testing.T) {
	tests := []struct{ paths, want string }{
		{"production.env", "production"},
		{"secrets.production.env", "production"},
		{"prod.enc.env", "production"},
		{"envs/staging/secrets.env", "staging"},
		{".env.dev", "development"},
		{"secrets-prod.env", "production"},
		{"deploy/prod/api_test.env", "test"}, // the innermost
		{"pre-production.env", "pre-production"},
		{"preprod.env", "preproduction"},
		{"non-prod/secrets.env", "non-prod"},
		{"test-production.env", "test-production"},
		{"reproduction.env", "reproduction"},
		{".env", "default"},
		{"secrets.enc.env", "default"},
		{"customers/acme.env", "acme"},
		{"customers/ACME Corp.env", "acme-corp"},
		{"services/web/secrets.env services/api/secrets.env", "web api"},
		{"web/app.x.env api/app.x.env", "web api"},
		{"api/production.env web/production.env", "production production"},
		{"a/x/b.env a/y/b.env c/y/b.env", "b b b"},
		{"x/" + strings.Repeat("n", 50) + ".env", strings.Repeat("n", 32)},
		{"\x1b[2J.env", "2j"},
		{"ü.env", ""},
	}
	for _, tt := range tests {
		paths := strings.Split(tt.paths, " ")
		if tt.want == "acme-corp" {
			paths = []string{tt.paths}
		}
		if got := Environments(paths); !slices.Equal(got, strings.Split(tt.want, " ")) {
			t.Errorf("%q: got %q, want %q", tt.paths, got, tt.want)
		}
	}
}
