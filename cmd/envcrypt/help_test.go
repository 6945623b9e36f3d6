//go:build linux

package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// helpPages returns the commands in the order of the help page, with theirs.
func helpPages(t *testing.T, w *workplace) (names []string, pages map[string]string) {
	t.Helper()
	pages = make(map[string]string)
	_, list, found := strings.Cut(w.run("--help"), "COMMANDS:\n")
	if !found {
		t.Fatal("no list of commands")
	}
	list, _, _ = strings.Cut(list, "\n\n")
	for line := range strings.Lines(list) {
		name := strings.TrimSuffix(strings.Fields(line)[0], ",")
		names = append(names, name)
		pages[name] = w.run(name, "--help")
	}
	return names, pages
}

func TestHelpPages(t *testing.T) {
	w := newWorkplace(t)
	names, pages := helpPages(t, w)
	for _, entry := range commandTable() {
		if _, ok := pages[entry.names[0]]; !ok && entry.names[0] != completeName {
			t.Errorf("%s is not in the list of commands", entry.names[0])
		}
		for _, alias := range entry.names[1:] {
			if got := w.run(alias, "--help"); got != pages[entry.names[0]] {
				t.Errorf("the help of %s differs from that of %s", alias, entry.names[0])
			}
		}
	}
	codes := regexp.MustCompile(`(?m)^   [0-6]  [a-z]`)
	for _, name := range names {
		page := pages[name]
		for _, section := range []string{"NAME:\n   envcrypt " + name + " - ", "\nUSAGE:\n   envcrypt " + name, "\nDESCRIPTION:\n", "EXAMPLES:\n", "\nFLAGS:\n", "\nEXIT CODES:\n"} {
			if !strings.Contains(page, section) {
				t.Errorf("%s: no %q", name, section)
			}
		}
		if !strings.Contains(page, "   envcrypt "+name) {
			t.Errorf("%s: no example of it", name)
		}
		if name == execName {
			for _, code := range []string{"   125  ", "   126  ", "   127  ", "the command's own"} {
				if !strings.Contains(page, code) {
					t.Errorf("%s: no exit code %q", name, code)
				}
			}
		} else if got := len(codes.FindAllString(page, -1)); got != 7 {
			t.Errorf("%s: %d exit codes, want 7", name, got)
		}
		for line := range strings.Lines(page) {
			if len(line) > 120 {
				t.Errorf("%s: a line of %d bytes", name, len(line))
			}
		}
	}
}

// docs/commands.md is the help pages, as "make docs" writes them.
func TestDocumentedCommands(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("..", "..", "docs", "commands.md"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Fatal(`docs/commands.md is missing: "make docs" writes it`)
	}
	if err != nil {
		t.Fatal(err)
	}
	names, pages := helpPages(t, newWorkplace(t))
	rest := string(doc)
	for _, name := range names {
		_, after, found := strings.Cut(rest, "## envcrypt "+name+"\n")
		if !found {
			t.Fatalf("no section on %s, or not in the order of the help page", name)
		}
		_, after, _ = strings.Cut(after, "```")
		_, after, _ = strings.Cut(after, "\n")
		text, after, _ := strings.Cut(after, "```")
		if strings.TrimSpace(text) != strings.TrimSpace(pages[name]) {
			t.Errorf(`the section on %s is not its help page: run "make docs"`, name)
		}
		rest = after
	}
	if strings.Contains(rest, "## envcrypt ") {
		t.Error("there is a section on a command that does not exist")
	}
}
