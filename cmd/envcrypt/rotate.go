package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"envcrypt/crypt"
	"envcrypt/internal/audit"
	"envcrypt/internal/guard"
	"envcrypt/internal/history"
	"envcrypt/internal/project"
	"envcrypt/internal/vault"

	"github.com/urfave/cli/v2"
)

// rotateOptions are the flags of rotate.
type rotateOptions struct {
	generate, from, run, overlap string // where the value comes from, and how long the old one stays
	finish, due, dataKey         bool   // what rotate does instead
}

func (a *app) rotateCommand() *cli.Command {
	var o rotateOptions
	return a.command(cli.Command{
		Usage:     "give keys new values, or say which are due",
		ArgsUsage: "KEY... | --finish [KEY...] | --due | --data-key [ENV]",
		Description: `Gives keys of an environment new values. A value comes from --generate, from
--from-file (every byte), from --run, or else from standard input where that is
piped (one final newline is dropped), from the generator that the policy
declares for the key, or from the terminal.
--generate takes hex, base64url, alphanumeric or words, with a length if it is
not to be the usual one: hex:64, words:12.
--run CMD has a shell run CMD, which makes a new value where it is used and
prints it. It finds the old value on its standard input, the names in
ENVCRYPT_ROTATE_KEY and ENVCRYPT_ROTATE_ENVIRONMENT, and no identity. Nobody
else can write in the project until it ends.
--overlap 24h keeps the old value as KEY_PREVIOUS for that long; --finish
removes those whose time is over.
--due lists, without an identity, what is to be rotated: by the schedules of the
policy, because somebody has left who could read it, and overlaps that are over.
If there is anything, the exit code is 5.
--data-key encrypts a file with a new data key, to the same readers.

EXAMPLES:
   envcrypt rotate SESSION_KEY -e production --generate base64url:64
   envcrypt rotate DATABASE_PASSWORD -e production --overlap 24h --run ./new-password
   pwgen -s 40 1 | envcrypt rotate SMTP_PASSWORD -e staging
   envcrypt rotate --finish -e production
   envcrypt rotate --due
   envcrypt rotate --data-key production`,
		Flags: []cli.Flag{
			a.environmentFlag(), a.allowFlag(), a.reasonFlag(),
			&cli.StringFlag{Name: "generate", Usage: "make the value as `SPEC` says", Destination: &o.generate},
			&cli.StringFlag{Name: "from-file", Usage: "take the value from `FILE`, every byte", Destination: &o.from},
			&cli.StringFlag{Name: "run", Usage: "take the value that `CMD` prints", Destination: &o.run},
			&cli.StringFlag{Name: "overlap", Usage: "keep the old value for `TIME`: 24h, 7d", Destination: &o.overlap},
			&cli.BoolFlag{Name: "finish", Usage: "remove old values whose overlap is over", Destination: &o.finish},
			&cli.BoolFlag{Name: "due", Usage: "list what is to be rotated", Destination: &o.due},
			&cli.BoolFlag{Name: "data-key", Usage: "give the file a new data key", Destination: &o.dataKey},
			a.jsonFlag(), a.yesFlag(), a.dryRunFlag(),
		},
	}, func(c *cli.Context) error {
		args := c.Args().Slice()
		if err := a.checkRotate(c, o, args); err != nil {
			return err
		}
		switch {
		case o.due:
			return a.rotateDue()
		case o.dataKey:
			return a.rotateDataKey(first(args))
		case o.finish:
			return a.rotateFinish(args)
		}
		return a.rotate(args, o)
	})
}

