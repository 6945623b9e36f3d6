package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"time"

	"envcrypt/crypt"
	"envcrypt/envfile"
	"envcrypt/internal/vault"
)

// runInto runs the command of --run, and takes what it prints for the new value.
func (r *rotating) runInto(doc *crypt.Document) error {
	it := &r.items[0]
	old, _ := doc.Get(it.Key)
	out, err := r.runCommand(it.Key, old)
	if err != nil {
		return fmt.Errorf("%s: the command of --run failed, nothing was written: %w", it.Key, err)
	}
	it.Value = withoutNewline(out)
	switch {
	case it.Value == "":
		return fmt.Errorf("%s: the command of --run printed no value, nothing was written", it.Key)
	case it.Value == old:
		return sameValue(it.Key)
	}
	if err := checkText(r.items); err != nil {
		return err
	}
	return doc.Set(it.Key, it.Value)
}

// runCommand runs the user's command line. It came from theirs: nothing that a repository
// contains can put one here.
//
// From the command's start until release is called, signals do not end this program: a
// value that was changed at its source must not be lost on the way to the file.
func (r *rotating) runCommand(key, old string) (string, error) {
	cmd := shellCommand(r.o.run)
	out := limitedBuffer{left: plaintextSizeLimit}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(old), &out, r.stderr
	cmd.Env = append(withoutIdentities(r.system.env), "ENVCRYPT_ROTATE_KEY="+key, "ENVCRYPT_ROTATE_ENVIRONMENT="+r.env.Name)
	cmd.WaitDelay = time.Second // for a child of the command that keeps the pipe
	c := make(chan os.Signal, 8)
	notifyEnding(c)
	r.release = func() { signal.Stop(c) }
	err := r.await(cmd, c)
	if out.left < 0 {
		err = errTooMuch
	}
	if err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		return "", err
	}
	return out.text.String(), nil
}

var errTooMuch = fmt.Errorf("it printed more than %d bytes", plaintextSizeLimit)

// limitedBuffer is a buffer of what a command prints that fails where that is more than what
// can be saved, which ends the command by and by.
type limitedBuffer struct {
	text bytes.Buffer // not embedded: its ReadFrom knows no limit
	left int
}

func (b *limitedBuffer) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, errTooMuch
	}
	return b.text.Write(p)
}

// await runs a command. A signal that would end this program ends the command first. Where
// that has come to its end all the same, its value is not thrown away.
func (r *rotating) await(cmd *exec.Cmd, c chan os.Signal) error {
	t, err := openTerminal()
	shared := err == nil // the command may ask there, so it stays in this program's group
	if shared {
		t.close()
	} else {
		ownGroup(cmd)
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	var sig os.Signal
	select {
	case err = <-ended:
		if sig = meanwhile(c, err); sig == nil {
			return err
		}
	case sig = <-c:
		if !shared || sig != os.Interrupt { // which the terminal sends to both
			signalCommand(cmd, sig)
		}
		const grace = 5 * time.Second
		select {
		case err = <-ended:
		case <-time.After(grace):
			signalCommand(cmd, os.Kill)
			err = <-ended
		}
	}
	if err == nil || errors.Is(err, exec.ErrWaitDelay) {
		return nil
	}
	err = fmt.Errorf("%v ended it", sig)
	r.complain(fmt.Errorf("%s: %w: nothing was written", r.items[0].Key, err))
	_ = r.endAll(err)
	signal.Stop(c)
	raise(sig)
	return err
}

// meanwhile returns the signal that this program got, too, where one ended the command: the
// terminal sends it to both, and nobody knows to whom first. Otherwise it is nil.
func meanwhile(c chan os.Signal, err error) os.Signal {
	var ended *exec.ExitError
	if !errors.As(err, &ended) || ended.Exited() {
		return nil
	}
	const moment = 200 * time.Millisecond
	select {
	case sig := <-c:
		return sig
	case <-time.After(moment):
		return nil
	}
}

// keep saves the environment's text with a value that exists at its source already, and
// could not be saved. Quiet or not, the user has to know.
func (r *rotating) keep() {
	r.quiet = false
	r.warningf("%s has a new value where it is used, and it could not be saved", r.items[0].Key)
	text, err := envfile.Format(toText(r.rotated.Items()))
	if err != nil {
		r.warningf("the new value could not be kept: %v", err)
		return
	}
	s := &editing{app: r.app, vault: r.vault, env: &vault.Environment{Environment: r.env, Doc: r.rotated}, text: text}
	s.keep()
}
