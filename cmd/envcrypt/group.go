package main

import (
	"maps"
	"slices"

	"envcrypt/internal/project"

	"github.com/urfave/cli/v2"
)

func (a *app) groupCommand() *cli.Command {
	return a.command(cli.Command{
		Usage:     "add members to groups, and remove them",
		ArgsUsage: "add GROUP NAME... | remove GROUP NAME...",
		Description: `Changes who is in a group of envcrypt.toml, and encrypts the files of the
environments that the group reads anew, in one operation. Who gains and who
loses access is shown, and asked about, before. "group add" makes a group that
is not there yet; an environment needs its name among the readers: envcrypt grant.
For somebody who loses access it lists what they could read, as "member remove"
does.

EXAMPLES:
   envcrypt group add developers alice bob
   envcrypt group remove ops bob`,
		Flags: []cli.Flag{a.reasonFlag(), a.yesFlag(), a.dryRunFlag()},
	}, func(c *cli.Context) error {
		if err := refusePrivate(c.Args().Slice()); err != nil {
			return err
		}
		args, err := arguments(c, 1, -1)
		switch {
		case err != nil:
			return err
		case args[0] != "add" && args[0] != "remove":
			return usagef("no such thing to do with groups: %s; there are add, remove", showName(args[0]))
		case len(args) < 3:
			return usagef("group %s needs GROUP NAME...", args[0])
		}
		a.action = "group " + args[0]
		if args[0] == "add" {
			return a.groupAdd(args[1], args[2:])
		}
		return a.groupRemove(args[1], args[2:])
	})
}

func (a *app) groupAdd(group string, names []string) error {
	v, err := a.vault()
	if err != nil {
		return err
	}
	_, exists := v.Project.Policy.Directory.Groups[group]
	doubt := ""
	if !exists && project.ValidMemberName(group) {
		doubt = doubtName(&v.Project.Policy.Directory, group)
	}
	add := func(e *project.Edit) ([]byte, error) { return e.AddToGroup(group, names...) }
	if err := a.amend(v, amendment{action: a.action, names: append([]string{group}, names...), edits: []policyEdit{add}, doubt: doubt}); err != nil {
		return err
	}
	if !exists && !a.dryRun {
		a.hintf(`%s is a new group that reads nothing yet: "envcrypt grant ENV %s"`, group, group)
	}
	return nil
}

func (a *app) groupRemove(group string, names []string) error {
	v, err := a.vault()
	if err != nil {
		return err
	}
	remove := func(e *project.Edit) ([]byte, error) { return e.RemoveFromGroup(group, names...) }
	return a.amend(v, amendment{action: a.action, names: append([]string{group}, names...), edits: []policyEdit{remove}})
}

func groupNames(p *project.Policy) []string { return slices.Sorted(maps.Keys(p.Directory.Groups)) }
