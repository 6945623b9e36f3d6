package audit

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestReadConfig(t *testing.T) {
	for name, test := range map[string]struct {
		machine, user string
		want          Config
	}{
		"none":           {"-", "-", Config{File: "/state/envcrypt/audit.jsonl", MaxSize: 10 << 20, Sinks: []string{"file"}}},
		"others' tables": {"plugins = [\"yubikey\"]\n[other]\nfile = 5", "", Config{File: "/state/envcrypt/audit.jsonl", MaxSize: 10 << 20, Sinks: []string{"file"}}},
		"user": {"-", "[audit]\nfile = \"/a\"\nsinks = [\"off\"]\nrequired = [\"staging\"]\nmax_size = 200000",
			Config{File: "/a", MaxSize: 200_000, Required: []string{"staging"}, Sinks: []string{}}},
		"machine wins": {"[audit]\nfile = \"/m\"\nsinks = [\"file\", \"journald\"]\nrequired = [\"production\"]\nmax_size = \"1 MiB\"",
			"[audit]\nfile = \"/u\"\nsinks = [\"off\"]\nrequired = [\"staging\", \"production\"]\nmax_size = \"1GB\"",
			Config{File: "/m", MaxSize: 1 << 20, Sinks: []string{"file", "journald"}, Required: []string{"production", "staging"}}},
		"machine off": {"[audit]\nsinks = [\"off\"]", "[audit]\nsinks = [\"file\"]", Config{File: "/state/envcrypt/audit.jsonl", MaxSize: 10 << 20, Sinks: []string{}}},
		"dotted":      {"audit.required = [\"*\"]", "audit = { sinks = [\"syslog\"] }", Config{File: "/state/envcrypt/audit.jsonl", MaxSize: 10 << 20, Sinks: []string{"syslog"}, Required: []string{"*"}}},
	} {
		dir := t.TempDir()
		machine, user := filepath.Join(dir, "machine.toml"), filepath.Join(dir, "user.toml")
		for path, text := range map[string]string{machine: test.machine, user: test.user} {
			if text != "-" {
				write(t, path, []byte(text))
			}
		}
		got, err := ReadConfig(machine, user, "/state")
		if err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %+v, %v\nwant %+v", name, got, err, test.want)
		}
	}
	c, err := ReadConfig("", "", "")
	if err != nil {
		t.Fatal(err)
	}
	if err := New(c, Facts{}, time.Now).Append(Entry{}); !errors.Is(err, ErrNoFile) {
		t.Errorf("without a home: %v", err)
	}
}

func TestConfigErrors(t *testing.T) {
	for text, want := range map[string]string{
		"x = 1\n[audit]\nfile = \"/a\"\nfiles = 5":         `:4: unknown key "files" in [audit]`,
		"x = 1\naudit = 5":                                 ":2: audit is not a table",
		"[[audit]]\nfile = \"/a\"":                         ":1: audit is not a table",
		"[audit]\nfile = 5":                                ":2: a text is missing",
		"[audit]\n\nfile = \"audit.jsonl\"":                ":3: file is not an absolute path",
		"[audit]\nfile = \"~/audit.jsonl\"":                ":2: file is not an absolute path",
		"[audit]\nsinks = \"file\"":                        ":2: a list of texts is missing",
		"[audit]\nsinks = [5]":                             ":2: a list of texts is missing",
		"[audit]\nsinks = []":                              ":2: sinks is neither",
		"[audit]\nsinks = [\"file\", \"off\"]":             ":2: sinks is neither",
		"[audit]\nsinks = [\"files\"]":                     `:2: sinks lists "files"`,
		"[audit]\nrequired = [\"Production\"]":             ":2: required lists",
		"[audit]\nmax_size = 5":                            ":2: max_size",
		"[audit]\nmax_size = -5":                           ":2: max_size",
		"[audit]\nmax_size = \"10 parsecs\"":               ":2: max_size",
		"[audit]\nmax_size = \"99999999999999GB\"":         ":2: max_size",
		"[audit]\nmax_size = 1.5":                          ":2: max_size",
		"[audit]\nfile = \"/a\"\nfile = \"/b\"":            ":3: this is not TOML",
		"[audit\nfile = 5":                                 ":1: this is not TOML",
		"[audit]\nFile = \"/a\"":                           `:2: unknown key "File"`,
		"[audit.file]\nx = 1":                              ": a text is missing",
		"[audit]\nrequired = [\"hunter2 hunter2\"]\n# end": ":2: required lists what is not the name",
	} {
		path := filepath.Join(t.TempDir(), "config.toml")
		write(t, path, []byte(text))
		_, err := ReadConfig("", path, "/state")
		var config *ConfigError
		if !errors.As(err, &config) || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), path+":") || config.Fix == "" || strings.Contains(fmt.Sprint(err, config.Fix), "hunter2") {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	if _, err := ReadConfig(t.TempDir(), "", ""); err == nil {
		t.Error("a directory is read")
	}
}

