package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

func (a *app) completionCommand() *cli.Command {
	return a.command(cli.Command{
		Usage:     "print a shell's completion script",
		ArgsUsage: "bash|zsh|fish",
		Description: `Prints a script that completes commands, flags, environments and keys.

EXAMPLES:
   source <(envcrypt completion bash)
   envcrypt completion zsh > "${fpath[1]}/_envcrypt"
   envcrypt completion fish > ~/.config/fish/completions/envcrypt.fish`,
	}, func(c *cli.Context) error {
		args, err := arguments(c, 1, 1)
		if err != nil {
			return err
		}
		script, ok := completionScripts[args[0]]
		if !ok {
			return usagef("no completion for %s; there are bash, zsh and fish", showName(args[0]))
		}
		_, err = fmt.Fprint(a.out, script)
		return err
	})
}

const completeName = "__complete"

var completionScripts = map[string]string{
	"bash": `_envcrypt() {
	local IFS=$'\n'
	COMPREPLY=($(envcrypt ` + completeName + ` -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
	if [ ${#COMPREPLY[@]} -eq 0 ]; then compopt -o default; fi
}
complete -F _envcrypt envcrypt
`,
	"zsh": `#compdef envcrypt
_envcrypt() {
	local -a found
	found=("${(@f)$(envcrypt ` + completeName + ` -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
	if [ -n "$found" ]; then compadd -- $found; else _files; fi
}
if [ "$funcstack[1]" = "_envcrypt" ]; then _envcrypt "$@"; else compdef _envcrypt envcrypt; fi
`,
	"fish": `complete -c envcrypt -a '(envcrypt ` + completeName + ` -- (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'
`,
}

// completeCommand answers the scripts: what can stand where the last word is.
func (a *app) completeCommand() *cli.Command {
	c := a.command(cli.Command{
		Usage: "candidates for a shell", ArgsUsage: "WORD...",
		Description: `For the scripts of "envcrypt completion".

EXAMPLES:
   envcrypt ` + completeName + ` -- ge`,
	}, func(c *cli.Context) error {
		words := c.Args().Slice()
		if len(words) == 0 {
			words = []string{""}
		}
		last := words[len(words)-1]
		for _, candidate := range a.candidates(words[:len(words)-1], last) {
			if strings.HasPrefix(candidate, last) {
				fmt.Fprintln(a.out, candidate)
			}
		}
		return nil
	})
	c.Hidden = true
	return c
}

func (a *app) candidates(before []string, last string) []string {
	var command *cli.Command
	for i, word := range before {
		switch {
		case word == "--":
			return nil
		case (word == "-e" || word == "--env") && i+1 < len(before):
			a.environment = before[i+1]
		case command == nil && !takesValue(lastOf(before[:i]), nil):
			command = a.find(word)
		}
	}
	switch previous := lastOf(before); {
	case slices.Contains([]string{"-e", "--env", "--from", "--to"}, previous):
		return a.environmentNames()
	case command == nil:
		return a.commandNames()
	case strings.HasPrefix(last, "-"):
		return flagNames(command)
	case previous == "--group" || previous == "-g":
		return a.memberNames(false, true)
	case previous == "--grant":
		return a.environmentNames()
	case previous == "--format" && command.Name == "check":
		return []string{"text", "json", "sarif", "github"}
	case previous == "--format":
		return []string{"dotenv", "json", "yaml", "shell", "keys"}
	case takesValue(previous, command):
		return nil
	}
	if names, ok := a.peopleCandidates(command.Name, positional(before, command)); ok {
		return names
	}
	switch command.Name {
	case "get", "set", "unset", "rotate", "promote":
		return a.keyNames()
	case "edit", "keys", "export", "rekey", "seal", "history", "compare", "check", "example":
		return a.environmentNames()
	case "completion":
		return []string{"bash", "fish", "zsh"}
	}
	return nil
}

func lastOf(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return words[len(words)-1]
}

func (a *app) commandNames() (names []string) {
	for _, c := range a.commands() {
		if !c.Hidden {
			names = append(names, c.Name)
		}
	}
	slices.Sort(names)
	return names
}

func flagNames(c *cli.Command) (names []string) {
	for _, f := range c.Flags {
		names = append(names, "--"+f.Names()[0])
	}
	return names
}

func (a *app) environmentNames() (names []string) {
	v, err := a.vault()
	if err != nil {
		return nil
	}
	for _, env := range v.Project.Policy.Environments {
		names = append(names, env.Name)
	}
	return names
}

// keyNames lists the keys of the environment that the words so far choose.
func (a *app) keyNames() (names []string) {
	values, err := a.named("", "")
	if err != nil {
		return nil
	}
	for _, v := range values {
		names = append(names, v.Key)
	}
	return names
}

// positional are the words behind a command's name that are neither flags nor their values.
func positional(before []string, command *cli.Command) (words []string) {
	found := false
	for i, word := range before {
		var c *cli.Command
		if found {
			c = command
		}
		switch {
		case strings.HasPrefix(word, "-"), i > 0 && strings.HasPrefix(before[i-1], "-") && takesValue(before[i-1], c):
		case !found:
			found = true
		default:
			words = append(words, word)
		}
	}
	return words
}

// peopleCandidates completes the commands that change who reads what.
func (a *app) peopleCandidates(command string, words []string) (names []string, ok bool) {
	verb := first(words)
	switch {
	case command == "member" && len(words) == 0:
		return memberVerbs(), true
	case command == "member" && len(words) == 1 && (verb == "remove" || verb == "rename" || verb == "add"):
		return a.memberNames(true, false), true
	case command == "group" && len(words) == 0:
		return []string{"add", "remove"}, true
	case command == "group" && len(words) == 1:
		return a.memberNames(false, true), true
	case command == "group":
		return a.memberNames(true, false), true
	case (command == "grant" || command == "revoke") && len(words) == 0 && a.environment == "":
		return a.environmentNames(), true
	case command == "grant", command == "revoke":
		return a.memberNames(true, true), true
	}
	return nil, false
}

// memberNames lists the members and the groups.
func (a *app) memberNames(members, groups bool) (names []string) {
	v, err := a.vault()
	if err != nil {
		return nil
	}
	d := &v.Project.Policy.Directory
	if members {
		names = slices.AppendSeq(names, maps.Keys(d.Members))
	}
	if groups {
		names = slices.AppendSeq(names, maps.Keys(d.Groups))
	}
	slices.Sort(names)
	return names
}
