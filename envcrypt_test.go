package envcrypt_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"envcrypt"
)

// sample are options for this repository's own sample project, with the throwaway key of one
// of its members.
func sample(t *testing.T, member string) envcrypt.Options {
	t.Helper()
	private(t, member)
	return envcrypt.Options{
		Dir: ".", Identities: []string{private(t, member)}, Env: []string{"HOME=" + t.TempDir()},
	}
}

// private is a copy of a throwaway key that only its owner can read.
func private(t *testing.T, member string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "keys", member+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), member+".txt")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestLoad(t *testing.T) {
	o := sample(t, "developer")
	values, err := envcrypt.Load(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	if values.Environment() != "development" || !strings.HasPrefix(values.Get("DATABASE_URL"), "postgres://") {
		t.Errorf("got %v", values)
	}
	if _, ok := values.Lookup("SENTRY_DSN"); !ok || values.Get("NONE") != "" {
		t.Error("an empty value is not there, or one is that is not")
	}
	var keys []string
	for key, value := range values.All() {
		if value != values.Get(key) {
			t.Errorf("%s has two values", key)
		}
		keys = append(keys, key)
	}
	if len(keys) < 4 || !slices.Contains(keys, "DATABASE_URL") {
		t.Errorf("keys %v", keys)
	}

	// Nothing that prints values shows one.
	secret := values.Get("DATABASE_URL")
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		if text := fmt.Sprintf(verb, values); strings.Contains(text, secret) || !strings.Contains(text, "development") {
			t.Errorf("%s prints %q", verb, text)
		}
	}
	type config struct {
		Exported envcrypt.Values
		hidden   envcrypt.Values
		pointer  *envcrypt.Values
	}
	for _, holder := range []any{*values, config{*values, *values, values}, &config{*values, *values, values}, []envcrypt.Values{*values}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			if text := fmt.Sprintf(verb, holder); strings.Contains(text, secret) {
				t.Errorf("%s of a %T prints a value", verb, holder)
			}
		}
	}
	for _, v := range []any{values, *values} {
		if text, err := json.Marshal(v); err == nil {
			t.Errorf("as JSON: %s", text)
		}
	}
	if value := new(envcrypt.Values).Get("NONE"); value != "" {
		t.Errorf("no values have %q", value)
	}
	log, err := os.ReadFile(filepath.Join(strings.TrimPrefix(o.Env[0], "HOME="), ".local", "state", "envcrypt", "audit.jsonl"))
	if err != nil || !strings.Contains(string(log), `"action":"load","outcome":"ok"`) || strings.Contains(string(log), secret) {
		t.Errorf("the audit log: %s, %v", log, err)
	}
}

func TestLoadChooses(t *testing.T) {
	o := sample(t, "developer")
	o.Env = append(o.Env, "ENVIRONMENT=staging")
	if values, err := envcrypt.Load(context.Background(), o); err != nil || values.Environment() != "staging" {
		t.Errorf("got %v, %v", values, err)
	}
	o.Environment = "development"
	if values, err := envcrypt.Load(context.Background(), o); err != nil || values.Environment() != "development" {
		t.Errorf("got %v, %v", values, err)
	}
}

func TestLoadRefuses(t *testing.T) {
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	for _, tt := range []struct {
		name   string
		change func(o *envcrypt.Options)
		want   string
	}{
		{"another's key", func(o *envcrypt.Options) { o.Environment = "production" }, "cannot open production"},
		{"no key", func(o *envcrypt.Options) { o.Identities = nil }, "cannot open development"},
		{"a key that is not there", func(o *envcrypt.Options) { o.Identities = []string{"missing.txt"} }, "missing.txt"},
		{"an environment that is none", func(o *envcrypt.Options) { o.Environment = "nowhere" }, "unknown environment"},
		{"a variable that names none", func(o *envcrypt.Options) { o.Env = append(o.Env, "ENVIRONMENT=hunter2") }, "ENVIRONMENT names no environment"},
		{"no project", func(o *envcrypt.Options) { o.Dir = t.TempDir() }, "no envcrypt.toml"},
		{"a file for no environment", func(o *envcrypt.Options) { o.File = "secrets/development.env" }, "File needs Environment"},
		{"a file of another environment", func(o *envcrypt.Options) { o.File, o.Environment = "secrets/development.env", "staging" }, "sealed for development"},
		{"made-up values of a file", func(o *envcrypt.Options) { o.File, o.Example = "secrets/development.env", true }, "without File"},
	} {
		o := sample(t, "developer")
		tt.change(&o)
		values, err := envcrypt.Load(context.Background(), o)
		if values != nil || err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %v, %v", tt.name, values, err)
		}
	}
	o := sample(t, "developer")
	if values, err := envcrypt.Load(canceled, o); values != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: got %v, %v", values, err)
	}
	o.Require = []string{"DATABASE_URL", "NONE", "NEITHER"}
	var missing *envcrypt.MissingError
	if values, err := envcrypt.Load(context.Background(), o); values != nil || !errors.As(err, &missing) ||
		strings.Join(missing.Keys, " ") != "NONE NEITHER" || missing.Environment != "development" {
		t.Errorf("required: got %v, %v", values, err)
	}
}