func FuzzConfig(f *testing.F) {
	f.Add("[audit]\nfile = \"/a\"\nmax_size = \"10MB\"\nsinks = [\"off\"]\nrequired = [\"x\"]")
	f.Fuzz(func(t *testing.T, text string) {
		var s settings
		if err := s.parse("f", []byte(text)); err != nil {
			var config *ConfigError
			if !errors.As(err, &config) || config.Line < 1 || config.Line > 1+strings.Count(text, "\n") {
				t.Fatalf("%#v", err)
			}
		}
	})
}

func TestParseSize(t *testing.T) {
	for in, want := range map[any]int64{int64(5): 5, "5": 5, "10MB": 10e6, "10 MiB": 10 << 20, "1k": 1000, "1KB": 1000, "2Gi": 2 << 30, "3G": 3e9, "0": 0,
		"": -1, "MB": -1, "-1": -1, "1TB": -1, "1.5MB": -1, 1.5: -1, true: -1, int64(-1): -1} {
		if got, ok := parseSize(in); ok != (want >= 0) || ok && got != want {
			t.Errorf("%v: %d, %v", in, got, ok)
		}
	}
}

func TestDetect(t *testing.T) {
	for env, want := range map[string][2]string{
		"":                                       {"", ""},
		"CI=true":                                {"ci", ""},
		"CI=false CLAUDECODE=0":                  {"", ""},
		"CI=true GITHUB_ACTIONS=true":            {"github-actions", ""},
		"GITHUB_ACTIONS=true FORGEJO_ACTIONS=1":  {"forgejo-actions", ""},
		"HOME=/x GITLAB_CI=true CLAUDECODE=1":    {"gitlab-ci", "claude-code"},
		"CURSOR_TRACE_ID=abc":                    {"", "cursor"},
		"CURSOR_TRACE_ID=abc CLAUDECODE=1":       {"", "claude-code"},
		"AIDER_MODEL=x":                          {"", "aider"},
		"GEMINI_CLI=1":                           {"", "gemini-cli"},
		"CODEX_HOME=/x":                          {"", ""},
		"CODEX_HOME=/x CODEX_SANDBOX=seatbelt":   {"", "codex"},
		"AI_AGENT=devin@1":                       {"", "devin@1"},
		"AI_AGENT=claude GEMINI_CLI=1 =C:=x CI=": {"", "gemini-cli"},
	} {
		environ := strings.Split(env, " ")
		if got := [2]string{CI(environ), Agent(environ)}; got != want {
			t.Errorf("%q: %v", env, got)
		}
	}
}

func TestProcessName(t *testing.T) {
	if name := ProcessName(os.Getpid()); !strings.HasPrefix(name, "audit.test") {
		t.Errorf("this is %q", name)
	}
	if name := ProcessName(1 << 30); name != "" {
		t.Errorf("no process is %q", name)
	}
}
