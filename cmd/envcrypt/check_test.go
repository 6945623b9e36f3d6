package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"envcrypt/internal/check"
	"envcrypt/internal/project"
	"envcrypt/internal/vault"
)

// TestAnnotations reads what check prints for GitHub as its runner does, and gets the findings
// back, whatever stands in them.
func TestAnnotations(t *testing.T) {
	const file = "sub dir/a,b:100%::é.env"
	findings := []check.Finding{
		{ID: check.DeniedValue, Severity: check.Error, Message: "KEY is 50% of %0A::error::x, y", Fix: "a\r\n::stop-commands::b", File: file, Line: 12},
		{ID: check.SameValue, Severity: check.Warning, Message: "one\n::error file=x::two", Fix: "three\x1b[2J"},
		{ID: check.NotOpened, Severity: check.Note, Message: "::set-output name=x::y", Fix: "##[error]z", File: "line\nend,line=1::x.env"},
	}
	want := []annotation{
		{"error", file, "12", "denied-value", `KEY is 50% of %0A::error::x, y; a\r ::stop-commands::b`},
		{"warning", project.PolicyName, "1", "same-value", `one ::error file=x::two; three\x1b[2J`},
		{"notice", "line\nend,line=1::x.env", "1", "not-opened", "::set-output name=x::y; ##[error]z"},
	}
	out := printAnnotations(t, findings)
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if len(lines) != len(want) || strings.Contains(out, "\r") {
		t.Fatalf("%d lines instead of %d:\n%q", len(lines), len(want), out)
	}
	for i, line := range lines {
		got, err := parseAnnotation(line)
		if err != nil || got != want[i] {
			t.Errorf("%s\ngot  %+v, %v\nwant %+v", line, got, err, want[i])
		}
	}
}

func printAnnotations(t *testing.T, findings []check.Finding) string {
	t.Helper()
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	s := system{stdout: out, stderr: out}
	a := &app{system: s, tui: newTUI(s)}
	v := &vault.Vault{Project: &project.Project{Root: t.TempDir()}}
	if err := a.showAnnotations(v, findings); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

type annotation struct{ command, file, line, title, message string }

// parseAnnotation reads "::command name=value,name=value::message" and undoes its escapes. It
// is as GitHub's runner does it (ActionCommand.TryParseV2), but takes no escape that is not one.
func parseAnnotation(line string) (annotation, error) {
	rest, ok := strings.CutPrefix(line, "::")
	head, message, closed := strings.Cut(rest, "::")
	command, properties, spaced := strings.Cut(head, " ")
	if !ok || !closed || !spaced {
		return annotation{}, fmt.Errorf("this is no workflow command")
	}
	a := annotation{command: command}
	var err error
	if a.message, err = unescapeAnnotation(message, map[string]string{"%25": "%", "%0D": "\r", "%0A": "\n"}); err != nil {
		return a, err
	}
	fields := map[string]*string{"file": &a.file, "line": &a.line, "title": &a.title}
	for property := range strings.SplitSeq(properties, ",") {
		name, value, ok := strings.Cut(property, "=")
		field := fields[name]
		if !ok || field == nil || *field != "" {
			return a, fmt.Errorf("property %q is not known, or there twice", name)
		}
		*field, err = unescapeAnnotation(value, map[string]string{"%25": "%", "%0D": "\r", "%0A": "\n", "%3A": ":", "%2C": ","})
		if err != nil {
			return a, err
		}
	}
	return a, nil
}

func unescapeAnnotation(s string, escapes map[string]string) (string, error) {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, "%")
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		if len(after) < 2 || escapes["%"+after[:2]] == "" {
			return "", fmt.Errorf("a %% that is no escape")
		}
		b.WriteString(escapes["%"+after[:2]])
		s = after[2:]
	}
}
