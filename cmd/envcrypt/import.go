package main

import (
	"errors"
	"fmt"
	"strings"

	"envcrypt/crypt"
	"envcrypt/envfile"
	"envcrypt/internal/vault"

	"github.com/urfave/cli/v2"
)

func (a *app) importCommand() *cli.Command {
	var format string
	return a.command(cli.Command{
		Usage:     "take over values from a file",
		ArgsUsage: "FILE|-",
		Description: `Adds the values of a dotenv, JSON, YAML or SOPS file to an environment, and
changes those of the same name. Nothing is removed. Nested values become
OUTER_INNER. What other programs would read differently in a dotenv file is
pointed out. A SOPS file is decrypted with your identities.

EXAMPLES:
   envcrypt import -e development .env
   envcrypt import -e staging -n settings.yaml
   fetch-config | envcrypt import - --format json`,
		Flags: []cli.Flag{
			a.environmentFlag(),
			&cli.StringFlag{Name: "format", Usage: "dotenv, json or yaml `FORMAT`; by default from the file's name", Destination: &format},
			a.yesFlag(), a.dryRunFlag(),
		},
	}, func(c *cli.Context) error {
		args, err := arguments(c, 1, 1)
		if err != nil {
			return err
		}
		return a.importFile(args[0], format)
	})
}

func (a *app) importFile(name, format string) error {
	f, err := importFormat(name, format)
	if err != nil {
		return err
	}
	v, err := a.vault()
	if err != nil {
		return err
	}
	chosen, err := a.choose(v.Project.Policy, "")
	if err != nil {
		return err
	}
	env, err := v.Open(chosen.Name)
	if err != nil {
		return a.identityFailure(err)
	}
	data, err := a.readInput(name)
	if err != nil {
		return err
	}
	items, err := a.parseImport(data, f)
	if err != nil {
		return a.identityFailure(fmt.Errorf("%s: %w", inputName(name), err))
	}
	if err := checkText(items); err != nil {
		return err
	}
	before := env.Doc.Items()
	after := mergeItems(before, items)
	d := vault.Diff(before, after)
	if d.None() {
		a.notef("nothing changed: %s has all of it already", env.Name)
		return nil
	}
	a.showChanges(d)
	if a.dryRun {
		return nil
	}
	if err := a.confirmAll(env, d); err != nil {
		return err
	}
	if err := env.Doc.Replace(after); err != nil {
		return err
	}
	return v.Save(env, "import")
}

func importFormat(name, format string) (crypt.Format, error) {
	switch format {
	case "":
		return formatOf(name), nil
	case "dotenv":
		return crypt.Dotenv, nil
	case "json":
		return crypt.JSON, nil
	case "yaml":
		return crypt.YAML, nil
	}
	return 0, usagef("no such format: %s; there are dotenv, json and yaml", showName(format))
}

// parseImport reads a file in the given format, encrypted by SOPS or plain.
func (a *app) parseImport(data []byte, f crypt.Format) ([]crypt.Item, error) {
	_, err := crypt.Inspect(data, f)
	var unsupported *crypt.UnsupportedError
	if err == nil || errors.As(err, &unsupported) {
		return a.parseEncrypted(data, f)
	}
	items, err := a.parsePlain(data, f)
	if err != nil {
		return nil, err
	}
	for _, it := range items {
		if strings.HasPrefix(it.Value, "ENC[AES256_GCM,") {
			return nil, &crypt.DamagedError{Key: it.Key, Problem: "is encrypted, in a file without SOPS's metadata: part of it is missing"}
		}
	}
	return items, nil
}

func (a *app) parsePlain(data []byte, f crypt.Format) ([]crypt.Item, error) {
	if f != crypt.Dotenv {
		return crypt.ReadPlain(data, f)
	}
	text, err := envfile.Parse(data)
	if err != nil {
		return nil, err
	}
	for _, w := range text.Warnings() {
		a.warningf("%v", w)
	}
	items := fromText(text.Items())
	return items, new(crypt.Document).Replace(items)
}

func (a *app) parseEncrypted(data []byte, f crypt.Format) ([]crypt.Item, error) {
	doc, err := crypt.Open(data, crypt.Options{Format: f}, a.keys.identities())
	if err != nil {
		return nil, err
	}
	for _, u := range doc.Unverified() {
		if u.Key != "" {
			a.warningf("line %d: %s is not encrypted, nothing vouches for it: taken over as it is", u.Line, u.Key)
		}
	}
	doc.Adopt()
	return doc.Items(), nil
}

// mergeItems puts the values of items into before: in place where a key is
// there, else at the end. Comments come along only into what was empty.
func mergeItems(before, items []crypt.Item) []crypt.Item {
	at := make(map[string]int)
	for i, it := range before {
		if it.Kind == crypt.Entry {
			at[it.Key] = i
		}
	}
	if len(before) == 0 {
		return items
	}
	after := append([]crypt.Item(nil), before...)
	for _, it := range items {
		if it.Kind != crypt.Entry {
			continue
		}
		if i, ok := at[it.Key]; ok {
			after[i].Value = it.Value
		} else {
			after = append(after, crypt.Item{Key: it.Key, Value: it.Value, Comment: it.Comment})
		}
	}
	return after
}
