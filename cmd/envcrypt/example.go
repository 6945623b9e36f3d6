package main

import (
	"os"

	"envcrypt/envfile"
	"envcrypt/internal/project"
	"envcrypt/internal/vault"

	"github.com/urfave/cli/v2"
)

func (a *app) exampleCommand() *cli.Command {
	var output string
	return a.command(cli.Command{
		Usage:     "print made-up values for every key",
		ArgsUsage: "[ENV]",
		Description: `Prints every key that is declared or that an environment has, with a made-up
value that its declaration accepts, and its description: for newcomers and for
tests. Without ENV, the keys of all environments. No value is a real one but
those of the policy's vars, which are no secrets; each run prints the same. It
needs no identity. "envcrypt exec --example" runs a command with these values.

EXAMPLES:
   envcrypt example -o .env.example
   envcrypt example staging
   envcrypt exec --example -- go test ./...`,
		Flags: []cli.Flag{
			a.environmentFlag(),
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write `FILE` instead of standard output", Destination: &output},
		},
	}, func(c *cli.Context) error {
		args, err := arguments(c, 0, 1)
		if err != nil {
			return err
		}
		return a.example(first(args), output)
	})
}

func (a *app) example(argument, output string) error {
	v, err := a.vault()
	if err != nil {
		return err
	}
	names := v.Project.Policy.Names()
	if argument != "" || a.environment != "" {
		env, err := a.choose(v.Project.Policy, argument)
		if err != nil {
			return err
		}
		names = []string{env.Name}
	}
	values, err := a.fakes(v, names)
	if err != nil {
		return err
	}
	var items []envfile.Item
	for _, value := range values {
		if d := v.Project.Policy.Declaration(value.Key); d != nil && d.Description != "" {
			items = append(items, envfile.Item{Kind: envfile.Comment, Comment: " " + oneLine(d.Description)})
		}
		items = append(items, envfile.Item{Kind: envfile.Entry, Key: value.Key, Value: value.Value})
	}
	text, err := envfile.Format(items)
	if err != nil {
		return err
	}
	if output == "" || output == "-" {
		return a.print(string(text))
	}
	return project.WriteFile(output, text, os.FileMode(0o644))
}

func (a *app) fakes(v *vault.Vault, names []string) ([]vault.Value, error) {
	return v.Fakes(names, func(key string) {
		a.warningf("%s: the made-up value is not what its declaration wants: give it an example", key)
	})
}

// exampleSource is what "exec --example" takes values from: the chosen environment's keys,
// made up. Nothing is opened.
func (a *app) exampleSource() (*source, error) {
	v, err := a.vault()
	if err != nil {
		return nil, err
	}
	env, err := a.choose(v.Project.Policy, "")
	if err != nil {
		return nil, err
	}
	values, err := a.fakes(v, []string{env.Name})
	return &source{values: values, where: env.Name, environment: env, vault: v}, err
}
