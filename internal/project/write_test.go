//go:build unix

package project

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// steps are those of a write that replaces a file, in their order.
func steps() []string {
	return []string{"create", "write", "fsync", "compare", "rename", "fsyncdir"}
}

// TestMain lets a test start itself as another process: a writer that ENVCRYPT_TEST
// describes as "what root text".
func TestMain(m *testing.M) {
	if job := strings.SplitN(os.Getenv("ENVCRYPT_TEST"), " ", 3); len(job) == 3 {
		if err := writer(job[0], &Project{Root: job[1]}, job[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func writer(what string, p *Project, text string) error {
	if step, ok := strings.CutPrefix(what, "amend-"); ok {
		return amender(step, p.Root, text)
	}
	switch what {
	case "append":
	case "limited": // a file-size limit, whose signal is ignored as a careful program's would be
		signal.Ignore(syscall.SIGXFSZ)
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 4096, Max: 4096}); err != nil {
			return err
		}
		text = strings.Repeat(text, 10_000)
	default: // dies at that step
		testOnlyFault = func(step string) error {
			if step == what {
				syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {}
			}
			return nil
		}
	}
	_, err := p.Update("dev", func(old Files) (Files, error) { return Files{Data: append(old.Data, text...)}, nil })
	return err
}

func command(t *testing.T, what string, p *Project, text string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "ENVCRYPT_TEST="+what+" "+p.Root+" "+text)
	return cmd
}

func newProject(t *testing.T) (p *Project, file string) {
	t.Helper()
	p = &Project{Root: t.TempDir()}
	writeFile(t, p.Path("dev"), "old")
	return p, p.Path("dev")
}

func setFault(t *testing.T, f func(step string) error) {
	t.Helper()
	testOnlyFault = f
	t.Cleanup(func() { testOnlyFault = nil })
}

// leftovers returns what lies beside a file.
func leftovers(t *testing.T, file string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(file))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != filepath.Base(file) {
			names = append(names, e.Name())
		}
	}
	return names
}

func to(text string) func(Files) (Files, error) {
	return func(Files) (Files, error) { return Files{Data: []byte(text)}, nil }
}

func TestUpdate(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o022))
	p, file := newProject(t)
	if err := os.Chmod(file, 0o666); err != nil {
		t.Fatal(err)
	}
	changed, err := p.Update("dev", func(old Files) (Files, error) { return Files{Data: append(old.Data, "+new"...)}, nil })
	if !changed || err != nil {
		t.Fatal(changed, err)
	}
	wantFile(t, file, "old+new")
	if info, _ := os.Stat(file); info.Mode() != 0o666 {
		t.Errorf("the mode became %v", info.Mode())
	}
	before, _ := os.Stat(file)
	nothing := errors.New("nothing")
	for _, edit := range []func(Files) (Files, error){
		to("old+new"),
		func(Files) (Files, error) { return Files{}, nil },
		func(Files) (Files, error) { return Files{Data: []byte("x")}, nothing },
	} {
		if changed, err := p.Update("dev", edit); changed || err != nil && err != nothing {
			t.Error(changed, err)
		}
	}
	if after, _ := os.Stat(file); !os.SameFile(before, after) {
		t.Error("it was replaced although nothing changed")
	}
	// Emptying is a change; a missing file is nil and an empty one is not.
	if changed, err := p.Update("dev", to("")); !changed || err != nil {
		t.Error(changed, err)
	}
	if _, err := p.Update("dev", func(old Files) (Files, error) {
		if old.Data == nil {
			t.Error("an empty file is nil")
		}
		return Files{}, nil
	}); err != nil {
		t.Error(err)
	}
	var unknown *UnknownEnvironmentError
	if _, err := p.Update("../../etc/passwd", to("x")); !errors.As(err, &unknown) {
		t.Errorf("got %v", err)
	}
	if names := leftovers(t, file); names != nil {
		t.Errorf("left %v", names)
	}
}

