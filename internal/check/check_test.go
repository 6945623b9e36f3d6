package check

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"envcrypt/internal/project"
)

func TestExcept(t *testing.T) {
	found := []Finding{
		{ID: SameValue, Severity: Error, Environment: "staging", Key: "A"},
		{ID: SameValue, Severity: Error, Environment: "staging", Key: "B"},
		{ID: SameValue, Severity: Error, Environment: "production", Key: "A"},
		{ID: NoStaging, Severity: Warning},
		{ID: NotOpened, Severity: Note, Environment: "production"},
	}
	got := Except(found, []project.Exception{
		{ID: "same-value", Environment: "staging", Key: "A", Reason: "x"},
		{ID: "same-value", Key: "B", Warn: true, Reason: "until June"},
		{ID: "not-opened", Warn: true, Reason: "y"}, // which does not make more of it
		{ID: "no-staging", Environment: "staging", Reason: "of another place"},
	})
	want := []Finding{
		{ID: SameValue, Severity: Warning, Environment: "staging", Key: "B", Reason: "until June"},
		{ID: SameValue, Severity: Error, Environment: "production", Key: "A"},
		{ID: NoStaging, Severity: Warning},
		{ID: NotOpened, Severity: Note, Environment: "production"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
	Sort(got)
	if got[0].Severity != Error || got[1].ID != SameValue || got[3].Severity != Note {
		t.Errorf("sorted %+v", got)
	}
}

// TestAbout: every finding that is documented is known, each once.
func TestAbout(t *testing.T) {
	seen := make(map[ID]bool)
	for _, about := range About {
		if seen[about.ID] || about.Text == "" || !Known(string(about.ID)) {
			t.Errorf("%s: stands twice, or says nothing", about.ID)
		}
		seen[about.ID] = true
	}
	if Known("no-such-id") || len(About) != 20 {
		t.Errorf("%d IDs", len(About))
	}
}

func TestOrdinary(t *testing.T) {
	for value, want := range map[string]bool{
		"debug": true, "https://api.example.com/v1": true, "1234567890": true, "192.0.2.1:8080": true,
		"hunter2-hunter2": false, "correct horse battery": false,
	} {
		if ordinary(value) != want {
			t.Errorf("%q", value)
		}
	}
}

// TestDocument: docs/check.md has each ID, and no other.
func TestDocument(t *testing.T) {
	data, err := os.ReadFile("../../docs/check.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented []string
	for line := range strings.Lines(string(data)) {
		if id, ok := strings.CutPrefix(line, "| `"); ok {
			id, _, _ = strings.Cut(id, "`")
			documented = append(documented, id)
		}
	}
	var known []string
	for _, about := range About {
		known = append(known, string(about.ID))
	}
	if !reflect.DeepEqual(documented, known) {
		t.Errorf("the document has %q\nthe code %q", documented, known)
	}
}
