//go:build unix

package main

import "golang.org/x/sys/unix"

const terminalIn, terminalOut = "/dev/tty", "/dev/tty"

// hideInput stops a terminal from showing what is typed.
func hideInput(fd int) error {
	t, err := unix.IoctlGetTermios(fd, getTermios)
	if err != nil {
		return err
	}
	t.Lflag &^= unix.ECHO
	return unix.IoctlSetTermios(fd, setTermios, t)
}