func TestCreate(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o022))
	p := &Project{Root: t.TempDir()}
	if err := p.Writable("dev"); err != nil {
		t.Error(err)
	}
	if err := p.Replace("dev", nil, to("first")); err != nil {
		t.Fatal(err)
	}
	wantFile(t, p.Path("dev"), "first")
	if info, _ := os.Stat(p.Path("dev")); info.Mode() != 0o644 {
		t.Errorf("mode %v", info.Mode())
	}
	if names := leftovers(t, p.Path("dev")); names != nil {
		t.Errorf("left %v", names)
	}
	var changed *ChangedError
	if err := p.Replace("dev", nil, to("second")); !errors.As(err, &changed) || !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v", err)
	}
	// Somebody creates it at the last moment, after the comparison.
	setFault(t, func(step string) error {
		if step == "rename" {
			writeFile(t, p.Path("prod"), "theirs")
		}
		return nil
	})
	if err := p.Replace("prod", nil, to("ours")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v", err)
	}
	wantFile(t, p.Path("prod"), "theirs")
	wantFile(t, p.Path("dev"), "first")
}

func TestReplaceComparesWithWhatWasRead(t *testing.T) {
	p, file := newProject(t)
	var changed *ChangedError
	if err := p.Replace("dev", []byte("older"), to("new")); !errors.As(err, &changed) || changed.Err != nil {
		t.Errorf("got %v", err)
	}
	wantFile(t, file, "old")
	if err := p.Replace("dev", []byte("old"), to("new")); err != nil {
		t.Error(err)
	}
	wantFile(t, file, "new")
	os.Remove(file)
	if err := p.Replace("dev", []byte("new"), to("newer")); !errors.As(err, &changed) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Lstat(file); err == nil {
		t.Error("a removed file came back")
	}
}

// TestChangedMeanwhile: an editor or git, which take no lock, write while edit runs.
func TestChangedMeanwhile(t *testing.T) {
	for name, meddle := range map[string]func(t *testing.T, file string){
		"changed": func(t *testing.T, file string) { writeFile(t, file, "theirs") },
		"removed": func(t *testing.T, file string) { os.Remove(file) },
	} {
		p, file := newProject(t)
		_, err := p.Update("dev", func(old Files) (Files, error) {
			meddle(t, file)
			return Files{Data: []byte("ours")}, nil
		})
		var changed *ChangedError
		if !errors.As(err, &changed) || changed.Path != file {
			t.Errorf("%s: got %v", name, err)
		}
		if got, _ := os.ReadFile(file); string(got) == "ours" {
			t.Errorf("%s: it was overwritten", name)
		}
		if names := leftovers(t, file); names != nil {
			t.Errorf("%s: left %v", name, names)
		}
	}
}

// TestFaults: an error at any step leaves the old file and nothing else. Only fsyncdir
// comes after the file is in place: then it is the new one, whole, and the error says
// that a power cut may bring the old one back.
func TestFaults(t *testing.T) {
	for _, at := range steps() {
		t.Run(at, func(t *testing.T) {
			p, file := newProject(t)
			broken := errors.New("broken")
			seen := false
			setFault(t, func(step string) error {
				if step != at {
					return nil
				}
				seen = true
				return broken
			})
			changed, err := p.Update("dev", to("new"))
			want := "old"
			if at == "fsyncdir" {
				want = "new"
			}
			if !seen || !errors.Is(err, broken) || changed != (want == "new") {
				t.Errorf("changed %v, %v", changed, err)
			}
			wantFile(t, file, want)
			if names := leftovers(t, file); names != nil {
				t.Errorf("left %v", names)
			}
			testOnlyFault = nil
			if _, err := p.Update("dev", to("newer")); err != nil {
				t.Errorf("the next write: %v", err)
			}
		})
	}
}

// TestKill: a writer killed at any step leaves the old file or the new one, no lock, and
// nothing that the next write does not sweep.
func TestKill(t *testing.T) {
	for _, at := range steps() {
		t.Run(at, func(t *testing.T) {
			p, file := newProject(t)
			err := command(t, at, p, "+new").Run()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
				t.Fatalf("it was not killed: %v", err)
			}
			want := "old"
			if at == "fsyncdir" {
				want = "old+new"
			}
			wantFile(t, file, want)
			left := len(leftovers(t, file))
			if temp := at != "create" && at != "fsyncdir"; temp != (left == 1) {
				t.Errorf("left %d files", left)
			}
			// The sweep is not for the same environment only, and spares what is not ours.
			other := filepath.Join(filepath.Dir(file), ".dev.env.envcrypt-notes")
			writeFile(t, other, "mine")
			if err := p.Replace("prod", nil, to("x")); err != nil {
				t.Fatal(err)
			}
			if names := leftovers(t, file); len(names) != 2 || names[0] != filepath.Base(other) || names[1] != "prod.env" {
				t.Errorf("left %v", names)
			}
		})
	}
}

