package main

import (
	"os"
	"os/exec"
	"os/signal"
	"time"

	"envcrypt/internal/scratch"
)

// notifyEnding relays the signals that end a program. One that whoever started
// this one wants ignored, as nohup does, stays ignored.
func notifyEnding(c chan<- os.Signal) {
	for _, s := range endingSignals {
		if !signal.Ignored(s) {
			signal.Notify(c, s)
		}
	}
}

// onInterrupt calls cleanup before one of the signals that end a program does
// so, until stop is called.
func onInterrupt(cleanup func()) (stop func()) {
	c := make(chan os.Signal, 1)
	done := make(chan struct{})
	notifyEnding(c)
	go func() {
		select {
		case s := <-c:
			cleanup()
			raise(s)
		case <-done:
		}
	}()
	return func() {
		signal.Stop(c)
		close(done)
	}
}

// runGuarded runs an editor in the foreground. The terminal's interrupt is the
// editor's business; what ends this program ends the editor, too, and takes the
// plaintext with it.
func (s *editing) runGuarded(cmd *exec.Cmd, dir *scratch.Dir) error {
	c := make(chan os.Signal, 8)
	notifyEnding(c)
	defer signal.Stop(c)
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case err := <-ended:
			return err
		case sig := <-c:
			if sig == os.Interrupt {
				continue
			}
			_ = cmd.Process.Signal(sig)
			const grace = 2 * time.Second
			select {
			case <-ended:
			case <-time.After(grace):
				_ = cmd.Process.Kill()
			}
			dir.Close()
			signal.Stop(c)
			raise(sig)
		}
	}
}
