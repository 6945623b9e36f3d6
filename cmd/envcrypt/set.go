package main

import (
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"envcrypt/crypt"

	"github.com/urfave/cli/v2"
)

func (a *app) setCommand() *cli.Command {
	var from string
	return a.command(cli.Command{
		Usage:     "give keys their values",
		ArgsUsage: "KEY[=VALUE]...",
		Description: `Sets keys of an environment. Without =VALUE, the value is read from standard
input where that is piped (one final newline is dropped), else asked for
without showing it. What stands on a command line is visible to other users
of the machine while it runs: pipe secrets in.

EXAMPLES:
   envcrypt set LOG_LEVEL=debug PORT=8080
   envcrypt set STRIPE_KEY -e production
   printf %s "$KEY" | envcrypt set STRIPE_KEY -e production -y
   envcrypt set TLS_KEY --from-file key.pem -e staging`,
		Flags: []cli.Flag{
			a.environmentFlag(), a.allowFlag(), a.reasonFlag(),
			&cli.StringFlag{Name: "from-file", Usage: "take the value from `FILE`, every byte", Destination: &from},
			a.yesFlag(), a.dryRunFlag(),
		},
	}, func(c *cli.Context) error {
		args, err := arguments(c, 1, -1)
		if err != nil {
			return err
		}
		return a.set(args, from)
	})
}

func (a *app) set(args []string, from string) error {
	v, err := a.vault()
	if err != nil {
		return err
	}
	env, err := a.choose(v.Project.Policy, "")
	if err != nil {
		return err
	}
	items, err := a.assignments(args, from)
	if err != nil {
		return err
	}
	op, err := a.begin(v.Project.Root, env.Name, keyNames(items)...)
	if err != nil {
		return err
	}
	if err := a.confirmWrite(env, "set "+strings.Join(keyNames(items), ", ")); err != nil {
		return err
	}
	a.warnDangerous(env, keyNames(items))
	if a.dryRun {
		opened, err := v.Open(env.Name)
		if err != nil {
			return a.identityFailure(err)
		}
		a.describe(opened.Doc, items)
		for _, it := range items {
			if err := opened.Doc.Set(it.Key, it.Value); err != nil {
				return err
			}
		}
		return v.Refuse(opened, opened.Doc.Items())
	}
	return a.identityFailure(v.Change(env.Name, "set", func(doc *crypt.Document) (bool, error) {
		a.openedBy(op, doc)
		changed := false
		for _, it := range items {
			if old, ok := doc.Get(it.Key); ok && old == it.Value {
				continue
			}
			changed = true
			if err := doc.Set(it.Key, it.Value); err != nil {
				return false, err
			}
		}
		return changed, nil
	}))
}

func keyNames(items []crypt.Item) (names []string) {
	for _, it := range items {
		names = append(names, it.Key)
	}
	return names
}

// assignments reads KEY=VALUE and KEY arguments, the latter's values from a
// file, standard input or the terminal.
func (a *app) assignments(args []string, from string) ([]crypt.Item, error) {
	var items []crypt.Item
	var asked []int
	seen := make(map[string]bool)
	for i, arg := range args {
		key, value, given := strings.Cut(arg, "=")
		if !crypt.ValidKey(key) {
			return nil, usagef("argument %d: a key is letters, digits and _, begins with no digit and not with sops_", i+1)
		}
		if seen[key] {
			return nil, usagef("%s stands twice", key)
		}
		seen[key] = true
		if !given {
			asked = append(asked, i)
		} else if from != "" {
			return nil, usagef("--from-file goes with a single KEY, without a value")
		}
		items = append(items, crypt.Item{Key: strings.Clone(key), Value: strings.Clone(value)})
	}
	hideArguments(args)
	switch {
	case len(asked) == 0:
		return items, checkText(items)
	case from != "" && len(args) > 1:
		return nil, usagef("--from-file goes with a single KEY, without a value")
	}
	var keys []string
	for _, i := range asked {
		keys = append(keys, items[i].Key)
	}
	values, err := a.readValues(keys, from)
	if err != nil {
		return nil, err
	}
	for n, i := range asked {
		items[i].Value = values[n]
	}
	return items, checkText(items)
}