func TestFileSizeLimit(t *testing.T) {
	p, file := newProject(t)
	if out, err := command(t, "limited", p, "0123456789").CombinedOutput(); err == nil || !bytes.Contains(out, []byte("file too large")) {
		t.Errorf("got %v: %s", err, out)
	}
	wantFile(t, file, "old")
	if names := leftovers(t, file); names != nil {
		t.Errorf("left %v", names)
	}
}

func TestFullDisk(t *testing.T) {
	root := t.TempDir()
	if os.Geteuid() != 0 { // who mounts in a namespace of their own
		if out, err := exec.Command("unshare", "-rm", os.Args[0], "-test.run=^TestFullDisk$").CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=64k", "envcrypt-test", root).CombinedOutput(); err != nil {
		t.Fatalf("cannot mount a small disk: %v: %s", err, out)
	}
	defer exec.Command("umount", root).Run()
	p := &Project{Root: root}
	writeFile(t, p.Path("dev"), "old")
	_, err := p.Update("dev", to(strings.Repeat("x", 256<<10)))
	if !errors.Is(err, unix.ENOSPC) {
		t.Errorf("got %v", err)
	}
	wantFile(t, p.Path("dev"), "old")
	if names := leftovers(t, p.Path("dev")); names != nil {
		t.Errorf("left %v", names)
	}
	if _, err := p.Update("dev", to("new")); err != nil {
		t.Errorf("the next write: %v", err)
	}
}

func TestSymlinks(t *testing.T) {
	outside := t.TempDir()
	writeFile(t, filepath.Join(outside, "victim.env"), "old")
	link := func(t *testing.T, to, at string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(to, at); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("written through", func(t *testing.T) {
		p := &Project{Root: t.TempDir()}
		target := filepath.Join(p.Root, "shared", "dev.env")
		for env, to := range map[string]string{"relative": "../shared/dev.env", "absolute": target} {
			writeFile(t, target, "old")
			link(t, to, p.Path(env))
			if err := p.Writable(env); err != nil {
				t.Error(err)
			}
			if changed, err := p.Update(env, func(old Files) (Files, error) { return Files{Data: append(old.Data, '!')}, nil }); !changed || err != nil {
				t.Error(changed, err)
			}
			wantFile(t, target, "old!")
			if got, err := os.Readlink(p.Path(env)); err != nil || got != to {
				t.Errorf("the link is %q, %v", got, err)
			}
			if names := leftovers(t, target); names != nil {
				t.Errorf("left %v", names)
			}
		}
	})
	for name, set := range map[string]func(t *testing.T, p *Project){
		"file outside":            func(t *testing.T, p *Project) { link(t, filepath.Join(outside, "victim.env"), p.Path("victim")) },
		"directory outside":       func(t *testing.T, p *Project) { link(t, outside, filepath.Join(p.Root, "secrets")) },
		"empty directory outside": func(t *testing.T, p *Project) { link(t, t.TempDir(), filepath.Join(p.Root, "secrets")) },
	} {
		t.Run(name, func(t *testing.T) {
			p := &Project{Root: t.TempDir()}
			set(t, p)
			_, update := p.Update("victim", to("new"))
			refusals := []error{update, p.Writable("victim")}
			if strings.Contains(name, "directory") {
				_, lock := p.Lock()
				refusals = append(refusals, lock)
			}
			for _, err := range refusals {
				var out *OutsideError
				if !errors.As(err, &out) || !strings.HasPrefix(out.Path, p.Root) {
					t.Errorf("got %v", err)
				}
			}
			wantFile(t, filepath.Join(outside, "victim.env"), "old")
		})
	}
	t.Run("swapped after the check", func(t *testing.T) {
		p, file := newProject(t)
		aside := filepath.Dir(file) + "-aside"
		setFault(t, func(step string) error {
			if step == "rename" {
				os.Rename(filepath.Dir(file), aside)
				link(t, outside, filepath.Dir(file))
			}
			return nil
		})
		if _, err := p.Update("dev", to("new")); err == nil {
			t.Error("written")
		}
		if names := leftovers(t, filepath.Join(outside, "victim.env")); names != nil {
			t.Errorf("%v came to lie outside", names)
		}
	})
}

func TestNotRegularFiles(t *testing.T) {
	for name, set := range map[string]func(file string) error{
		"a directory":                func(file string) error { return os.Mkdir(file, 0o755) },
		"a FIFO":                     func(file string) error { return unix.Mkfifo(file, 0o644) },
		"a socket":                   func(file string) error { return unix.Mknod(file, unix.S_IFSOCK|0o644, 0) },
		"a device":                   func(file string) error { return os.Symlink("/dev/null", file) },
		"a symbolic link to nothing": func(file string) error { return os.Symlink("nothing", file) },
	} {
		t.Run(name, func(t *testing.T) {
			p, file := newProject(t)
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
			if err := set(file); err != nil {
				t.Fatal(err)
			}
			before, err := os.Lstat(file)
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 4)
			go func() {
				_, err := ReadFile(file, 8)
				done <- err
				_, err = p.Update("dev", to("new"))
				done <- err
				done <- p.Replace("dev", nil, to("new"))
				if err = WriteFile(file, []byte("new"), 0o600); before.Mode()&fs.ModeSymlink != 0 && err != nil {
					err = &FileError{Path: file, Problem: strings.Replace(err.Error(), "a symbolic link:", name+":", 1)}
				}
				done <- err
			}()
			for range cap(done) {
				select {
				case err := <-done:
					var fileError *FileError
					if !errors.As(err, &fileError) || !strings.Contains(err.Error(), "is "+name) {
						t.Errorf("got %v", err)
					}
				case <-time.After(5 * time.Second):
					t.Fatal("it blocks")
				}
			}
			if err := p.Writable("dev"); err == nil {
				t.Error("writable")
			}
			if after, err := os.Lstat(file); err != nil || !os.SameFile(before, after) {
				t.Errorf("it was replaced: %v", err)
			}
		})
	}
}

