package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"envcrypt/internal/audit"
	"envcrypt/internal/keyring"
	"envcrypt/internal/launch"
	"envcrypt/internal/project"
	"envcrypt/internal/scratch"

	"github.com/urfave/cli/v2"
)

// app is one run of the program: the outside, and the flags that all commands
// share.
type app struct {
	system
	tui
	now func() time.Time

	dir           string
	identityFiles []string
	environment   string
	yes, dryRun   bool
	json          bool

	allowDumps func() // undoes what keeps this process's memory out of core dumps

	log      *audit.Log  // the machine's, once something is to be logged
	ops      []*audit.Op // operations that have begun and not ended
	action   string      // the command, as the log calls it
	command0 string      // what exec runs
	amending string      // the command that changes the policy, for whoever may have to run it
	reason   string
	allowed  []string // guard rules that do not refuse
	fake     bool     // values are made up

	kept   bool             // what could not be saved is kept elsewhere, and the user was told where
	keys   *keyring.Keyring // of the vault or file that was opened last
	policy *project.Policy  // of the project, once it is read
}

// run carries out one command line and returns its exit code.
func run(s system) int {
	a := &app{system: s, now: time.Now}
	a.tui = newTUI(s)
	a.allowDumps = launch.NoCoreDump()
	scratch.Sweep(a.scratchPlaces())
	args, command := arrange(wordsForFlags(s.args), a.find)
	if command == nil {
		return a.report("", newCLI(a, a.commands()).Run(args))
	}
	a.action = command.Name
	keepUsedFlags(command, args)
	err := newCLI(a, []*cli.Command{command}).Run(args)
	if unlogged := a.endAll(err); err == nil {
		err = unlogged
	}
	return a.report(command.Name, err)
}

func newCLI(a *app, commands []*cli.Command) *cli.App {
	c := &cli.App{Compiled: time.Unix(0, 0)} // or cli asks the file system
	c.Name = programName
	c.Usage = "the secrets of each environment, encrypted in the repository"
	c.Description = topDescription
	c.HideVersion = true
	c.HideHelpCommand = true
	c.DisableSliceFlagSeparator = true // a file's name may have a comma
	c.Writer, c.ErrWriter = a.stdout, io.Discard
	c.Commands = commands
	c.CustomAppHelpTemplate = topTemplate
	c.Action = func(c *cli.Context) error {
		if name := c.Args().First(); name != "" {
			name, _, _ = strings.Cut(name, "=") // which a value would follow
			return usagef("no such command: %s", showName(name))
		}
		return usagef("no command given")
	}
	c.OnUsageError = onUsageError
	c.ExitErrHandler = func(*cli.Context, error) {}
	return c
}

// commandTable lists the commands, in the order of the help page: what each is
// called, and what makes it. A run makes the one that it needs.
func commandTable() []commandEntry {
	return []commandEntry{
		{[]string{"init"}, (*app).initCommand},
		{[]string{"keygen"}, (*app).keygenCommand},
		{[]string{"edit"}, (*app).editCommand},
		{[]string{execName, "run"}, (*app).execCommand},
		{[]string{"set"}, (*app).setCommand},
		{[]string{"unset"}, (*app).unsetCommand},
		{[]string{"get"}, (*app).getCommand},
		{[]string{"keys", "list", "ls"}, (*app).keysCommand},
		{[]string{"export", "pull", "decrypt"}, (*app).exportCommand},
		{[]string{"import"}, (*app).importCommand},
		{[]string{"rekey", "updatekeys"}, (*app).rekeyCommand},
		{[]string{"access"}, (*app).accessCommand},
		{[]string{"member"}, (*app).memberCommand},
		{[]string{"group"}, (*app).groupCommand},
		{[]string{"grant"}, (*app).grantCommand},
		{[]string{"revoke"}, (*app).revokeCommand},
		{[]string{"join"}, (*app).joinCommand},
		{[]string{"promote"}, (*app).promoteCommand},
		{[]string{"compare", "diff"}, (*app).compareCommand},
		{[]string{"rotate"}, (*app).rotateCommand},
		{[]string{"seal"}, (*app).sealCommand},
		{[]string{"history"}, (*app).historyCommand},
		{[]string{"audit"}, (*app).auditCommand},
		{[]string{"check"}, (*app).checkCommand},
		{[]string{"example"}, (*app).exampleCommand},
		{[]string{"doctor"}, (*app).doctorCommand},
		{[]string{"version"}, (*app).versionCommand},
		{[]string{"completion"}, (*app).completionCommand},
		{[]string{completeName}, (*app).completeCommand},
	}
}

