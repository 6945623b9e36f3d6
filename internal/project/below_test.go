package project

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestBelow(t *testing.T) {
	top, elsewhere := t.TempDir(), t.TempDir()
	for _, dir := range []string{"a", "a/b-c", "a/b/c", "z", ".hidden", "deep/er"} {
		writePolicyFile(t, filepath.Join(top, dir))
	}
	writePolicyFile(t, elsewhere)
	for _, dir := range []string{".git/x", "sub/.git/modules/y", "node_modules/pkg", "bare", "bare/inner"} {
		writePolicyFile(t, filepath.Join(top, dir))
	}
	for _, name := range []string{"objects", "refs"} {
		if err := os.Mkdir(filepath.Join(top, "bare", name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(top, "bare", "HEAD"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	link := func(target, name string) {
		t.Helper()
		path := filepath.Join(top, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, path); err != nil {
			t.Fatal(err)
		}
	}
	link("a", "link")
	link(elsewhere, "out")
	link(filepath.Join("..", "a", PolicyName), "shared/"+PolicyName)
	link("nothing", "dangling/"+PolicyName)
	link(filepath.Join(elsewhere, PolicyName), "sneaky/"+PolicyName)

	var roots []string
	var outside *OutsideError
	for root, err := range Below(top) {
		rel, _ := filepath.Rel(top, root)
		if err == nil {
			roots = append(roots, filepath.ToSlash(rel))
		} else if !errors.As(err, &outside) || rel != "sneaky" {
			t.Errorf("%s: %v", rel, err)
		}
	}
	want := []string{".hidden", "a", "a/b/c", "a/b-c", "dangling", "deep/er", "shared", "z"}
	slices.Sort(want)
	sorted := slices.Sorted(slices.Values(roots))
	if !slices.Equal(sorted, want) || outside == nil {
		t.Errorf("found %q, want %q, and sneaky refused: %v", roots, want, outside)
	}
	for range Below(top) {
		break // at will
	}

	// What the user names is followed, and a project may be right there.
	link("..", "deep/up")
	for root, err := range Below(filepath.Join(top, "link")) {
		if rel, _ := filepath.Rel(filepath.Join(top, "a"), root); err != nil || rel != "." {
			t.Errorf("%s, %v", root, err)
		}
		break
	}
}

func TestBelowNothing(t *testing.T) {
	for root, err := range Below(filepath.Join(t.TempDir(), "missing")) {
		var bad *FileError
		if !errors.As(err, &bad) {
			t.Errorf("%s, %v", root, err)
		}
	}
}

func TestOpenLooksRightThere(t *testing.T) {
	dir := t.TempDir()
	writePolicyFile(t, dir)
	inner := filepath.Join(dir, "inner")
	if err := os.Mkdir(inner, 0o755); err != nil {
		t.Fatal(err)
	}
	if p, err := Open(dir); err != nil || p.Root != dir {
		t.Errorf("%+v, %v", p, err)
	}
	if p, err := Open(inner); !errors.Is(err, os.ErrNotExist) || p.Policy != nil {
		t.Errorf("%+v, %v", p, err)
	}
}

func writePolicyFile(t *testing.T, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	const policy = "version = 1\n[members.me]\nkeys = [\"age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p\"]\n[environments.one]\nreaders = [\"me\"]\n"
	if err := os.WriteFile(filepath.Join(dir, PolicyName), []byte(policy), 0o644); err != nil {
		t.Fatal(err)
	}
}
