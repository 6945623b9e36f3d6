//go:build unix

package audit

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

func makeFIFO(path string) error { return syscall.Mkfifo(path, 0o600) }

func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if os.Geteuid() != 0 { // who mounts in a namespace of their own
		if out, err := exec.Command("unshare", "-rm", os.Args[0], "-test.run=^TestFullDisk$").CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	if err := exec.Command("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", dir).Run(); err != nil {
		t.Fatal("cannot mount a small disk: ", err)
	}
	defer exec.Command("umount", dir).Run()
	path := filepath.Join(dir, "audit.jsonl")
	l := testLog(path)
	lines := 0
	var err error
	for ; err == nil && lines < 1000; lines++ {
		err = l.Append(testEntry(lines))
	}
	lines--
	var required *RequiredError
	if !errors.Is(err, syscall.ENOSPC) || lines < 100 || errors.As(err, &required) {
		t.Fatal(lines, err)
	}
	was := read(t, path)
	for range 3 {
		if err := l.Append(testEntry(1)); !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(read(t, path), was) {
		t.Error("the log was changed")
	}
	wantClean(t, path, lines)

	l.config.Required = []string{"production"}
	if _, err := l.Begin(testEntry(1)); !errors.As(err, &required) || required.Environment != "production" {
		t.Error(err)
	}
	if err := exec.Command("mount", "-o", "remount,size=1m", dir).Run(); err != nil {
		t.Fatal(err)
	}
	fill(t, l, 1, 3)
	wantClean(t, path, lines+3)
}

// Permissions do not stop root, so that this is done as somebody else then.
func TestNoPermission(t *testing.T) {
	dir := t.TempDir()
	os.Chmod(filepath.Dir(dir), 0o755)
	os.Chmod(dir, 0o755)
	cmd := startChild(t, filepath.Join(dir, "audit.jsonl"), 1)
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	binary := filepath.Join(dir, "test")
	b, _ := os.ReadFile(os.Args[0])
	os.WriteFile(binary, b, 0o755)
	cmd.Path = binary
	os.Chmod(dir, 0o555)
	defer os.Chmod(dir, 0o755)
	out, err := cmd.Output()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || !bytes.Contains(out, []byte("permission denied")) {
		t.Errorf("%v: %s", err, out)
	}
}
