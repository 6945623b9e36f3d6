//go:build unix

package scratch

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// memory returns a directory of the test's own that lies in memory.
func memory(t *testing.T) string {
	t.Helper()
	if runtime.GOOS != "linux" {
		return ""
	}
	dir, err := os.MkdirTemp("/dev/shm", "scratch-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func newDir(t *testing.T, p Places) *Dir {
	t.Helper()
	d, err := New(p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func isEmpty(t *testing.T, dir string) bool {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return len(entries) == 0
}

func TestNewAndClose(t *testing.T) {
	base := t.TempDir()
	d := newDir(t, Places{Disk: base})
	for _, path := range []string{d.Path, filepath.Dir(d.Path)} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	if err := os.MkdirAll(filepath.Join(d.Path, "a", "b"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if !isEmpty(t, base) {
		t.Error("Close has left something")
	}
	if err := d.Close(); err != nil {
		t.Errorf("Close once more: %v", err)
	}
	if err := (*Dir)(nil).Close(); err != nil {
		t.Errorf("Close of nothing: %v", err)
	}
}

// Close must not remove what another process's directory, of the same name, has
// become meanwhile.
func TestCloseOnlyOnce(t *testing.T) {
	d := newDir(t, Places{Disk: t.TempDir()})
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(d.Path, 0o700); err != nil {
		t.Fatal(err)
	}
	d.Close()
	if _, err := os.Stat(d.Path); err != nil {
		t.Error("the second Close removed another's directory")
	}
}

func TestPlaces(t *testing.T) {
	disk := t.TempDir()
	if d := newDir(t, Places{Disk: disk}); inMemory(disk) == d.OnDisk || !strings.HasPrefix(d.Path, disk) {
		t.Errorf("%+v", d)
	}
	if d := newDir(t, Places{Memory: []string{"", filepath.Join(disk, "missing")}, Disk: disk}); !strings.HasPrefix(d.Path, disk) {
		t.Errorf("%+v", d)
	}
	if runtime.GOOS != "linux" {
		return // which alone tells what lies in memory
	}
	first, second := memory(t), memory(t)
	if d := newDir(t, Places{Memory: []string{first, second}, Disk: disk}); d.OnDisk || !strings.HasPrefix(d.Path, first) {
		t.Errorf("%+v", d)
	}
	if err := os.Mkdir(parentOf(second), 0o755); err != nil { // others can enter it
		t.Fatal(err)
	}
	if d := newDir(t, Places{Memory: []string{second, first}, Disk: disk}); d.OnDisk || !strings.HasPrefix(d.Path, first) {
		t.Errorf("%+v", d)
	}
	if d := newDir(t, Places{Memory: []string{second}, Disk: disk}); !strings.HasPrefix(d.Path, disk) {
		t.Errorf("%+v", d)
	}
	if d := newDir(t, Places{Memory: []string{second}, Disk: first}); d.OnDisk {
		t.Errorf("%+v lies in memory", d)
	}
}

func TestForeignParent(t *testing.T) {
	for name, make := range map[string]func(path string) error{
		"others can enter it": func(path string) error { return os.Mkdir(path, 0o755) },
		"others can write":    func(path string) error { return os.Chmod(must(t, os.Mkdir(path, 0o700), path), 0o770) },
		"a link":              func(path string) error { return os.Symlink(t.TempDir(), path) },
		"a file":              func(path string) error { return os.WriteFile(path, nil, 0o600) },
		"somebody else's": func(path string) error {
			if os.Geteuid() != 0 {
				return os.Mkdir(path, 0o500) // which only root can give away
			}
			return os.Chown(must(t, os.Mkdir(path, 0o700), path), 54321, 54321)
		},
	} {
		base := t.TempDir()
		if err := make(parentOf(base)); err != nil {
			t.Fatal(err)
		}
		if d, err := New(Places{Disk: base}); err == nil {
			t.Errorf("%s: %s was made in it", name, d.Path)
			d.Close()
		}
		Sweep(Places{Disk: base})
		if _, err := os.Lstat(parentOf(base)); err != nil {
			t.Errorf("%s: Sweep removed it", name)
		}
	}
}

func must(t *testing.T, err error, path string) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSweep(t *testing.T) {
	base := t.TempDir()
	p := Places{Memory: []string{""}, Disk: base}
	Sweep(p) // nothing is there
	live := newDir(t, p)
	dead := filepath.Join(parentOf(base), "dead")
	if err := os.MkdirAll(filepath.Join(dead, "deep"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dead, "staging.env"), []byte("A=hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	Sweep(p)
	if _, err := os.Stat(live.Path); err != nil {
		t.Error("the directory of a live process was swept")
	}
	if _, err := os.Stat(dead); err == nil {
		t.Error("that of a dead one was not")
	}
	live.Close()
	if !isEmpty(t, base) {
		t.Error("something is left")
	}
}

// Sweep follows no link out of its directory.
func TestSweepLink(t *testing.T) {
	base, outside := t.TempDir(), t.TempDir()
	file := filepath.Join(outside, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(parentOf(base), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(parentOf(base), "link")); err != nil {
		t.Fatal(err)
	}
	Sweep(Places{Disk: base})
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
}

// A directory whose process was killed is swept by the next.
func TestSweepAfterKill(t *testing.T) {
	const child = "ENVCRYPT_TEST_SCRATCH"
	if base := os.Getenv(child); base != "" {
		if _, err := New(Places{Disk: base}); err != nil {
			t.Fatal(err)
		}
		p, err := os.FindProcess(os.Getpid())
		if err == nil {
			err = p.Kill()
		}
		t.Fatal(err)
	}
	base := t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestSweepAfterKill$")
	cmd.Env = append(os.Environ(), child+"="+base)
	if err := cmd.Run(); err == nil {
		t.Fatal("the child was not killed")
	}
	if isEmpty(t, base) {
		t.Fatal("the child has left nothing to sweep")
	}
	Sweep(Places{Disk: base})
	if !isEmpty(t, base) {
		t.Error("its directory is still there")
	}
}

func TestNewDuringSweep(t *testing.T) {
	p := Places{Disk: t.TempDir()}
	var group sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		group.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					Sweep(p)
				}
			}
		})
	}
	var makers sync.WaitGroup
	for range 4 {
		makers.Go(func() {
			for range 50 {
				d, err := New(p)
				if err != nil {
					t.Error(err)
					continue
				}
				if err := os.WriteFile(filepath.Join(d.Path, "x"), nil, 0o600); err != nil {
					t.Error(err)
				}
				d.Close()
			}
		})
	}
	makers.Wait()
	close(stop)
	group.Wait()
}
