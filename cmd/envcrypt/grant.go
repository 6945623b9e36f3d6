package main

import (
	"strings"

	"envcrypt/internal/project"

	"github.com/urfave/cli/v2"
)

func (a *app) grantCommand() *cli.Command {
	return a.command(cli.Command{
		Usage:     "make members and groups readers of an environment",
		ArgsUsage: "ENV NAME...",
		Description: `Adds members or groups to an environment's readers in envcrypt.toml, and
encrypts its file to them, in one operation. Who gains access is shown, and
asked about, before. Only who can read the environment can do that.

EXAMPLES:
   envcrypt grant production alice
   envcrypt grant staging developers ci`,
		Flags: []cli.Flag{a.environmentFlag(), a.reasonFlag(), a.yesFlag(), a.dryRunFlag()},
	}, func(c *cli.Context) error {
		env, names, err := a.readersArguments(c)
		if err != nil {
			return err
		}
		v, err := a.vault()
		if err != nil {
			return err
		}
		grant := func(e *project.Edit) ([]byte, error) { return e.Grant(env, names...) }
		return a.amend(v, amendment{action: a.action, names: append([]string{env}, names...), edits: []policyEdit{grant}})
	})
}

func (a *app) revokeCommand() *cli.Command {
	return a.command(cli.Command{
		Usage:     "take readers of an environment away",
		ArgsUsage: "ENV NAME...",
		Description: `Removes members or groups from an environment's readers in envcrypt.toml, makes
a new data key and encrypts every value afresh, in one operation, after showing
who loses access, and asking. Then it lists all values that they could ever
read, in the file and in git's older revisions of it: only a change at their
source takes these away. The history marks them as to be rotated.

EXAMPLES:
   envcrypt revoke production bob
   envcrypt revoke staging contractors -y`,
		Flags: []cli.Flag{a.environmentFlag(), a.reasonFlag(), a.yesFlag(), a.dryRunFlag()},
	}, func(c *cli.Context) error {
		env, names, err := a.readersArguments(c)
		if err != nil {
			return err
		}
		return a.revoke(env, names)
	})
}

// readersArguments are ENV NAME..., or NAME... with -e.
func (a *app) readersArguments(c *cli.Context) (env string, names []string, err error) {
	if err := refusePrivate(c.Args().Slice()); err != nil {
		return "", nil, err
	}
	if a.environment != "" {
		names, err = arguments(c, 1, -1)
		return a.environment, names, err
	}
	args, err := arguments(c, 2, -1)
	if err != nil {
		return "", nil, err
	}
	return args[0], args[1:], nil
}

func (a *app) revoke(env string, names []string) error {
	v, err := a.vault()
	if err != nil {
		return err
	}
	revoke := func(e *project.Edit) ([]byte, error) { return e.Revoke(env, names...) }
	if err := a.amend(v, amendment{action: a.action, names: append([]string{env}, names...), edits: []policyEdit{revoke}}); err != nil {
		return err
	}
	after := v.Project.Policy // which amend has changed
	e, err := after.Environment(env)
	if err != nil {
		return err
	}
	for _, name := range names {
		if via := readsThrough(after, e, name); len(via) > 0 {
			a.warningf("%s still reads %s through %s: envcrypt group remove %s %s", name, env, strings.Join(via, ", "), via[0], name)
		}
	}
	return nil
}
