//go:build linux

package main

import (
	"bytes"
	"os"
	"os/exec"
	"testing"
)

// TestHideArguments runs itself with a value among its arguments and looks at its
// own command line as ps would.
func TestHideArguments(t *testing.T) {
	const value = "hunter2-argument"
	if os.Getenv("TEST_HIDE") != "" {
		hideArguments([]string{"KEY=" + value})
		line, err := os.ReadFile("/proc/self/cmdline")
		if err != nil || bytes.Contains(line, []byte(value)) || !bytes.Contains(line, []byte("KEY=")) {
			t.Fatalf("%d bytes of command line, %v", len(line), err)
		}
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestHideArguments$", "--", "KEY="+value)
	cmd.Env = append(os.Environ(), "TEST_HIDE=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
