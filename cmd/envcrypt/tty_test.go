//go:build linux

package main

import (
	"bytes"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/creack/pty"
	"github.com/rogpeppe/go-internal/testscript"
)

// patience is how long a test waits for what must come. It is no measure of
// speed: whoever runs into it has failed.
const patience = 30 * time.Second

// cmdTTY runs a command on a pseudo-terminal and talks to it:
//
//	tty [-code N] [-in FILE] [-out FILE] DIALOGUE COMMAND ARG...
//
// -in and -out take standard input and output off the terminal. The dialogue is
// a file with a step on each line: "expect TEXT" waits until the terminal shows
// it, behind what was expected before; "file PATH" waits for a file; "send
// TEXT" types, with \r, \x03 and the like; "touch PATH" makes a file; "signal TERM"
// sends a signal. What the terminal has shown is the script's stdout then.
func cmdTTY(ts *testscript.TestScript, neg bool, args []string) {
	want := 0
	cmd := new(exec.Cmd)
	attr := &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 2}
	for len(args) > 2 && strings.HasPrefix(args[0], "-") {
		var err error
		switch args[0] {
		case "-code":
			want, err = strconv.Atoi(args[1])
		case "-in":
			var f *os.File
			if f, err = os.Open(ts.MkAbs(args[1])); err == nil {
				defer f.Close()
				cmd.Stdin = f
			}
		case "-out":
			var f *os.File
			if f, err = os.Create(ts.MkAbs(args[1])); err == nil {
				defer f.Close()
				cmd.Stdout = f
			}
		default:
			ts.Fatalf("unknown flag %s", args[0])
		}
		ts.Check(err)
		args = args[2:]
	}
	if neg || len(args) < 2 {
		ts.Fatalf("usage: tty [-code N] [-in FILE] [-out FILE] DIALOGUE COMMAND ARG...")
	}
	dialogue := ts.ReadFile(args[0])
	path, err := lookIn(args[1], ts.Getenv("PATH"))
	ts.Check(err)
	cmd.Path, cmd.Args, cmd.Dir = path, args[1:], ts.MkAbs(".")
	cmd.Env = scriptEnv(ts)
	s := &screen{}
	ptmx, err := pty.StartWithAttrs(cmd, &pty.Winsize{Rows: 24, Cols: 250}, attr)
	ts.Check(err)
	defer ptmx.Close()
	ended := make(chan struct{})
	go func() {
		_, _ = ptmx.WriteTo(s) // ends with an error once nobody holds the terminal
		close(ended)
	}()
	problem := s.play(ts, dialogue, ptmx, cmd.Process)
	if problem != "" {
		_ = cmd.Process.Kill()
	}
	overdue := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	err = cmd.Wait()
	if !overdue.Stop() {
		problem += " it did not end"
	}
	select {
	case <-ended:
	case <-time.After(patience):
		problem += " a child has kept the terminal"
	}
	_, _ = ts.Stdout().Write(s.bytes())
	if problem != "" {
		ts.Fatalf("%s; the terminal shows\n%s", problem, s.bytes())
	}
	code := exitCode(ts, err)
	if state, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && state.Signaled() {
		code = 128 + int(state.Signal())
	}
	if code != want {
		ts.Fatalf("exit code %d, want %d; the terminal shows\n%s", code, want, s.bytes())
	}
}

// scriptEnv is a script's environment, which testscript shows one by one only.
func scriptEnv(ts *testscript.TestScript) []string {
	ts.Check(ts.Exec("env", "-0"))
	var env []string
	for kv := range strings.SplitSeq(ts.ReadFile("stdout"), "\x00") {
		if kv != "" {
			env = append(env, kv)
		}
	}
	return env
}

func lookIn(name, path string) (string, error) {
	for dir := range strings.SplitSeq(path, ":") {
		if info, err := os.Stat(dir + "/" + name); err == nil && info.Mode().IsRegular() {
			return dir + "/" + name, nil
		}
	}
	return exec.LookPath(name)
}

// screen is all that a terminal was told to show.
type screen struct {
	mu   sync.Mutex
	text []byte
	seen int // how much of text was expected already
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text = append(s.text, p...)
	return len(p), nil
}

func (s *screen) bytes() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Clone(s.text)
}

// shows moves behind the next text on the screen.
func (s *screen) shows(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := bytes.Index(s.text[s.seen:], []byte(text))
	if i >= 0 {
		s.seen += i + len(text)
	}
	return i >= 0
}

func (s *screen) play(ts *testscript.TestScript, dialogue string, to *os.File, p *os.Process) (problem string) {
	signals := map[string]os.Signal{"INT": syscall.SIGINT, "TERM": syscall.SIGTERM, "HUP": syscall.SIGHUP, "QUIT": syscall.SIGQUIT, "KILL": syscall.SIGKILL}
	for line := range strings.Lines(dialogue) {
		verb, text, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch verb {
		case "", "#":
		case "expect":
			if !eventually(func() bool { return s.shows(text) }) {
				return "never shown: " + text
			}
		case "file":
			if !eventually(func() bool { _, err := os.Stat(ts.MkAbs(text)); return err == nil }) {
				return "never made: " + text
			}
		case "send":
			keys, err := strconv.Unquote(`"` + strings.ReplaceAll(text, `"`, `\"`) + `"`)
			ts.Check(err)
			_, err = to.WriteString(keys)
			ts.Check(err)
		case "touch":
			ts.Check(os.WriteFile(ts.MkAbs(text), nil, 0o600))
		case "signal":
			ts.Check(p.Signal(signals[text]))
		default:
			ts.Fatalf("unknown step %q of a dialogue", verb)
		}
	}
	return ""
}

func eventually(is func() bool) bool {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if is() {
			return true
		}
	}
	return false
}
