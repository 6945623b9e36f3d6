package main

import (
	"fmt"
	"slices"
	"strings"

	"envcrypt/internal/audit"
	"envcrypt/internal/vault"
	"envcrypt/recipients"

	"github.com/urfave/cli/v2"
)

func (a *app) rekeyCommand() *cli.Command {
	var all bool
	return a.command(cli.Command{
		Usage:     "encrypt environments to the readers that the policy lists",
		ArgsUsage: "[ENV...]",
		Description: `Makes the environments' files match envcrypt.toml, after showing who gains and
who loses access. Where somebody loses it, the file gets a new data key and
every value is encrypted afresh; the values that they could read are listed,
since only a change at their source takes them away.

EXAMPLES:
   envcrypt rekey production
   envcrypt rekey --all --dry-run
   envcrypt rekey --all -y`,
		Flags: []cli.Flag{
			a.environmentFlag(), a.reasonFlag(),
			&cli.BoolFlag{Name: "all", Usage: "all environments of the project", Destination: &all},
			a.yesFlag(), a.dryRunFlag(),
		},
	}, func(c *cli.Context) error {
		return a.rekey(c.Args().Slice(), all)
	})
}

func (a *app) rekey(names []string, all bool) error {
	v, err := a.vault()
	if err != nil {
		return err
	}
	if names, err = a.rekeyNames(v, names, all); err != nil {
		return err
	}
	steps := v.Plan(names)
	question := "" // where nobody gains or loses, only a protected file is asked about
	todo := 0
	for _, s := range steps {
		if s.Err == nil && s.Readers.Differ() {
			todo++
			if env, _ := v.Project.Policy.Environment(s.Environment); env.Protected && question == "" {
				question = "rewrite"
			}
			if s.Readers.ChangeAccess() {
				question = "change who can read"
			}
			quiet := a.quiet
			a.quiet = quiet && (a.yes || a.dryRun) // a question follows
			a.showReaders(v, s.Environment, s.Readers)
			a.quiet = quiet
		}
	}
	if todo > 0 && !a.dryRun {
		if question != "" {
			if err := a.confirm(fmt.Sprintf("%s %s?", question, count(todo, "environment"))); err != nil {
				return err
			}
		}
		ops, err := a.beginRekey(v, steps)
		if err != nil {
			return err
		}
		if err := v.Rekey(steps, func(int) {}); err != nil {
			return err
		}
		for i, op := range ops {
			op.Entry.Actor = a.policy.Directory.Owner(steps[i].By)
			if err := a.end(op, steps[i].Err); err != nil {
				return err
			}
		}
	}
	return a.rekeySummary(steps)
}

// beginRekey notes each file that is about to be rewritten in the audit log.
func (a *app) beginRekey(v *vault.Vault, steps []vault.Step) (map[int]*audit.Op, error) {
	ops := make(map[int]*audit.Op)
	for i, s := range steps {
		if s.Err != nil || !s.Readers.Differ() {
			continue
		}
		op, err := a.begin(v.Project.Root, s.Environment)
		if err != nil {
			return nil, err
		}
		ops[i] = op
	}
	return ops, nil
}

func (a *app) rekeyNames(v *vault.Vault, names []string, all bool) ([]string, error) {
	switch {
	case all && len(names) > 0:
		return nil, usagef("--all goes without ENV")
	case a.environment != "" && (all || len(names) > 0):
		return nil, usagef("-e goes without ENV and without --all")
	case all:
		for _, env := range v.Project.Policy.Environments {
			names = append(names, env.Name)
		}
	case len(names) == 0:
		env, err := a.choose(v.Project.Policy, "")
		if err != nil {
			return nil, err
		}
		return []string{env.Name}, nil
	}
	var once []string
	for _, name := range names {
		if _, err := v.Project.Policy.Environment(name); err != nil {
			return nil, err
		}
		if !slices.Contains(once, name) {
			once = append(once, name)
		}
	}
	return once, nil
}

// showReaders says who gains and who loses access to an environment.
func (a *app) showReaders(v *vault.Vault, name string, r vault.Readers) {
	for _, g := range r.Gained {
		a.notef("%s: %s gains access (%s)", name, g.Member, recipients.Short(g.Key.String()))
	}
	for _, text := range r.Lost {
		a.notef("%s: %s loses access", name, keyName(&v.Project.Policy.Directory, text))
	}
	for _, m := range r.Moved {
		a.notef("%s: %s belongs to another group of the quorum", name, m.Member)
	}
	if r.Was != r.Is {
		a.notef("%s: %s", name, shapeChange(r))
	}
	if r.Reordered {
		a.notef("%s: the readers are the same, in another order", name)
	}
}

// keyName names a public key as well as the policy can.
func keyName(d *recipients.Directory, text string) string {
	if owner := d.Owner(text); owner != "" {
		return owner + " (" + recipients.Short(text) + ")"
	}
	return recipients.Short(text)
}

func (a *app) rekeySummary(steps []vault.Step) error {
	var failed error
	done := 0
	for _, s := range steps {
		switch {
		case s.Err != nil:
			if failed != nil {
				a.complain(failed)
			}
			failed = a.identityFailure(s.Err)
		case !s.Readers.Differ():
			a.notef("%s: up to date", s.Environment)
		case a.dryRun:
			a.notef("%s: would be rekeyed", s.Environment)
		default:
			done++
			if len(s.Readers.Lost) > 0 && len(s.Keys) > 0 {
				a.hintf("%s: who lost access could read these values: change them at their source: %s", s.Environment, strings.Join(s.Keys, ", "))
			}
		}
	}
	if done > 0 {
		a.notef("rekeyed %s", count(done, "environment"))
	}
	return failed
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