// checkRotate refuses what cannot be meant together.
func (a *app) checkRotate(c *cli.Context, o rotateOptions, args []string) error {
	sources, modes := 0, 0
	for _, name := range []string{"generate", "from-file", "run", "overlap"} {
		switch {
		case c.IsSet(name) && c.String(name) == "": // a script's variable that was not set
			return usagef("--%s needs a value", name)
		case c.IsSet(name) && name != "overlap":
			sources++
		}
	}
	for _, chosen := range []bool{o.finish, o.due, o.dataKey} {
		if chosen {
			modes++
		}
	}
	switch {
	case modes > 1:
		return usagef("--finish, --due and --data-key go one at a time")
	case modes == 1 && (sources > 0 || o.overlap != ""):
		return usagef("--finish, --due and --data-key take no new value, and no --overlap")
	case sources > 1:
		return usagef("--generate, --from-file and --run go one at a time")
	case a.json && !o.due:
		return usagef("--json goes with --due")
	case o.due && len(args) > 0:
		return usagef("--due takes no argument: -e names an environment")
	case o.dataKey && len(args) > 1:
		return usagef("--data-key takes one environment and no more")
	case o.dataKey && len(args) == 1 && args[0] == "":
		return usagef("rotate: the argument is empty")
	case o.dataKey || o.due:
		return nil
	case modes == 0 && len(args) == 0:
		return usagef("rotate needs KEY...")
	case (o.from != "" || o.run != "") && len(args) > 1:
		return usagef("--from-file and --run go with a single KEY")
	case !validKeys(args):
		return errKeyName
	}
	for i, key := range args {
		if slices.Contains(args[:i], key) {
			return usagef("%s stands twice", key)
		}
		if o.overlap != "" && slices.Contains(args, key+history.PreviousSuffix) {
			return usagef("%s%s is where the old value of %[1]s goes: rotate it without --overlap", key, history.PreviousSuffix)
		}
	}
	return nil
}

// rotating is one rotation of keys of one environment.
type rotating struct {
	*app
	o       rotateOptions
	vault   *vault.Vault
	env     project.Environment
	op      *audit.Op
	items   []crypt.Item    // the keys, and their new values but for --run
	rotated *crypt.Document // with what --run has made
	release func()          // lets signals end the program again
}

func (a *app) rotate(keys []string, o rotateOptions) error {
	v, err := a.vault()
	if err != nil {
		return err
	}
	if o.overlap != "" {
		overlap, ok := project.ParseAge(o.overlap)
		if !ok {
			return usagef("--overlap: not a length of time such as 24h, 7d or 2w")
		}
		v.Note.Until = a.now().Add(overlap)
	}
	env, err := a.choose(v.Project.Policy, "")
	if err != nil {
		return err
	}
	r := &rotating{app: a, o: o, vault: v, env: env, release: func() {}}
	for _, key := range keys {
		r.items = append(r.items, crypt.Item{Key: key})
	}
	if err := r.readNewValues(); err != nil {
		return err
	}
	if r.op, err = a.begin(v.Project.Root, env.Name, keys...); err != nil {
		return err
	}
	if err := a.confirmWrite(env, "rotate "+strings.Join(keys, ", ")); err != nil {
		return err
	}
	return a.identityFailure(r.save())
}

// readNewValues gets the new values, but the one that --run is to make.
func (r *rotating) readNewValues() error {
	if r.o.run != "" {
		return nil
	}
	generator, ok := project.ParseGenerator(r.o.generate)
	if !ok && r.o.generate != "" {
		return usagef("--generate: there are hex, base64url, alphanumeric and words, with 128 bits at least, as in hex:64")
	}
	declared := !ok && r.o.from == "" && !r.isPiped()
	var asked []int
	for i := range r.items {
		it := &r.items[i]
		g := generator
		if d := r.vault.Project.Policy.Declaration(it.Key); declared && d != nil {
			g = d.Generate
		}
		if g.Alphabet == "" {
			asked = append(asked, i)
			continue
		}
		it.Value = guard.Generate(g)
	}
	if len(asked) > 0 {
		if err := r.readAsked(asked); err != nil {
			return err
		}
	}
	return checkNew(r.items)
}

func (r *rotating) readAsked(asked []int) error {
	var keys []string
	for _, i := range asked {
		keys = append(keys, r.items[i].Key)
	}
	if len(keys) > 1 && !isTerminal(r.stdin) {
		return usagef("standard input has one value: name one KEY, or use --generate")
	}
	values, err := r.readValues(keys, r.o.from)
	if err != nil {
		return err
	}
	for n, i := range asked {
		r.items[i].Value = values[n]
	}
	return nil
}

// checkNew refuses values that cannot be kept, and empty ones, which are rather something
// that has gone wrong in front of the pipe.
func checkNew(items []crypt.Item) error {
	for _, it := range items {
		if it.Value == "" {
			return &valueError{it.Key, "not rotated: the new value is empty", `"envcrypt set" gives a key an empty value, if that is meant`}
		}
	}
	return checkText(items)
}

