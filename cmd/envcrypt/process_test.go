//go:build linux

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// workplace is a directory with a project, and the environment for running the
// program there.
type workplace struct {
	t   *testing.T
	dir string
	env []string
}

func newWorkplace(t *testing.T) *workplace {
	t.Helper()
	dir := t.TempDir()
	w := &workplace{t: t, dir: dir, env: []string{"HOME=" + filepath.Join(dir, "home"), "PATH=" + os.Getenv("PATH"), "TMPDIR=" + dir}}
	w.run("init", "-q")
	return w
}

// command is this program in a process of its own.
func (w *workplace) command(args ...string) *exec.Cmd {
	w.t.Helper()
	self, err := os.Executable()
	if err != nil {
		w.t.Fatal(err)
	}
	cmd := exec.CommandContext(w.t.Context(), self, args...)
	cmd.Args[0], cmd.Dir, cmd.Env = programName, w.dir, w.env
	return cmd
}

// run runs it and returns what it prints; it must end with 0.
func (w *workplace) run(args ...string) string {
	w.t.Helper()
	var errors strings.Builder
	cmd := w.command(args...)
	cmd.Stderr = &errors
	out, err := cmd.Output()
	if err != nil {
		w.t.Fatalf("%s: %v\n%s", args, err, &errors)
	}
	return string(out)
}

func TestExecIsTheSameProcess(t *testing.T) {
	w := newWorkplace(t)
	cmd := w.command("exec", "--", "sh", "-c", "echo $$ $PPID")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("%d %d\n", cmd.Process.Pid, os.Getpid()); string(out) != want {
		t.Errorf("the command is process %q, want %q", out, want)
	}
}

func TestExecPassesDescriptorsAndStandardFiles(t *testing.T) {
	w := newWorkplace(t)
	script := []string{"sh", "-c", "cat; cat <&3; echo problem >&2; ls /proc/self/fd"}
	run := func(cmd *exec.Cmd) (out, problems string) {
		extra, write, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer extra.Close()
		fmt.Fprint(write, "from 3\n")
		write.Close()
		var stdout, stderr strings.Builder
		cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader("from 0\n"), &stdout, &stderr
		cmd.ExtraFiles = []*os.File{extra}
		if err := cmd.Run(); err != nil {
			t.Fatal(err)
		}
		return stdout.String(), stderr.String()
	}
	out, problems := run(w.command(append([]string{"exec", "--"}, script...)...))
	bare, _ := run(exec.CommandContext(t.Context(), script[0], script[1:]...))
	if !strings.HasPrefix(out, "from 0\nfrom 3\n0\n1\n") || out != bare || problems != "problem\n" {
		t.Errorf("got %q and %q, without envcrypt %q", out, problems, bare)
	}
}

func TestExecEndsAsTheCommandDoes(t *testing.T) {
	w := newWorkplace(t)
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGKILL, syscall.SIGUSR1} {
		err := w.command("exec", "--", "sh", "-c", "kill -"+strconv.Itoa(int(sig))+" $$").Run()
		var exited *exec.ExitError
		if !errors.As(err, &exited) {
			t.Errorf("%v: %v", sig, err)
			continue
		}
		if status := exited.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != sig {
			t.Errorf("%v: ended as %v", sig, exited)
		}
	}
}

