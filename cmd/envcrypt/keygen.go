package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"envcrypt/internal/keyring"

	"filippo.io/age"
	"github.com/urfave/cli/v2"
)

func (a *app) keygenCommand() *cli.Command {
	var output string
	var hybrid bool
	return a.command(cli.Command{
		Usage: "make an identity",
		Description: `Makes a private key, readable by its owner alone, and prints the public key,
which goes into envcrypt.toml. Without -o it is written where envcrypt looks
for it by itself. A file that is there is never overwritten.

EXAMPLES:
   envcrypt keygen
   envcrypt keygen -o deploy.key --pq`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write the key to `FILE`", Destination: &output},
			&cli.BoolFlag{Name: "pq", Usage: "a hybrid key, safe also from quantum computers", Destination: &hybrid},
		},
	}, func(c *cli.Context) error {
		if _, err := arguments(c, 0, 0); err != nil {
			return err
		}
		public, path, err := a.keygen(output, hybrid)
		if err != nil {
			return err
		}
		a.notef("the private key is in %s: keep a copy of it in a safe place", path)
		_, err = fmt.Fprintln(a.out, public)
		return err
	})
}

var errNoHome = errors.New("no home directory: say with -o where the key shall go")

// keygen writes a new identity to path, by default the user's own place.
func (a *app) keygen(path string, hybrid bool) (public, written string, err error) {
	if path == "" {
		if path = keyring.DefaultFile(a.env); path == "" {
			return "", "", errNoHome
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return "", "", err
		}
	}
	var private string
	if hybrid {
		id, err := age.GenerateHybridIdentity()
		if err != nil {
			return "", "", err
		}
		private, public = id.String(), id.Recipient().String()
	} else {
		id, err := age.GenerateX25519Identity()
		if err != nil {
			return "", "", err
		}
		private, public = id.String(), id.Recipient().String()
	}
	text := fmt.Sprintf("# created: %s\n# public key: %s\n%s\n", a.now().UTC().Format(time.RFC3339), public, private)
	return public, path, writeNew(path, text)
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
