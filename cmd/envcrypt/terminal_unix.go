//go:build unix

package main

const terminalIn, terminalOut = "/dev/tty", "/dev/tty"
