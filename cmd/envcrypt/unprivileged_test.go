//go:build linux

package main

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"
)

// nobodyID is a user that no system has. What it may not do, nobody may.
const nobodyID = 54321

// cmdUnprivileged runs a command as somebody whom permissions stop, and wants
// its exit code: unprivileged CODE COMMAND ARG... For root that is another user,
// who gets the working directory; others stay who they are. $UID is that user.
func cmdUnprivileged(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: unprivileged CODE COMMAND ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	path, err := lookIn(args[1], ts.Getenv("PATH"))
	ts.Check(err)
	env := append(scriptEnv(ts), "UID="+strconv.Itoa(unprivilegedID()))
	cmd := exec.Command(path, args[2:]...)
	cmd.Args[0] = args[1]
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = ts.MkAbs("."), env, ts.Stdout(), ts.Stderr()
	if os.Geteuid() == 0 {
		work := ts.Getenv("WORK")
		program, err := lookIn(programName, ts.Getenv("PATH"))
		ts.Check(err)
		for _, dir := range []string{filepath.Dir(work), filepath.Dir(filepath.Dir(program)), filepath.Dir(program)} {
			ts.Check(os.Chmod(dir, 0o755)) // temporary directories, which were root's alone
		}
		give(ts, work)
		give(ts, ts.Getenv("XDG_RUNTIME_DIR"))
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobodyID, Gid: nobodyID}}
	}
	if got := exitCode(ts, cmd.Run()); got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func unprivilegedID() int {
	if os.Geteuid() == 0 {
		return nobodyID
	}
	return os.Getuid()
}

// give makes the unprivileged user the owner of a directory and what is in it.
func give(ts *testscript.TestScript, dir string) {
	ts.Check(filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, nobodyID, nobodyID)
	}))
}
