// Command bare becomes the command it is given and does nothing else: what a Go
// program that execs costs at the least.
package main

import (
	"os"
	"os/exec"
	"syscall"
)

func main() {
	path, err := exec.LookPath(os.Args[1])
	if err == nil {
		err = syscall.Exec(path, os.Args[1:], os.Environ())
	}
	os.Stderr.WriteString(err.Error() + "\n")
	os.Exit(1)
}
