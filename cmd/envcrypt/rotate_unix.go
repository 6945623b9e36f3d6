//go:build unix

package main

import (
	"os"
	"os/exec"
	"syscall"
)

// shellCommand runs a command line of the user's.
func shellCommand(line string) *exec.Cmd { return exec.Command("/bin/sh", "-c", line) }

// ownGroup makes a command and all that it starts one process group.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// signalCommand sends a signal to a command and, if that has one of its own, to its group.
func signalCommand(cmd *exec.Cmd, sig os.Signal) {
	pid := cmd.Process.Pid
	if cmd.SysProcAttr != nil && cmd.SysProcAttr.Setpgid {
		pid = -pid
	}
	_ = syscall.Kill(pid, sig.(syscall.Signal))
}