// readValues reads the values of keys, from a file if there is one, else from the terminal or,
// of one key, standard input.
func (a *app) readValues(keys []string, from string) ([]string, error) {
	switch {
	case from != "":
		value, err := readFileBytes(from)
		return []string{string(value)}, err
	case isTerminal(a.stdin):
		var values []string
		for _, key := range keys {
			value, err := askHidden("value of " + key)
			if err != nil {
				return nil, err
			}
			values = append(values, value)
		}
		return values, nil
	case len(keys) > 1:
		return nil, usagef("standard input has one value: name one KEY without =VALUE")
	}
	value, err := a.pipedValue(keys[0])
	return []string{value}, err
}

// pipedValue reads a value from standard input, without one newline at its end.
// A device such as /dev/null is not taken for an empty value.
func (a *app) pipedValue(key string) (string, error) {
	if !a.isPiped() {
		return "", usagef("no value for %s: standard input is neither piped nor a terminal", key)
	}
	value, err := readLimited(a.stdin, plaintextSizeLimit)
	if err != nil {
		return "", err
	}
	return withoutNewline(string(value)), nil
}

// isPiped tells whether standard input is a pipe or a file.
func (a *app) isPiped() bool {
	info, err := a.stdin.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice == 0
}

// withoutNewline drops one newline at the end, which is no part of a value.
func withoutNewline(text string) string {
	text, ended := strings.CutSuffix(text, "\n")
	if ended {
		text = strings.TrimSuffix(text, "\r")
	}
	return text
}

// A valueError says why a value cannot be kept.
type valueError struct {
	key, problem, fix string
}

func (e *valueError) Error() string { return e.key + ": " + e.problem }

// checkText refuses values that could not be edited as text later.
func checkText(items []crypt.Item) error {
	for _, it := range items {
		switch {
		case strings.IndexByte(it.Value, 0) >= 0:
			return &valueError{it.Key, "the value holds a NUL byte, which no variable can", "encode it, for example with base64"}
		case !utf8.ValidString(it.Value):
			return &valueError{it.Key, "the value is not UTF-8 text", "encode it, for example with base64"}
		}
	}
	return nil
}

func (a *app) unsetCommand() *cli.Command {
	return a.command(cli.Command{
		Usage:     "remove keys",
		ArgsUsage: "KEY...",
		Description: `Removes keys from an environment. A key that is not there is an error, and
then nothing is removed.

EXAMPLES:
   envcrypt unset OLD_TOKEN
   envcrypt unset OLD_TOKEN OLD_URL -e production -y`,
		Flags: []cli.Flag{a.environmentFlag(), a.reasonFlag(), a.yesFlag(), a.dryRunFlag()},
	}, func(c *cli.Context) error {
		keys, err := arguments(c, 1, -1)
		if err != nil {
			return err
		}
		if !validKeys(keys) {
			return errKeyName
		}
		return a.unset(keys)
	})
}

// A noKeyError says that a key was asked for that is not there.
type noKeyError struct {
	key, environment string
}

func (e *noKeyError) Error() string { return "no key " + showName(e.key) + " in " + e.environment }

// errKeyName does not show what was written: it may be KEY=VALUE.
var errKeyName = usagef("not a key's name: letters, digits and _, no digit first, and no value behind it")

func validKeys(keys []string) bool {
	return !slices.ContainsFunc(keys, func(key string) bool { return !crypt.ValidKey(key) })
}

func (a *app) unset(keys []string) error {
	v, err := a.vault()
	if err != nil {
		return err
	}
	env, err := a.choose(v.Project.Policy, "")
	if err != nil {
		return err
	}
	op, err := a.begin(v.Project.Root, env.Name, keys...)
	if err != nil {
		return err
	}
	if err := a.confirmWrite(env, "remove "+showName(strings.Join(keys, ", "))); err != nil {
		return err
	}
	err = v.Change(env.Name, "unset", func(doc *crypt.Document) (bool, error) {
		a.openedBy(op, doc)
		for _, key := range keys {
			if !doc.Delete(key) {
				return false, &noKeyError{key: key, environment: env.Name}
			}
			if a.dryRun {
				a.notef("would remove %s", key)
			}
		}
		return !a.dryRun, nil
	})
	return a.identityFailure(err)
}
