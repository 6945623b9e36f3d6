//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"filippo.io/age"
)

func publicKey(t *testing.T) string {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id.Recipient().String()
}

// code runs the program and returns its exit code.
func (w *workplace) code(args ...string) int {
	w.t.Helper()
	var exited *exec.ExitError
	if err := w.command(args...).Run(); errors.As(err, &exited) {
		return exited.ExitCode()
	} else if err != nil {
		w.t.Fatal(err)
	}
	return exitDone
}

func (w *workplace) read(name string) string {
	w.t.Helper()
	data, err := os.ReadFile(filepath.Join(w.dir, name))
	if err != nil {
		w.t.Fatal(err)
	}
	return string(data)
}

// Of members that are added at the same time, none is lost who was told to be in.
func TestParallelMemberAdd(t *testing.T) {
	w := newWorkplace(t)
	w.run("set", "A=hunter2")
	codes := make([]int, 6)
	var group sync.WaitGroup
	for i := range codes {
		args := []string{"member", "add", fmt.Sprintf("member-%d", i), publicKey(t), "-y"}
		if i%2 == 1 {
			args = append(args, "--group", "developers")
		}
		group.Go(func() { codes[i] = w.code(args...) })
	}
	group.Wait()
	policy, done := w.read("envcrypt.toml"), 0
	for i, code := range codes {
		there := strings.Contains(policy, fmt.Sprintf("[members.member-%d]\n", i))
		if there != (code == exitDone) || code != exitDone && code != exitChanged {
			t.Errorf("%d: exit code %d, in the policy: %v", i, code, there)
		}
		if there {
			done++
		}
	}
	if done == 0 {
		t.Error("nobody was added")
	}
	w.run("access") // finds no file that lags behind
}

// A policy of a thousand members.
func TestThousandMembers(t *testing.T) {
	w := newWorkplace(t)
	w.run("set", "A=hunter2")
	var members strings.Builder
	var names []string
	for i := range 1000 {
		name := fmt.Sprintf("m%04d", i)
		names = append(names, `"`+name+`"`)
		fmt.Fprintf(&members, "[members.%s]\nkeys = [%q]  # of %s\n\n", name, publicKey(t), name)
	}
	members.WriteString("[groups]\neverybody = [" + strings.Join(names, ", ") + "]\n")
	before := strings.Replace(w.read("envcrypt.toml"), "[groups]\n", members.String(), 1)
	if err := os.WriteFile(filepath.Join(w.dir, "envcrypt.toml"), []byte(before), 0o644); err != nil {
		t.Fatal(err)
	}
	w.run("member", "add", "bob", publicKey(t))
	w.run("group", "add", "everybody", "bob")
	w.run("grant", "development", "everybody", "-y")
	w.run("member", "rename", "m0001", "first")
	if out := w.run("member", "remove", "m0500", "-y"); !strings.HasPrefix(out, "development  A ") {
		t.Errorf("removed with %q", out)
	}
	w.run("revoke", "development", "everybody", "-y")
	w.run("member", "list")
	for _, removed := range []string{`"m0500", `, "[members.m0500]\n"} {
		if strings.Contains(w.read("envcrypt.toml"), removed) {
			t.Errorf("the policy still has %s", removed)
		}
	}
	if got := w.read("envcrypt.toml"); strings.Count(got, "  # of m") != strings.Count(before, "  # of m")-1 {
		t.Error("comments were lost")
	}
}

// Whenever a removal is killed, each file is the old or the new one, and a rekey does the rest:
// no file is left encrypted to somebody whom the policy does not name any more.
func TestMemberRemoveKilled(t *testing.T) {
	w := newWorkplace(t)
	files := w.manyEnvironments()
	bob := publicKey(t)
	w.run("member", "add", "bob", bob, "--group", "ops", "-y")
	saved := make([]string, len(files))
	for i, name := range files {
		saved[i] = w.read(name)
	}
	encrypted := func() (n int) {
		for _, name := range files {
			if strings.HasSuffix(name, ".env") && strings.Contains(w.read(name), bob) {
				n++
			}
		}
		return n
	}
	all := encrypted()
	between, kills := 0, 0
	const stride = 4 // of them all, it takes long
	for at := 0; at < len(files); at += stride {
		kills++
		for i, name := range files {
			if err := os.WriteFile(filepath.Join(w.dir, name), []byte(saved[i]), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		w.killOnChange(files[at], "member", "remove", "bob", "-y")
		gone, left := !strings.Contains(w.read("envcrypt.toml"), bob), encrypted()
		switch {
		case !gone && left < all:
			t.Errorf("%s: a file is new, and the policy is old", files[at])
		case gone && left > 0:
			between++
		}
		w.run("rekey", "--all", "-y", "-q")
		if !gone {
			w.run("member", "remove", "bob", "-y", "-q")
		}
		if encrypted() > 0 {
			t.Errorf("%s: a file is still encrypted to bob", files[at])
		}
		w.run("access")
		w.run("history", "verify", "-q")
		if got := w.run("get", "A"); got != "hunter2" {
			t.Errorf("%s: A is %q", files[at], got)
		}
	}
	t.Logf("%d of %d kills came between two files", between, kills)
}

// manyEnvironments makes a project of 20 environments, and returns the policy and the files in
// the order in which they are replaced.
func (w *workplace) manyEnvironments() []string {
	w.t.Helper()
	var policy strings.Builder
	policy.WriteString(w.read("envcrypt.toml"))
	files := []string{"envcrypt.toml"}
	for i := range 20 {
		name := fmt.Sprintf("e%02d", i)
		fmt.Fprintf(&policy, "\n[environments.%s]\nreaders = [\"ops\"]\n", name)
		files = append(files, "secrets/"+name+".env", "secrets/"+name+".history")
	}
	for _, name := range []string{"development", "staging", "production"} {
		files = append(files, "secrets/"+name+".env", "secrets/"+name+".history")
	}
	if err := os.WriteFile(filepath.Join(w.dir, "envcrypt.toml"), []byte(policy.String()), 0o644); err != nil {
		w.t.Fatal(err)
	}
	w.run("init", "-q")
	w.run("set", "A=hunter2")
	return files
}

// killOnChange runs the program and kills it as soon as a file is another one.
func (w *workplace) killOnChange(name string, args ...string) {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	before, err := os.Stat(path)
	if err != nil {
		w.t.Fatal(err)
	}
	cmd := w.command(args...)
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	for {
		select {
		case <-ended:
			return
		default:
		}
		if now, err := os.Stat(path); err == nil && !os.SameFile(before, now) {
			_ = cmd.Process.Signal(syscall.SIGKILL)
			<-ended
			return
		}
	}
}

// A private key on the command line is gone from there while the program goes on.
func TestHidePrivate(t *testing.T) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv("TEST_HIDE_PRIVATE") != "" {
		if refusePrivate(os.Args) == nil {
			t.Fatal("it was not refused")
		}
		line, err := os.ReadFile("/proc/self/cmdline")
		if err != nil || bytes.Contains(line, []byte("SECRET-KEY")) {
			t.Fatalf("%d bytes of command line, %v", len(line), err)
		}
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestHidePrivate$", "--", id.String())
	cmd.Env = append(os.Environ(), "TEST_HIDE_PRIVATE=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
