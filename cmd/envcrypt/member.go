package main

import (
	"maps"
	"slices"
	"strings"

	"envcrypt/internal/project"
	"envcrypt/recipients"

	"github.com/urfave/cli/v2"
)

// memberOptions are the flags of "member".
type memberOptions struct {
	groups, grants []string
	addKey         bool
}

func (a *app) memberCommand() *cli.Command {
	var o memberOptions
	return a.command(cli.Command{
		Usage:     "add, remove, rename and list members",
		ArgsUsage: "add NAME KEY... | accept LINE | remove NAME | rename OLD NEW | list",
		Description: `Changes who is in envcrypt.toml, with its comments kept, and encrypts the files
that it concerns anew, in one operation. Who gains and who loses access is
shown, and asked about, before.

A KEY is an age or SSH public key, a file of them (alice.pub, authorized_keys),
- for standard input, or github:USER or gitlab:USER: envcrypt opens no network
connection, so these keys come on standard input, or as github:USER=FILE.
"member accept" takes what "envcrypt join" prints: the line, or a file with it.
"member remove" takes somebody out of every group and every environment, with
new data keys, and lists all values that they could ever read: those in the
files, and those in git's older revisions.

EXAMPLES:
   envcrypt member add alice age1... --group developers
   curl -s https://github.com/alice.keys | envcrypt member add alice github:alice
   envcrypt member add alice laptop.pub --add-key
   envcrypt member accept envcrypt-join v1 bob age1... --group developers
   envcrypt member remove bob
   envcrypt member list --json`,
		Flags: []cli.Flag{
			&cli.StringSliceFlag{Name: "group", Aliases: []string{"g"}, Usage: "add: also to `GROUP`; repeatable"},
			&cli.StringSliceFlag{Name: "grant", Usage: "add: make them a reader of `ENV`, too; repeatable"},
			&cli.BoolFlag{Name: "add-key", Usage: "add: give a member who is there another key", Destination: &o.addKey},
			a.reasonFlag(), a.jsonFlag(), a.yesFlag(), a.dryRunFlag(),
		},
	}, func(c *cli.Context) error {
		if err := refusePrivate(c.Args().Slice()); err != nil {
			return err
		}
		args, err := arguments(c, 1, -1)
		if err != nil {
			return err
		}
		o.groups, o.grants = list(c, "group"), list(c, "grant")
		verb, rest := args[0], args[1:]
		if err := a.checkMemberFlags(verb, o); err != nil {
			return err
		}
		a.action = "member " + verb
		switch {
		case verb == "add" && len(rest) >= 2:
			return a.memberAdd(rest[0], rest[1:], o)
		case verb == "add":
			return usagef("member add needs NAME KEY...")
		case verb == "accept" && len(rest) >= 1:
			return a.memberAccept(rest, o)
		case verb == "accept":
			return usagef("member accept needs the line of envcrypt join, a file with it, or -")
		case verb == "remove" && len(rest) == 1:
			return a.memberRemove(rest[0])
		case verb == "remove":
			return usagef("member remove needs one NAME")
		case verb == "rename" && len(rest) == 2:
			return a.memberRename(rest[0], rest[1])
		case verb == "rename":
			return usagef("member rename needs OLD NEW")
		case verb == "list" && len(rest) == 0:
			return a.memberList()
		case verb == "list":
			return usagef("member list takes no argument")
		}
		a.action = "member"
		return usagef("no such thing to do with members: %s; there are %s", showName(verb), strings.Join(memberVerbs(), ", "))
	})
}

func memberVerbs() []string { return []string{"accept", "add", "list", "remove", "rename"} }

// checkMemberFlags refuses flags that would be without effect.
func (a *app) checkMemberFlags(verb string, o memberOptions) error {
	switch {
	case a.json && verb != "list":
		return usagef(`--json goes with "member list"`)
	case o.addKey && verb != "add":
		return usagef(`--add-key goes with "member add"`)
	case len(o.groups)+len(o.grants) > 0 && verb != "add" && verb != "accept":
		return usagef(`--group and --grant go with "member add" and "member accept"`)
	case len(o.groups)+len(o.grants) > 0 && o.addKey:
		return usagef(`--add-key goes without --group and --grant: "envcrypt group add" and "envcrypt grant" are for members who are there`)
	}
	return nil
}

// memberRow is a member in "member list".
type memberRow struct {
	Name         string      `json:"name"`
	Keys         []memberKey `json:"keys"`
	Groups       []string    `json:"groups"`
	Environments []string    `json:"environments"` // by the policy
}

type memberKey struct {
	Kind string `json:"kind"`
	Key  string `json:"key"`
}

func (a *app) memberList() error {
	v, err := a.vault()
	if err != nil {
		return err
	}
	rows := memberRows(v.Project.Policy)
	if a.json {
		return a.printJSON(rows)
	}
	var table [][]string
	for _, r := range rows {
		var keys []string
		for _, key := range r.Keys {
			keys = append(keys, recipients.Short(key.Key))
		}
		table = append(table, []string{r.Name, dashed(r.Groups), dashed(r.Environments), strings.Join(keys, ", ")})
	}
	return a.printTable(table)
}

// dashed lists names, or a dash where there is none.
func dashed(names []string) string {
	if len(names) == 0 {
		return "-"
	}
	return strings.Join(names, ", ")
}

func memberRows(p *project.Policy) []memberRow {
	groups, environments := make(map[string][]string), make(map[string][]string)
	for _, group := range slices.Sorted(maps.Keys(p.Directory.Groups)) {
		for _, member := range p.Directory.Groups[group] {
			groups[member] = append(groups[member], group)
		}
	}
	for _, env := range p.Environments {
		readers, _ := p.Recipients(env.Name) // of the policy itself: no error
		for _, r := range readers {
			if of := environments[r.Member]; !slices.Contains(of, env.Name) {
				environments[r.Member] = append(of, env.Name)
			}
		}
	}
	rows := []memberRow{}
	for _, name := range slices.Sorted(maps.Keys(p.Directory.Members)) {
		row := memberRow{Name: name, Groups: append([]string{}, groups[name]...), Environments: append([]string{}, environments[name]...)}
		for _, key := range p.Directory.Members[name] {
			row.Keys = append(row.Keys, memberKey{key.Kind().String(), key.String()})
		}
		rows = append(rows, row)
	}
	return rows
}
