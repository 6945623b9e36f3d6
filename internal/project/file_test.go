package project

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func writeFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func wantFile(t testing.TB, path, want string) {
	t.Helper()
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("%s: %q, %v; want %q", path, got, err, want)
	}
}

func sameFile(t testing.TB, a, b string) bool {
	t.Helper()
	ia, err := os.Stat(a)
	if err != nil {
		t.Fatal(err)
	}
	ib, err := os.Stat(b)
	if err != nil {
		t.Fatal(err)
	}
	return os.SameFile(ia, ib)
}

func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	writeFile(t, at("full"), "12345678")
	writeFile(t, at("empty"), "")
	if got, err := ReadFile(at("full"), 8); err != nil || string(got) != "12345678" {
		t.Errorf("got %q, %v", got, err)
	}
	if got, err := ReadFile(at("empty"), 8); err != nil || got == nil || len(got) != 0 {
		t.Errorf("got %#v, %v; an empty file is not nil", got, err)
	}
	refused := func(name string, limit int64, problem string) error {
		t.Helper()
		got, err := ReadFile(at(name), limit)
		var fileError *FileError
		if got != nil || !errors.As(err, &fileError) || fileError.Path != at(name) || !strings.Contains(fileError.Problem, problem) {
			t.Errorf("%s: got %d bytes, %v", name, len(got), err)
		}
		return err
	}
	refused("full", 7, "larger")
	refused(".", 8, "directory")
	if err := refused("missing", 8, "does not exist"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v is not fs.ErrNotExist", err)
	}
	f, err := os.Create(at("huge"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(5 << 30); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	refused("huge", FileSizeLimit, "larger than 64 MiB")
	if runtime.ReadMemStats(&after); after.TotalAlloc-before.TotalAlloc > 1<<20 {
		t.Error("it was read")
	}
	if err := os.Symlink("nothing", at("dangling")); err != nil {
		t.Fatal(err)
	}
	if err := refused("dangling", 8, "link to nothing"); errors.Is(err, fs.ErrNotExist) {
		t.Error("a dangling link is not a missing file: something would be created in its place")
	}
	if err := os.Symlink("full", at("link")); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadFile(at("link"), 8); err != nil || string(got) != "12345678" {
		t.Errorf("through a link: %q, %v", got, err)
	}
}