func TestReadOnly(t *testing.T) {
	p, file := newProject(t)
	for _, path := range []string{file, filepath.Dir(file)} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, 0o555); err != nil {
			t.Fatal(err)
		}
		_, update := p.Update("dev", to("new"))
		for _, err := range []error{p.Writable("dev"), update} {
			if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), path+" is read-only") {
				t.Errorf("%s: got %v", path, err)
			}
		}
		if err := os.Chmod(path, info.Mode()); err != nil {
			t.Fatal(err)
		}
	}
	wantFile(t, file, "old")
	if err := p.Writable("dev"); err != nil {
		t.Error(err)
	}
}

func TestOwnerIsKept(t *testing.T) {
	uid, gid := os.Getuid(), os.Getgid()
	if uid == 0 { // who alone can give files away
		uid, gid = 1234, 2345
	}
	p, file := newProject(t)
	if err := os.Chown(file, uid, gid); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Update("dev", to("new")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if stat := info.Sys().(*syscall.Stat_t); int(stat.Uid) != uid || int(stat.Gid) != gid {
		t.Errorf("owner %d:%d", stat.Uid, stat.Gid)
	}
}

func TestParallelProcesses(t *testing.T) {
	p, file := newProject(t)
	const writers = 20
	var group sync.WaitGroup
	for i := range writers {
		group.Go(func() {
			if out, err := command(t, "append", p, fmt.Sprintf("\nwriter %d;", i)).CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	group.Wait()
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i := range writers {
		if n := strings.Count(string(got), fmt.Sprintf("\nwriter %d;", i)); n != 1 {
			t.Errorf("writer %d is there %d times", i, n)
		}
	}
	if names := leftovers(t, file); names != nil {
		t.Errorf("left %v", names)
	}
}

// TestManyFilesUnderOneLock is rekey --all: one lock, parallel writes, one fsync of the
// directory, and a policy that is not in it.
func TestManyFilesUnderOneLock(t *testing.T) {
	p := &Project{Root: t.TempDir()}
	const files = 100
	for i := range files {
		writeFile(t, p.Path(fmt.Sprint("env", i)), fmt.Sprint(i))
	}
	policy := filepath.Join(p.Root, PolicyName)
	writeFile(t, policy, "old")
	writeFile(t, filepath.Join(p.Root, ".envcrypt.toml.envcrypt-ABCDEFGHIJKLMNOPQRSTUVWXYZ"), "left")
	synced := 0
	setFault(t, func(step string) error {
		if step == "fsyncdir" {
			synced++
		}
		return nil
	})
	l, err := p.Lock()
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for i := range files {
		group.Go(func() {
			if err := l.Write(p.Path(fmt.Sprint("env", i)), []byte(fmt.Sprint(i)), []byte(fmt.Sprint("new", i))); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if err := l.Write(policy, []byte("old"), []byte("new")); err != nil {
		t.Error(err)
	}
	var out *OutsideError
	if err := l.Write(filepath.Join(p.Root, "..", "x.env"), nil, []byte("new")); !errors.As(err, &out) {
		t.Errorf("got %v", err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if synced != 2 {
		t.Errorf("%d fsyncs of 2 directories", synced)
	}
	for i := range files {
		wantFile(t, p.Path(fmt.Sprint("env", i)), fmt.Sprint("new", i))
	}
	if names := leftovers(t, policy); len(names) != 1 || names[0] != secretsDir {
		t.Errorf("left %v", names)
	}
}

func TestLocked(t *testing.T) {
	p, _ := newProject(t)
	l, err := p.Lock()
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	var locked *LockedError
	if _, err := p.lock(100 * time.Millisecond); !errors.As(err, &locked) || !strings.HasSuffix(locked.Dir, secretsDir) {
		t.Errorf("got %v", err)
	}
	if waited := time.Since(start); waited < 100*time.Millisecond {
		t.Errorf("it waited %v", waited)
	}
	time.AfterFunc(50*time.Millisecond, func() { l.Close() })
	again, err := p.lock(5 * time.Second)
	if err != nil {
		t.Fatalf("it was unlocked: %v", err)
	}
	again.Close()
	if names := leftovers(t, p.Path("dev")); names != nil {
		t.Errorf("the lock left %v", names)
	}
}

// TestLockedDirectoryIsReplaced: a git checkout removes and makes the directory while
// somebody waits; who held the old one must not keep out, or let in, anybody.
func TestLockedDirectoryIsReplaced(t *testing.T) {
	p, file := newProject(t)
	old, err := p.Lock()
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	f, err := os.Open(filepath.Dir(file))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := os.RemoveAll(filepath.Dir(file)); err != nil {
		t.Fatal(err)
	}
	writeFile(t, file, "old")
	if isStill(filepath.Dir(file), f) {
		t.Error("a removed directory is taken for the new one")
	}
	l, err := p.lock(time.Second)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
}

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, strings.Repeat("n", 250))
	check := func(text string) {
		t.Helper()
		if err := WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		wantFile(t, file, text)
		if info, _ := os.Stat(file); info.Mode() != 0o600 {
			t.Errorf("mode %v", info.Mode())
		}
		if names := leftovers(t, file); names != nil {
			t.Errorf("left %v", names)
		}
	}
	check("first")
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	check("second: an exported file is for its owner, whoever could read it before")

	broken := errors.New("broken")
	for _, at := range steps()[:5] {
		setFault(t, func(step string) error {
			if step == at {
				return broken
			}
			return nil
		})
		if err := WriteFile(file, []byte("third"), 0o600); !errors.Is(err, broken) {
			t.Errorf("%s: got %v", at, err)
		}
		wantFile(t, file, "second: an exported file is for its owner, whoever could read it before")
	}
	testOnlyFault = nil
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	var refused *FileError
	if err := WriteFile(link, []byte("through"), 0o600); !errors.As(err, &refused) || !strings.Contains(refused.Problem, "symbolic link") {
		t.Errorf("through a link that somebody else may have made: %v", err)
	}
	wantFile(t, file, "second: an exported file is for its owner, whoever could read it before")
	if err := WriteFile(filepath.Join(dir, "no", "file"), nil, 0o600); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func BenchmarkWriteMany(b *testing.B) {
	p := &Project{Root: b.TempDir()}
	const files = 1000
	for i := range files {
		writeFile(b, p.Path(fmt.Sprint("env", i)), "0")
	}
	old := []byte("0")
	for round := 1; b.Loop(); round++ {
		l, err := p.Lock()
		if err != nil {
			b.Fatal(err)
		}
		next := []byte(fmt.Sprint(round))
		var group sync.WaitGroup
		for worker := range 8 {
			group.Go(func() {
				for i := worker; i < files; i += 8 {
					if err := l.Write(p.Path(fmt.Sprint("env", i)), old, next); err != nil {
						b.Error(err)
					}
				}
			})
		}
		group.Wait()
		old = next
		if err := l.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