// save writes the new values, or says what it would write.
func (r *rotating) save() error {
	change := r.vault.Change
	if r.o.run != "" {
		change = r.vault.ChangeOnce
	}
	err := change(r.env.Name, history.ActionRotate, r.edit)
	r.release()
	if err != nil || r.dryRun {
		if err != nil && r.rotated != nil {
			r.keep()
		}
		return err
	}
	names := strings.Join(keyNames(r.items), ", ")
	r.notef("rotated %s", names)
	if until := r.vault.Note.Until; !until.IsZero() {
		r.notef("the old value stays as KEY%s until %s; then: envcrypt rotate --finish -e %s", history.PreviousSuffix, shortTime(until), r.env.Name)
	}
	return nil
}

func shortTime(t time.Time) string { return t.Local().Format("2006-01-02 15:04") }

// edit looks at everything that could be wrong before a command runs.
func (r *rotating) edit(doc *crypt.Document) (bool, error) {
	r.openedBy(r.op, doc)
	before := doc.Items()
	for _, it := range r.items {
		if err := r.replace(doc, it); err != nil {
			return false, err
		}
	}
	rotated := &vault.Environment{Environment: r.env, Doc: doc, Before: before}
	if err := r.vault.Refuse(rotated, doc.Items()); err != nil {
		return false, err
	}
	if r.dryRun {
		r.describeRotation()
		return false, nil
	}
	if r.o.run != "" {
		if err := r.runInto(doc); err != nil {
			return false, err
		}
		r.rotated = doc
	}
	return true, nil
}

// replace sets a new value, unless a command is to make it, and keeps the old one for an
// overlap.
func (r *rotating) replace(doc *crypt.Document, it crypt.Item) error {
	old, ok := doc.Get(it.Key)
	if !ok {
		return &noKeyError{key: it.Key, environment: r.env.Name}
	}
	if !r.vault.Note.Until.IsZero() {
		if err := r.checkPrevious(doc, it.Key); err != nil {
			return err
		}
		if err := doc.Set(it.Key+history.PreviousSuffix, old); err != nil {
			return err
		}
	}
	switch {
	case r.o.run != "":
		return nil
	case it.Value == old:
		return sameValue(it.Key)
	}
	return doc.Set(it.Key, it.Value)
}

func sameValue(key string) error {
	return &valueError{key, "not rotated: the value is the same", "give it another value, or let --generate make one"}
}

// checkPrevious sees to it that an overlap overwrites nothing but an old value whose time
// is over.
func (r *rotating) checkPrevious(doc *crypt.Document, key string) error {
	name := key + history.PreviousSuffix
	if _, there := doc.Get(name); !there {
		return nil
	}
	rotation, err := r.vault.Rotation(r.env.Name)
	if err != nil {
		return err
	}
	remove := fmt.Sprintf(`"envcrypt unset %s -e %s" removes it`, name, r.env.Name)
	for _, o := range rotation.Overlaps {
		switch {
		case o.Key != name:
		case o.Due(r.now()):
			return nil
		default:
			return &valueError{key, fmt.Sprintf("not rotated: %s keeps an older value until %s", name, shortTime(o.Until)), remove}
		}
	}
	return &valueError{key, fmt.Sprintf("not rotated: %s exists already, and is no old value that a rotation has kept", name), remove}
}

// describeRotation says what a rotation would do.
func (r *rotating) describeRotation() {
	for _, it := range r.items {
		if r.o.run != "" {
			r.notef("would run the command, and give %s the value that it prints", it.Key)
		} else {
			r.notef("would change %s", it.Key)
		}
		if until := r.vault.Note.Until; !until.IsZero() {
			r.notef("would keep the old value as %s%s until %s", it.Key, history.PreviousSuffix, shortTime(until))
		}
	}
}

// rotateDataKey gives the file of an environment a new data key.
func (a *app) rotateDataKey(argument string) error {
	v, err := a.vault()
	if err != nil {
		return err
	}
	env, err := a.choose(v.Project.Policy, argument)
	if err != nil {
		return err
	}
	op, err := a.begin(v.Project.Root, env.Name)
	if err != nil {
		return err
	}
	if err := a.confirmWrite(env, "encrypt every value with a new data key"); err != nil {
		return err
	}
	if a.dryRun {
		opened, err := v.Open(env.Name)
		if err == nil {
			a.openedBy(op, opened.Doc)
			err = opened.Writable()
		}
		if err == nil {
			a.notef("%s: would get a new data key", env.Name)
		}
		return a.identityFailure(err)
	}
	err = v.RotateDataKey(env.Name, func(doc *crypt.Document) { a.openedBy(op, doc) })
	if err == nil {
		a.notef("%s has a new data key", env.Name)
	}
	return a.identityFailure(err)
}
