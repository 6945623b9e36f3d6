package main

import "os"

var endingSignals = []os.Signal{os.Interrupt}

// raise ends the program as an interrupt does.
func raise(os.Signal) {
	p, err := os.FindProcess(os.Getpid())
	if err == nil {
		_ = p.Kill()
	}
	select {}
}
