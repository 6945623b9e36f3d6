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
outer_inner, in their own case. What other programs would read differently in a dotenv file is
pointed out. A SOPS file is decrypted with your identities.

EXAMPLES:
   envcrypt import -e development .env
   envcrypt import -e staging -n settings.yaml
   fetch-config | envcrypt import - --format json`,
		Flags: []cli.Flag{
			a.environmentFlag(), a.allowFlag(), a.reasonFlag(),
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
	v, env, op, err := a.enter("", (*vault.Vault).Open)
	if err != nil {
		return err
	}
	data, err := a.readInput(name)
	if err != nil {
		return err
	}
	items, err := a.parseImport(inputName(name), data, f)
	if err != nil {
		return a.identityFailure(fmt.Errorf("%s: %w", inputName(name), err))
	}
	if err := checkText(items); err != nil {
		return err
	}
	before := env.Doc.Items()
	after, dropped := mergeItems(before, items)
	d := vault.Diff(before, after)
	if d.None() {
		a.notef("nothing changed: %s has all of it already", env.Name)
		return nil
	}
	op.Entry.Keys, op.Entry.All = append(d.Added, d.Changed...), false
	a.showChanges(d, a.dryRun)
	if dropped > 0 {
		a.notef("left out %s above keys that are there already", count(dropped, "comment line"))
	}
	a.warnDangerous(env.Environment, append(d.Added, d.Changed...))
	if err := v.Refuse(env, after); err != nil || a.dryRun {
		return err
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
func (a *app) parseImport(name string, data []byte, f crypt.Format) ([]crypt.Item, error) {
	_, err := crypt.Inspect(data, f)
	var unsupported *crypt.UnsupportedError
	if err == nil || errors.As(err, &unsupported) {
		return a.parseEncrypted(name, data, f)
	}
	items, err := a.parsePlain(name, data, f)
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

func (a *app) parsePlain(name string, data []byte, f crypt.Format) ([]crypt.Item, error) {
	if f != crypt.Dotenv {
		items, err := crypt.ReadPlain(data, f)
		if err != nil {
			return nil, &inputError{err}
		}
		return items, nil
	}
	text, err := envfile.Parse(data)
	if err != nil {
		return nil, err
	}
	for _, w := range text.Warnings() {
		a.warningf("%s: %v", name, w)
	}
	items := fromText(text.Items())
	return items, new(crypt.Document).Replace(items)
}

// An inputError says that a file to be imported, which is nobody's environment,
// cannot be read.
type inputError struct{ err error }

func (e *inputError) Error() string { return e.err.Error() }

func (a *app) parseEncrypted(name string, data []byte, f crypt.Format) ([]crypt.Item, error) {
	doc, err := crypt.Open(data, crypt.Options{Format: f}, a.keys.Identities())
	if err != nil {
		return nil, err
	}
	for _, u := range doc.Unverified() {
		if u.Key != "" {
			a.warningf("%s: line %d: %s is not protected by SOPS: taken over as it is", name, u.Line, u.Key)
		}
	}
	doc.Adopt()
	return doc.Items(), nil
}

// mergeItems puts the values of items into before: in place where a key is
// there, else at the end, with the comments above it. It counts the comments
// that are left out.
func mergeItems(before, items []crypt.Item) (after []crypt.Item, dropped int) {
	at := make(map[string]int)
	for i, it := range before {
		if it.Kind == crypt.Entry {
			at[it.Key] = i
		}
	}
	after = append(after, before...)
	var above []crypt.Item // comments and blank lines since the last entry
	for _, it := range items {
		if it.Kind != crypt.Entry {
			above = append(above, it)
			continue
		}
		if i, ok := at[it.Key]; ok {
			after[i].Value = it.Value
			dropped += countComments(above)
		} else {
			after = append(append(after, above...), it)
		}
		above = nil
	}
	return append(after, above...), dropped
}

func countComments(items []crypt.Item) (n int) {
	for _, it := range items {
		if it.Kind == crypt.Comment {
			n++
		}
	}
	return n
}
