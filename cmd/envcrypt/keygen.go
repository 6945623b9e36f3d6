package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"envcrypt/internal/keyring"

	"filippo.io/age"
	"filippo.io/age/armor"
	"github.com/urfave/cli/v2"
)

func (a *app) keygenCommand() *cli.Command {
	var output string
	var hybrid, protected bool
	return a.command(cli.Command{
		Usage: "make an identity",
		Description: `Makes a private key, readable by its owner alone, and prints the public key,
which goes into envcrypt.toml. Without -o it is written where envcrypt looks
for it by itself. A file that is there is never overwritten.

With --passphrase the file is encrypted, as "age -p" does it. The passphrase is
asked for on the terminal, twice, and again by each command that needs the key.

EXAMPLES:
   envcrypt keygen
   envcrypt keygen --passphrase
   envcrypt keygen -o deploy.key --pq`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write the key to `FILE`", Destination: &output},
			&cli.BoolFlag{Name: "pq", Usage: "a hybrid key, safe also from quantum computers", Destination: &hybrid},
			&cli.BoolFlag{Name: "passphrase", Usage: "encrypt the key with a passphrase that is asked for", Destination: &protected},
		},
	}, func(c *cli.Context) error {
		if _, err := arguments(c, 0, 0); err != nil {
			return err
		}
		lock := unlocked
		if protected {
			lock = lockWithPassphrase
		}
		public, path, err := a.keygen(output, hybrid, lock)
		if err != nil {
			return err
		}
		a.notef("the private key is in %s: keep a copy of it in a safe place", path)
		_, err = fmt.Fprintln(a.out, public)
		return err
	})
}

var errNoHome = errors.New("no home directory: say with -o where the key shall go")

// keygen writes a new identity to path, by default the user's own place, after
// lock has made of its text what the file shall hold.
func (a *app) keygen(path string, hybrid bool, lock func(path, text string) (string, error)) (public, written string, err error) {
	own := path == ""
	if own {
		if path = keyring.DefaultFile(a.env); path == "" {
			return "", "", errNoHome
		}
	}
	if _, err := os.Lstat(path); err == nil { // before anybody is asked
		return "", "", &os.PathError{Op: "open", Path: path, Err: syscall.EEXIST}
	}
	private, public, err := newIdentity(hybrid)
	if err != nil {
		return "", "", err
	}
	text := fmt.Sprintf("# created: %s\n# public key: %s\n%s\n", a.now().UTC().Format(time.RFC3339), public, private)
	if text, err = lock(path, text); err != nil {
		return "", "", err
	}
	if own {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return "", "", err
		}
	}
	return public, path, writeNew(path, text)
}

func newIdentity(hybrid bool) (private, public string, err error) {
	if hybrid {
		id, err := age.GenerateHybridIdentity()
		if err != nil {
			return "", "", err
		}
		return id.String(), id.Recipient().String(), nil
	}
	id, err := age.GenerateX25519Identity()
	if err != nil {
		return "", "", err
	}
	return id.String(), id.Recipient().String(), nil
}

func unlocked(_, text string) (string, error) { return text, nil }

var (
	errNoPassphrase         = errors.New("an empty passphrase protects nothing: no key was written")
	errDifferentPassphrases = errors.New("the two passphrases differ: no key was written")
)

// lockWithPassphrase encrypts text with a passphrase that it asks for twice,
// since nobody can see a slip.
func lockWithPassphrase(path, text string) (string, error) {
	pass, err := askHidden("new passphrase for " + path)
	if err != nil {
		return "", err
	}
	if pass == "" {
		return "", errNoPassphrase
	}
	again, err := askHidden("the same passphrase again")
	if err != nil {
		return "", err
	}
	if again != pass {
		return "", errDifferentPassphrases
	}
	return lockAge(text, pass)
}

// lockAge encrypts text with a passphrase, as age does it.
func lockAge(text, pass string) (string, error) {
	to, err := age.NewScryptRecipient(pass)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	a := armor.NewWriter(&out)
	w, err := age.Encrypt(a, to)
	if err == nil {
		_, err = io.WriteString(w, text)
	}
	if err == nil {
		err = w.Close()
	}
	if err == nil {
		err = a.Close()
	}
	return out.String(), err
}

// writeNew writes a private file that must not exist yet.
func writeNew(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		os.Remove(path)
	}
	return err
}
