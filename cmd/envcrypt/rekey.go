package main

import (
	"fmt"
	"slices"

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

--all is for every environment of the project around the working directory and
of every project below it; where there is none, of every project of the git
repository. A file that cannot be opened and a policy that cannot be read do not
stop the others. Whenever it ends, each file is the old one or the new one, and
the same command does the rest. --json tells what became of each file: done,
todo (with -n), current, skipped for lack of an identity, or failed.

EXAMPLES:
   envcrypt rekey production
   envcrypt rekey --all --dry-run
   envcrypt rekey --all -y`,
		Flags: []cli.Flag{
			a.environmentFlag(), a.reasonFlag(),
			&cli.BoolFlag{Name: "all", Usage: "all environments, of all projects from here down", Destination: &all},
			a.yesFlag(), a.dryRunFlag(), a.jsonFlag(),
		},
	}, func(c *cli.Context) error {
		return a.rekey(c.Args().Slice(), all)
	})
}

func (a *app) rekey(names []string, all bool) error {
	r, err := a.newRekeying(names, all)
	if err != nil {
		return err
	}
	vault.Plan(r.jobs)
	if question := r.show(); question != "" && !a.dryRun {
		if err := a.confirm(question); err != nil {
			return err
		}
	}
	if r.todo > 0 && !a.dryRun {
		if err := r.carryOut(); err != nil {
			return err
		}
	}
	return r.report()
}

// newRekeying says which environments of which projects a command line means.
func (a *app) newRekeying(names []string, all bool) (*rekeying, error) {
	switch {
	case all && len(names) > 0:
		return nil, usagef("--all goes without ENV")
	case a.environment != "" && (all || len(names) > 0):
		return nil, usagef("-e goes without ENV and without --all")
	case all:
		return a.rekeyingAll()
	}
	v, err := a.vault()
	if err != nil {
		return nil, err
	}
	if names, err = a.rekeyNames(v, names); err != nil {
		return nil, err
	}
	r := &rekeying{app: a}
	r.add(rekeyProject{path: "."}, v, names)
	return r, nil
}

func (a *app) rekeyNames(v *vault.Vault, names []string) ([]string, error) {
	if len(names) == 0 {
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
	tellReaders(a.notef, v, name, r)
}

// tellReaders says the same with another voice.
func tellReaders(say func(format string, args ...any), v *vault.Vault, name string, r vault.Readers) {
	for _, g := range r.Gained {
		say("%s: %s gains access (%s)", name, g.Member, recipients.Short(g.Key.String()))
	}
	for _, text := range r.Lost {
		say("%s: %s loses access", name, keyName(&v.Project.Policy.Directory, text))
	}
	for _, m := range r.Moved {
		say("%s: %s belongs to another group of the quorum", name, m.Member)
	}
	if r.Was != r.Is {
		say("%s: %s", name, shapeChange(r))
	}
	if r.Reordered {
		say("%s: the readers are the same, in another order", name)
	}
}

// keyName names a public key as well as the policy can.
func keyName(d *recipients.Directory, text string) string {
	if owner := d.Owner(text); owner != "" {
		return owner + " (" + recipients.Short(text) + ")"
	}
	return recipients.Short(text)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
