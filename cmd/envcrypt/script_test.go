//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// TestMain lets scripts run this program, in a process of its own.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) != programName {
		leaveTerminal()
		heedSignals()
	}
	testscript.Main(m, map[string]func(){programName: main})
}

// leaveTerminal takes the terminal of whoever runs the tests away from them, so
// that a question is refused here as it is in a pipeline, and asked only where
// a test gives a terminal of its own.
func leaveTerminal() {
	if f, err := os.OpenFile("/dev/tty", os.O_RDWR, 0); err == nil {
		_ = unix.IoctlSetInt(int(f.Fd()), unix.TIOCNOTTY, 0)
		f.Close()
	}
}

// heedSignals undoes what a shell does to the jobs in its background, and nohup
// to its own: their children have signals ignored that tests send.
func heedSignals() {
	for _, s := range endingSignals {
		if signal.Ignored(s) {
			signal.Notify(make(chan os.Signal, 1), s)
		}
	}
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: false,
		RequireUniqueNames:  true,
		Setup:               setupScript,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"batchpass": cmdBatchpass,
			"burrow":    cmdBurrow,
			"code":      cmdCode,
			"expand":    cmdExpand,
			"keypair":   cmdKeypair,
			"mode":      cmdMode,
			"nothing":   cmdNothing,
			"plugin":    cmdPlugin,
			"project":   cmdProject,
			"tty":       cmdTTY,

			"unprivileged": cmdUnprivileged,
		},
	})
}

// setupScript gives a script a home, and a memory-backed directory that only it
// uses.
func setupScript(env *testscript.Env) error {
	runtimeDir, err := os.MkdirTemp("/dev/shm", "envcrypt-test-")
	if err != nil {
		return err
	}
	env.Defer(func() { os.RemoveAll(runtimeDir) })
	home := filepath.Join(env.WorkDir, "home")
	if err := os.Mkdir(home, 0o700); err != nil && !os.IsExist(err) {
		return err
	}
	samples, err := filepath.Abs(filepath.Join("..", "..", "crypt", "testdata"))
	if err != nil {
		return err
	}
	env.Vars = append(env.Vars,
		"HOME="+home,
		"USER=me",
		"XDG_RUNTIME_DIR="+runtimeDir,
		"SAMPLES="+samples, // an identity, and what sops has written for it
		"TERM=xterm",
		"LC_ALL=C.UTF-8",
		"GIT_CONFIG_NOSYSTEM=1",
		"GIT_CEILING_DIRECTORIES="+filepath.Dir(env.WorkDir),
		"GIT_AUTHOR_NAME=me", "GIT_AUTHOR_EMAIL=me@localhost",
		"GIT_COMMITTER_NAME=me", "GIT_COMMITTER_EMAIL=me@localhost",
		"ID="+filepath.Join(home, ".config", programName, "identity.txt"),
	)
	return nil
}

// cmdCode runs a command and wants its exit code: code N COMMAND ARG...
func cmdCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N COMMAND ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if got := exitCode(ts, ts.Exec(args[1], args[2:]...)); got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func exitCode(ts *testscript.TestScript, err error) int {
	var exited *exec.ExitError
	if err != nil && !errors.As(err, &exited) {
		ts.Fatalf("%v", err)
	}
	if err == nil {
		return 0
	}
	return exited.ExitCode()
}

// cmdExpand replaces $NAME and ${NAME} in files: expand FILE...
func cmdExpand(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range args {
		text := os.Expand(ts.ReadFile(name), ts.Getenv)
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o644))
	}
}

// cmdMode wants a file's permission bits: mode 0600 FILE
func cmdMode(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: mode OCTAL FILE")
	}
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := fmt.Sprintf("%04o", info.Mode().Perm()); (got == args[0]) == neg {
		ts.Fatalf("%s has mode %s", args[1], got)
	}
}

// cmdNothing wants directories that are empty or missing: nothing DIR...
func cmdNothing(ts *testscript.TestScript, neg bool, args []string) {
	for _, dir := range args {
		var found []string
		err := filepath.WalkDir(ts.MkAbs(dir), func(path string, _ os.DirEntry, err error) error {
			if err == nil && path != ts.MkAbs(dir) {
				found = append(found, path)
			}
			return nil
		})
		ts.Check(err)
		if neg != (len(found) > 0) {
			ts.Fatalf("in %s is %q", dir, found)
		}
	}
}

// cmdProject makes a project in the working directory with this user alone as
// its reader, and sets some values: project KEY=VALUE...
func cmdProject(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(ts.Exec(programName, "init", "-q"))
	if len(args) > 0 {
		ts.Check(ts.Exec(programName, append([]string{"set", "-e", "development"}, args...)...))
	}
	id := ts.ReadFile(ts.Getenv("ID"))
	_, public, _ := strings.Cut(id, "# public key: ")
	public, _, _ = strings.Cut(public, "\n")
	ts.Setenv("me", public)
}
