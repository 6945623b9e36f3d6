package main

import (
	"os"
	"os/exec"
	"syscall"
)

// shellCommand runs a command line of the user's, with the quotes that are in it.
func shellCommand(line string) *exec.Cmd {
	cmd := exec.Command("cmd.exe")
	cmd.SysProcAttr = &syscall.SysProcAttr{CmdLine: `cmd.exe /S /C "` + line + `"`}
	return cmd
}

func ownGroup(*exec.Cmd) {}

// signalCommand ends the command: there are no other signals here.
func signalCommand(cmd *exec.Cmd, _ os.Signal) { _ = cmd.Process.Kill() }
