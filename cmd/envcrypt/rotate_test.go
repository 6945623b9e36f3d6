//go:build linux

package main

import (
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"envcrypt/internal/launch"

	"github.com/urfave/cli/v2"
)

// runAt runs one command line at another time, and returns what it prints and its exit
// code.
func (w *workplace) runAt(now time.Time, args ...string) (out string, code int) {
	w.t.Helper()
	stdout, err := os.Create(w.dir + "/stdout")
	if err != nil {
		w.t.Fatal(err)
	}
	defer stdout.Close()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	defer null.Close()
	s := system{args: append([]string{programName}, args...), env: w.env, stdin: null, stdout: stdout, stderr: null}
	a := &app{system: s, now: func() time.Time { return now }}
	a.tui, a.allowDumps = newTUI(s), launch.NoCoreDump()
	defer a.allowDumps()
	line, command := arrange(s.args, a.find)
	a.action = command.Name
	err = newCLI(a, []*cli.Command{command}).Run(line)
	_ = a.endAll(err)
	code = a.report(command.Name, err)
	if _, err := stdout.Seek(0, io.SeekStart); err != nil {
		w.t.Fatal(err)
	}
	text, err := io.ReadAll(stdout)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(text), code
}

// What is due is a matter of time alone: nothing else happens between the looks.
func TestRotateDueInTime(t *testing.T) {
	w := newWorkplace(t)
	t.Chdir(w.dir)
	start := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	policy, err := os.ReadFile("envcrypt.toml")
	if err != nil {
		t.Fatal(err)
	}
	declared := "\n[keys.DATABASE_PASSWORD]\nrotate = \"30d\"\n[keys.TOKEN]\nrotate = \"36h\"\n"
	if err := os.WriteFile("envcrypt.toml", append(policy, declared...), 0o600); err != nil {
		t.Fatal(err)
	}
	at := func(after time.Duration, want int, args ...string) []string {
		t.Helper()
		out, code := w.runAt(start.Add(after), args...)
		if code != want {
			t.Errorf("%v: exit code %d, not %d", args, code, want)
		}
		return slices.DeleteFunc(strings.Split(out, "\n"), func(line string) bool { return line == "" })
	}
	expect := func(after time.Duration, want ...string) {
		t.Helper()
		code := exitDone
		if len(want) > 0 {
			code = exitFinding
		}
		if got := at(after, code, "rotate", "--due"); !slices.Equal(got, want) {
			t.Errorf("after %v\n%q, not\n%q", after, got, want)
		}
	}
	at(0, 0, "set", "-e", "production", "-y", "DATABASE_PASSWORD=hunter2-d", "TOKEN=hunter2-t")
	expect(0)
	expect(36*time.Hour - time.Second)
	expect(36*time.Hour, "production  TOKEN: 36 hours, every 36")
	at(20*day, 0, "rotate", "TOKEN", "-e", "production", "-y", "--generate", "hex")
	expect(20 * day)
	expect(34*day, "production  DATABASE_PASSWORD: 34 days, every 30", "production  TOKEN: 336 hours, every 36")
	at(34*day, 0, "rotate", "DATABASE_PASSWORD", "TOKEN", "-e", "production", "-y", "--generate", "words", "--overlap", "1d")
	expect(35*day - time.Second)
	until := start.Add(35 * day).Local().Format("2006-01-02 15:04")
	expect(35*day,
		"production  DATABASE_PASSWORD_PREVIOUS: to be removed since "+until+": rotate --finish",
		"production  TOKEN_PREVIOUS: to be removed since "+until+": rotate --finish")
	at(35*day-time.Second, exitFailed, "rotate", "--finish", "TOKEN", "-e", "production", "-y")
	at(35*day, 0, "rotate", "--finish", "TOKEN", "-e", "production", "-y")
	expect(35*day, "production  DATABASE_PASSWORD_PREVIOUS: to be removed since "+until+": rotate --finish")
	at(35*day-time.Second, exitFailed, "rotate", "DATABASE_PASSWORD", "-e", "production", "-y", "--generate", "hex", "--overlap", "1d")
	at(35*day, 0, "rotate", "DATABASE_PASSWORD", "-e", "production", "-y", "--generate", "hex", "--overlap", "1d")
	expect(35 * day)
	at(36*day, 0, "rotate", "--finish", "-e", "production", "-y")
	expect(36*day, "production  TOKEN: 48 hours, every 36")
	if got := at(36*day, 0, "keys", "production"); !slices.Equal(got, []string{"DATABASE_PASSWORD", "TOKEN"}) {
		t.Errorf("left are %q", got)
	}
}