type commandEntry struct {
	names []string
	build func(*app) *cli.Command
}

// find makes the command that name calls, nil if there is none.
func (a *app) find(name string) *cli.Command {
	for _, entry := range commandTable() {
		if slices.Contains(entry.names, name) {
			c := entry.build(a)
			c.Name, c.Aliases = entry.names[0], entry.names[1:]
			return c
		}
	}
	return nil
}

// commands makes all commands.
func (a *app) commands() []*cli.Command {
	var all []*cli.Command
	for _, entry := range commandTable() {
		all = append(all, a.find(entry.names[0]))
	}
	return all
}

// command fills in what is the same for every command. Behind help, a blank
// line and the exit codes follow on the help page.
func (a *app) command(c cli.Command, run func(c *cli.Context) error) *cli.Command {
	c.CustomHelpTemplate = commandTemplate
	c.OnUsageError = onUsageError
	c.HideHelpCommand = true
	c.Flags = append(c.Flags, a.commonFlags()...)
	for _, f := range c.Flags {
		if b, ok := f.(*cli.BoolFlag); ok {
			b.DisableDefaultText = true
		}
	}
	c.Action = func(ctx *cli.Context) error {
		a.identityFiles = ctx.StringSlice("identity")
		const longestReason = 1000 // it may be committed
		if len(a.reason) > longestReason {
			return usagef("--reason: more than %d bytes", longestReason)
		}
		if a.allowed = list(ctx, "allow"); len(a.allowed) > 0 && strings.TrimSpace(a.reason) == "" {
			return usagef("--allow needs --reason TEXT: it is recorded")
		}
		return run(ctx)
	}
	return &c
}

func (a *app) commonFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "directory", Aliases: []string{"C"}, Usage: "look for the project from `DIR` on", Destination: &a.dir},
		&cli.StringSliceFlag{Name: "identity", Aliases: []string{"i"}, Usage: "private key `FILE`, tried first; repeatable"},
		&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "no notes on standard error, errors only", Destination: &a.quiet},
	}
}

func (a *app) environmentFlag() cli.Flag {
	return &cli.StringFlag{
		Name: "env", Aliases: []string{"e"}, Usage: "work on environment `ENV`", Destination: &a.environment,
		Action: func(_ *cli.Context, name string) error {
			if name == "" { // a script's variable that was not set must not mean the default
				return usagef("-e needs an environment's name")
			}
			return nil
		},
	}
}

func (a *app) reasonFlag() cli.Flag {
	return &cli.StringFlag{Name: "reason", Usage: "`TEXT` for the audit log, and why a rule is overridden", Destination: &a.reason}
}

func (a *app) allowFlag() cli.Flag {
	return &cli.StringSliceFlag{Name: "allow", Usage: "override the guard rule `RULE`, with a --reason; repeatable"}
}

func (a *app) yesFlag() cli.Flag {
	return &cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, Usage: "answer every question with yes", Destination: &a.yes}
}

func (a *app) dryRunFlag() cli.Flag {
	return &cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Usage: "say what would be done, and do nothing", Destination: &a.dryRun}
}

func (a *app) jsonFlag() cli.Flag {
	return &cli.BoolFlag{Name: "json", Usage: "print JSON", Destination: &a.json}
}

// usageError is a wrong command line.
type usageError struct{ message string }

func (e *usageError) Error() string { return e.message }

func usagef(format string, args ...any) error {
	return &usageError{message: fmt.Sprintf(format, args...)}
}

func onUsageError(_ *cli.Context, err error, _ bool) error {
	message := err.Error()
	if err := refusePrivate([]string{message}); err != nil {
		return err
	}
	for _, flag := range []string{"flag provided but not defined: ", "flag needs an argument: "} {
		if name, ok := strings.CutPrefix(message, flag); ok {
			return usagef("%s%s", strings.NewReplacer("provided but not defined", "not known").Replace(flag), showName(name))
		}
	}
	return usagef("a flag's value cannot be read") // which may be a secret
}