// A supervisor's signal reaches the command and nothing in between.
func TestExecSignalsReachTheCommand(t *testing.T) {
	w := newWorkplace(t)
	cmd := w.command("exec", "--", "sh", "-c", `trap 'echo stopping; exit 42' TERM; echo ready; while :; do sleep 0.05; done`)
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(pipe)
	if line, err := lines.ReadString('\n'); line != "ready\n" {
		t.Fatalf("%q, %v", line, err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(lines)
	if err != nil || string(rest) != "stopping\n" {
		t.Errorf("%q, %v", rest, err)
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 42 {
		t.Errorf("%v, want the command's exit status 42", err)
	}
}

// The command is what it would be without envcrypt: it can be debugged and dump
// core again, and has its caller's limits and signals.
func TestExecLeavesNoTrace(t *testing.T) {
	w := newWorkplace(t)
	for _, argv := range [][]string{
		{"stat", "-c", "%u", "/proc/self/mem"},
		{"grep", "-E", "^(Sig[PBIC]|Cap|NoNewPrivs|Seccomp|CoreDumping|THP)", "/proc/self/status"},
		{"cat", "/proc/self/limits"},
		{"sh", "-c", "umask; pwd"},
	} {
		bare := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
		bare.Dir = w.dir
		want, err := bare.Output()
		if err != nil {
			t.Fatal(err)
		}
		if out := w.run(append([]string{"exec", "--"}, argv...)...); out != string(want) {
			t.Errorf("%q\n%s\nwithout envcrypt\n%s", argv, out, want)
		}
	}
}

// Of any number of writers at the same time, none loses what it was told is done.
func TestParallelSet(t *testing.T) {
	w := newWorkplace(t)
	const writers = 20
	var group sync.WaitGroup
	var mu sync.Mutex
	var want []string
	for i := range writers {
		group.Go(func() {
			key := fmt.Sprintf("KEY_%02d", i)
			if w.command("set", key+"=hunter2-"+strconv.Itoa(i)).Run() == nil {
				mu.Lock()
				defer mu.Unlock()
				want = append(want, key)
			}
		})
	}
	group.Wait()
	got := strings.Fields(w.run("keys"))
	slices.Sort(got)
	slices.Sort(want)
	if len(want) == 0 || !slices.Equal(got, want) {
		t.Errorf("the file has %q, done were %q", got, want)
	}
	w.run("export") // opens
}

func TestSetDuringRekey(t *testing.T) {
	w := newWorkplace(t)
	w.run("keygen", "-o", "other.key")
	var group sync.WaitGroup
	for i := range 8 {
		w.run("set", "OLD="+strconv.Itoa(i))
		toggleReader(t, w)
		var set, rekey error
		group.Go(func() { set = w.command("set", fmt.Sprintf("NEW_%d=hunter2", i)).Run() })
		group.Go(func() { rekey = w.command("rekey", "-y").Run() })
		group.Wait()
		if rekey != nil { // the set came between its two looks at the file
			w.run("rekey", "-y")
		}
		has := slices.Contains(strings.Fields(w.run("keys")), fmt.Sprintf("NEW_%d", i))
		if has != (set == nil) {
			t.Errorf("round %d: set ended with %v, and its key is there: %v", i, set, has)
		}
		if got := w.run("get", "OLD"); got != strconv.Itoa(i) {
			t.Errorf("round %d: OLD is %q", i, got)
		}
	}
}

// toggleReader adds a second key to the policy, or takes it away again.
func toggleReader(t *testing.T, w *workplace) {
	t.Helper()
	path := filepath.Join(w.dir, "envcrypt.toml")
	policy, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(filepath.Join(w.dir, "other.key"))
	if err != nil {
		t.Fatal(err)
	}
	_, public, _ := strings.Cut(string(key), "# public key: ")
	public, _, _ = strings.Cut(public, "\n")
	text, had := strings.CutSuffix(string(policy), "\n[members.other]\nkeys = [\""+public+"\"]\n")
	if had {
		text = strings.ReplaceAll(text, `, "other"]`, "]")
	} else {
		text = strings.ReplaceAll(text, `"ops"]`, `"ops", "other"]`) + "\n[members.other]\nkeys = [\"" + public + "\"]\n"
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// No value is ever in the arguments of a process: nothing that envcrypt starts
// gets one.
func TestValuesStayOutOfArguments(t *testing.T) {
	w := newWorkplace(t)
	w.run("set", "A=hunter2-a")
	out := w.run("exec", "--", "sh", "-c", `tr '\0' ' ' </proc/$$/cmdline`)
	if strings.Contains(out, "hunter2") || !strings.HasPrefix(out, "sh -c") {
		t.Errorf("the command's arguments are %q", out)
	}
}
