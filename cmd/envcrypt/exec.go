package main

import (
	"os"
	"slices"
	"strings"

	"envcrypt/internal/environ"
	"envcrypt/internal/launch"

	"github.com/urfave/cli/v2"
)

const execName = "exec"

func (a *app) execCommand() *cli.Command {
	var file string
	var pristine, strict bool
	return a.command(cli.Command{
		Usage:     "run a command with an environment's values",
		ArgsUsage: "-- CMD [ARG...]",
		Description: `Becomes CMD, with the environment's values among its variables. They
override variables of the same name that the caller has. The variable that
the policy names (ENVIRONMENT) is set to the environment's name. Variables
that hold private keys are not passed on. Names that make programs run code
or redirect them (PATH, LD_PRELOAD, NODE_OPTIONS, HTTPS_PROXY, ...) are
refused unless the policy lists them in "allow".

EXAMPLES:
   envcrypt exec -- npm test
   envcrypt exec -e staging -- ./server --port 8080
   envcrypt exec -e production --only DATABASE_URL -- psql
   envcrypt exec -f /etc/app/production.env -e production -- ./server`,
		Flags: []cli.Flag{
			a.environmentFlag(), a.allowFlag(), a.reasonFlag(),
			&cli.StringSliceFlag{Name: "only", Usage: "pass these `KEYS` alone"},
			&cli.StringSliceFlag{Name: "keep", Usage: "`KEYS` for which the caller's variable wins"},
			&cli.BoolFlag{Name: "example", Usage: "made-up values, without an identity", Destination: &a.fake},
			&cli.BoolFlag{Name: "strict", Usage: "start nothing while a required key is missing", Destination: &strict},
			&cli.BoolFlag{Name: "pristine", Usage: "pass nothing else that the caller has", Destination: &pristine},
			fileFlag(&file),
		},
	}, func(c *cli.Context) error {
		argv, err := arguments(c, 1, -1)
		if err != nil {
			return err
		}
		o := launch.Options{Only: list(c, "only"), Keep: list(c, "keep"), Pristine: pristine}
		if !validKeys(o.Only) || !validKeys(o.Keep) {
			return errKeyName
		}
		a.command0 = argv[0]
		return a.exec(file, argv, strict, o)
	})
}

func fileFlag(to *string) cli.Flag {
	return &cli.StringFlag{Name: "file", Aliases: []string{"f"}, Usage: "one SOPS `FILE`, without a project", Destination: to}
}

// list returns a repeatable flag's names, which commas may part too; nil if the
// flag is not there.
func list(c *cli.Context, flag string) []string {
	var names []string
	for _, s := range c.StringSlice(flag) {
		for name := range strings.SplitSeq(s, ",") {
			if name = strings.TrimSpace(name); name != "" {
				names = append(names, name)
			}
		}
	}
	if names == nil && c.IsSet(flag) {
		names = []string{}
	}
	return names
}

// exec becomes a command. It returns only where that fails, or where the system
// cannot replace a process.
func (a *app) exec(file string, argv []string, strict bool, o launch.Options) error {
	for _, name := range o.Keep {
		if launch.HoldsIdentity(name) {
			return usagef("--keep: %s can hold a private key, which no command gets", showName(name))
		}
	}
	path, err := launch.Look(argv[0])
	if err != nil {
		return err
	}
	src, err := a.execSource(file, o.Only)
	if err != nil {
		return err
	}
	if src.vault != nil && (strict || src.environment.Strict) {
		if err := src.vault.Required(src.where, src.values); err != nil {
			return err
		}
	}
	passed := func(key string) bool {
		_, inherited := environ.Lookup(a.env, key)
		kept := inherited && slices.Contains(o.Keep, key)
		return (o.Only == nil || slices.Contains(o.Only, key)) && !kept
	}
	if err := a.refuseUse(src, passed); err != nil {
		return err
	}
	o.Allow, o.Name = src.environment.Allow, src.environment.Name
	switch {
	case file == "":
		o.Variable = a.policy.Variable
	case o.Name != "":
		o.Variable = defaultVariable
	}
	values := make([][2]string, 0, len(src.values))
	for _, v := range src.values {
		values = append(values, [2]string{v.Key, v.Value})
	}
	env, err := launch.Environ(a.env, values, o)
	if err != nil {
		return err
	}
	ops := slices.Clone(a.ops)
	if err := a.endAll(nil); err != nil {
		return err
	}
	a.allowDumps()
	err = launch.Exec(path, argv, env, [3]*os.File{a.stdin, a.stdout, a.stderr})
	if err != nil {
		a.ops = ops // which did not come about after all
	}
	return err
}

// execSource opens what exec takes values from.
func (a *app) execSource(file string, only []string) (*source, error) {
	switch {
	case !a.fake:
		return a.source(file, "", only...)
	case file != "":
		return nil, usagef("--example goes without -f")
	}
	return a.exampleSource()
}

// defaultVariable is what the policy's variable is called where there is no
// policy.
const defaultVariable = "ENVIRONMENT"