// args returns the arguments, or a usage error if there are fewer than least or
// more than most; most < 0 for any number.
func arguments(c *cli.Context, least, most int) ([]string, error) {
	args := c.Args().Slice()
	switch {
	case len(args) < least:
		return nil, usagef("%s needs %s", c.Command.Name, c.Command.ArgsUsage)
	case most >= 0 && len(args) > most:
		return nil, usagef("%s takes %s and no more", c.Command.Name, orNothing(c.Command.ArgsUsage))
	case most == 1 && len(args) == 1 && args[0] == "":
		return nil, usagef("%s: the argument is empty", c.Command.Name)
	}
	return args, nil
}

func orNothing(s string) string {
	if s == "" {
		return "no argument"
	}
	return s
}

// wordsForFlags takes the other ways in which people ask for the version and
// for help: "--version", "help COMMAND".
func wordsForFlags(args []string) []string {
	switch {
	case len(args) == 2 && args[1] == "--version":
		return []string{args[0], "version"}
	case len(args) == 2 && args[1] == "help":
		return []string{args[0], "--help"}
	case len(args) == 3 && args[1] == "help":
		return []string{args[0], args[2], "--help"}
	}
	return args
}

// arrange puts a command line into the order that cli can parse (command,
// flags, "--", arguments), since it takes everything behind the first argument
// for one. What exec runs is left alone. It returns the command, too, nil if
// the line calls none.
func arrange(args []string, find func(name string) *cli.Command) ([]string, *cli.Command) {
	if len(args) == 0 {
		return []string{programName}, nil
	}
	var command *cli.Command
	var flags, rest []string
	in := args[1:]
	for len(in) > 0 {
		arg := in[0]
		in = in[1:]
		switch {
		case arg == "--":
			rest = append(rest, in...)
			in = nil
		case len(arg) > 1 && arg[0] == '-':
			flags = append(flags, arg)
			if !takesValue(arg, command) {
				break
			}
			if len(in) == 0 {
				rest = nil // or cli takes the "--" in front of it for the flag's value
				break
			}
			flags = append(flags, in[0])
			in = in[1:]
		case command == nil:
			if command = find(arg); command == nil {
				return append([]string{args[0], "--", arg}, in...), nil
			}
		case command.Name == execName:
			rest = append(append(rest, arg), in...)
			in = nil
		default:
			rest = append(rest, arg)
		}
	}
	out := []string{args[0]}
	if command != nil {
		out = append(out, command.Name)
	}
	out = append(out, flags...)
	if len(rest) > 0 {
		out = append(append(out, "--"), rest...)
	}
	return out, command
}

// keepUsedFlags leaves a command those of its flags that stand in an arranged
// command line, since cli's time grows with the square of their number. Where
// one is not the command's (help among them), all stay, for cli to say so.
func keepUsedFlags(command *cli.Command, args []string) {
	var used []cli.Flag
	for _, arg := range args {
		if arg == "--" {
			break
		}
		if len(arg) < 2 || arg[0] != '-' {
			continue // the program, the command, or a flag's value
		}
		name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		i := slices.IndexFunc(command.Flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), name) })
		if i < 0 {
			return
		}
		if !slices.Contains(used, command.Flags[i]) {
			used = append(used, command.Flags[i])
		}
	}
	command.Flags = used
}

// takesValue tells whether the flag arg is followed by its value. In front of
// the command only flags that many commands share can stand.
func takesValue(arg string, command *cli.Command) bool {
	name := strings.TrimLeft(arg, "-")
	if command == nil {
		return slices.Contains([]string{"C", "directory", "i", "identity", "e", "env"}, name)
	}
	for _, f := range command.Flags {
		if slices.Contains(f.Names(), name) {
			_, isBool := f.(*cli.BoolFlag)
			return !isBool
		}
	}
	return false
}

// An exitError ends a command that has said everything already.
type exitError struct{ code int }

func (e *exitError) Error() string { return fmt.Sprintf("exit %d", e.code) }

func asExit(err error) (int, bool) {
	var e *exitError
	if errors.As(err, &e) {
		return e.code, true
	}
	return 0, false
}