// TestLoadHoldsRules: a project's guard rules, layers and required keys are those of exec.
func TestLoadHoldsRules(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"envcrypt.toml", "secrets/development.env", "secrets/staging.env"} {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if name == "envcrypt.toml" {
			data = append(data, `
[keys.NEEDED]
required = ["staging"]
[[environments.development.deny]]
key = "DATABASE_U*"
message = "is for staging"
`...)
			data = []byte(strings.NewReplacer(
				"[vars]", "[vars]\nREGION = \"eu\"",
				"[environments.staging]", "[environments.staging]\nstrict = true\ninherits = \"development\"",
			).Replace(string(data)))
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o := sample(t, "developer")
	o.Dir = dir
	if values, err := envcrypt.Load(context.Background(), o); values != nil || err == nil || !strings.Contains(err.Error(), "is for staging") {
		t.Errorf("a denied value: got %v, %v", values, err)
	}
	o.Environment = "staging"
	var missing *envcrypt.MissingError
	if values, err := envcrypt.Load(context.Background(), o); values != nil || !errors.As(err, &missing) || missing.Keys[0] != "NEEDED" {
		t.Errorf("a required key: got %v, %v", values, err)
	}
	o.Variables = true
	o.Env = append(o.Env, "NEEDED=from CI", "REGION=us")
	values, err := envcrypt.Load(context.Background(), o)
	if err != nil || values.Get("NEEDED") != "from CI" || values.Get("REGION") != "us" || values.Get("GREETING") == "" {
		t.Errorf("variables over values: got %v, %v", values, err)
	}

	// What is not made up of an example is held to the rules.
	o.Example, o.Environment, o.Variables = true, "development", false
	if _, err := envcrypt.Load(context.Background(), o); err != nil {
		t.Errorf("made-up values: %v", err)
	}
	plain, err := os.OpenFile(filepath.Join(dir, "envcrypt.toml"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := plain.WriteString("[environments.development.vars]\nDATABASE_HOST = \"prod-db.internal\"\n"); err != nil {
		t.Fatal(err)
	}
	if err := plain.Close(); err != nil {
		t.Fatal(err)
	}
	if values, err := envcrypt.Load(context.Background(), o); values != nil || err == nil || !strings.Contains(err.Error(), "production-hosts") {
		t.Errorf("a plain value among made-up ones: got %v, %v", values, err)
	}
}

// TestSources is docs/sources.md: one program, which reads its configuration the same way in
// a test, on a laptop, in CI and on a box.
func TestSources(t *testing.T) {
	bin := t.TempDir()
	build := exec.Command("go", "build", "-o", bin+string(filepath.Separator), "./testdata/app", "./cmd/envcrypt")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	app, program := filepath.Join(bin, "app"), filepath.Join(bin, "envcrypt")
	box := t.TempDir()
	production, err := os.ReadFile("secrets/production.env")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(box, "production.env"), production, 0o644); err != nil {
		t.Fatal(err)
	}
	credentials := filepath.Dir(private(t, "deploy"))
	if err := os.Rename(filepath.Join(credentials, "deploy.txt"), filepath.Join(credentials, "envcrypt.identity")); err != nil {
		t.Fatal(err)
	}
	developer := "ENVCRYPT_IDENTITY_FILE=" + private(t, "developer")
	for _, tt := range []struct {
		name, dir string
		env       []string
		args      []string
		want      string
	}{
		{"in a test", ".", []string{"APP_FAKES=1"}, []string{app}, "example"},
		{"in a test, with exec", ".", nil, []string{program, "exec", "--example", "--", app}, "example"},
		{"on a laptop", ".", []string{developer}, []string{program, "exec", "--", app}, "postgres://"},
		{"on a laptop, without exec", ".", []string{developer}, []string{app}, "postgres://"},
		{"in CI", box, []string{"DATABASE_URL=postgres://ci@localhost/ci", "STRIPE_KEY=x"}, []string{app}, "postgres://ci@"},
		{"in CI, with its key", ".", []string{developer, "ENVIRONMENT=staging"}, []string{program, "exec", "--", app}, "staging"},
		{"on a box", box, []string{"CREDENTIALS_DIRECTORY=" + credentials}, []string{program, "exec", "-f", "production.env", "-e", "production", "--", app}, "production"},
		{"on a box, without exec", box, []string{"CREDENTIALS_DIRECTORY=" + credentials, "APP_SECRETS=production.env", "ENVIRONMENT=production"}, []string{app}, "production"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cmd := exec.Command(tt.args[0], tt.args[1:]...)
			cmd.Dir, cmd.Env = tt.dir, append(tt.env, "HOME="+t.TempDir())
			out, err := cmd.CombinedOutput()
			if err != nil || !strings.Contains(string(out), "database ") || !strings.Contains(string(out), tt.want) {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}
