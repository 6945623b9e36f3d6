//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"
)

var endingSignals = []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT}

// raise lets a signal that was caught do what it would have done.
func raise(s os.Signal) {
	signal.Reset(s)
	if s == syscall.SIGQUIT { // whose default here is to print stacks
		s = syscall.SIGTERM
		signal.Reset(s)
	}
	_ = syscall.Kill(os.Getpid(), s.(syscall.Signal))
	select {} // the signal is on its way
}
