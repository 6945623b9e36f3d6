package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	"envcrypt/crypt"
	"envcrypt/envfile"
	"envcrypt/internal/launch"
	"envcrypt/internal/project"
	"envcrypt/internal/vault"

	"github.com/urfave/cli/v2"
)

func (a *app) getCommand() *cli.Command {
	var file string
	return a.command(cli.Command{
		Usage:     "print one value",
		ArgsUsage: "KEY",
		Description: `Prints the bare value of a key, with a newline behind it only on a terminal.
A key that is not there is exit 1.

EXAMPLES:
   envcrypt get DATABASE_URL
   envcrypt get TLS_KEY -e staging > key.pem
   envcrypt get API_KEY -f backup/production.env`,
		Flags: []cli.Flag{a.environmentFlag(), a.reasonFlag(), fileFlag(&file), a.jsonFlag()},
	}, func(c *cli.Context) error {
		args, err := arguments(c, 1, 1)
		if err != nil {
			return err
		}
		if !crypt.ValidKey(args[0]) {
			return errKeyName
		}
		return a.get(file, args[0])
	})
}

func (a *app) get(file, key string) error {
	src, err := a.source(file, "", key)
	if err != nil {
		return err
	}
	value, ok := src.get(key)
	if !ok {
		return &noKeyError{key: key, environment: src.where}
	}
	if err := a.endAll(nil); err != nil {
		return err
	}
	switch {
	case a.json:
		return a.printJSON(value)
	case isTerminal(a.out):
		value += "\n"
	}
	return a.print(value)
}

// printJSON prints any value as one JSON document.
func (a *app) printJSON(v any) error {
	var text strings.Builder
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return err
	}
	return a.print(text.String())
}

func (a *app) keysCommand() *cli.Command {
	var file string
	var origin bool
	return a.command(cli.Command{
		Usage:     "list an environment's keys",
		ArgsUsage: "[ENV]",
		Description: `Prints the names of an environment's keys, with those of the policy's vars and
of the environments that it inherits from. It needs no identity, and so cannot
tell whether somebody tampered with the names. With --origin it says where each
comes from: vars (of all environments), ENV vars (its own), ENV (its file).

EXAMPLES:
   envcrypt keys production
   envcrypt keys preview --origin
   envcrypt keys staging --json
   envcrypt keys -f backup/production.env`,
		Flags: []cli.Flag{
			a.environmentFlag(), fileFlag(&file), a.jsonFlag(),
			&cli.BoolFlag{Name: "origin", Usage: "say which layer each comes from", Destination: &origin},
		},
	}, func(c *cli.Context) error {
		args, err := arguments(c, 0, 1)
		if err != nil {
			return err
		}
		return a.listKeys(file, first(args), origin)
	})
}

func first(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

func (a *app) listKeys(file, argument string, origin bool) error {
	values, err := a.named(file, argument)
	switch {
	case err != nil:
		return err
	case origin:
		return a.listOrigins(values)
	}
	names := []string{}
	for _, v := range values {
		names = append(names, v.Key)
	}
	if a.json {
		return a.printJSON(names)
	}
	for _, key := range names {
		if _, err := fmt.Fprintln(a.out, key); err != nil {
			return err
		}
	}
	return nil
}

// keyOrigin is a line of "keys --origin".
type keyOrigin struct {
	Key    string `json:"key"`
	Origin string `json:"origin"`
}

func (a *app) listOrigins(values []vault.Value) error {
	rows := []keyOrigin{}
	for _, v := range values {
		rows = append(rows, keyOrigin{v.Key, originName(v.Origin)})
	}
	if a.json {
		return a.printJSON(rows)
	}
	var table [][]string
	for _, r := range rows {
		table = append(table, []string{r.Key, r.Origin})
	}
	return a.printTable(table)
}

// originName is what a layer is called: [vars], ENV's [vars], or ENV's file.
func originName(o vault.Origin) string {
	switch {
	case o.Environment == "" && o.Plain:
		return "vars"
	case o.Plain:
		return o.Environment + " vars"
	case o.Environment == "":
		return "file"
	}
	return o.Environment
}

func (a *app) exportCommand() *cli.Command {
	var file, output string
	format := "dotenv"
	return a.command(cli.Command{
		Usage:     "print all values",
		ArgsUsage: "[ENV]",
		Description: `Prints an environment's values in a format that other programs read: dotenv
(the default), json, yaml, shell (for "eval" or "."), keys (the names alone).
A value that the format cannot express is an error that names its key.
A file written with -o is readable by its owner alone.

EXAMPLES:
   envcrypt export staging --format json
   envcrypt export -e development -o .env
   eval "$(envcrypt export --format shell)"`,
		Flags: []cli.Flag{
			a.environmentFlag(), a.allowFlag(), a.reasonFlag(),
			&cli.StringFlag{Name: "format", Usage: "dotenv, json, yaml, shell or keys `FORMAT`", Value: "dotenv", Destination: &format},
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write `FILE`, mode 0600, instead of standard output", Destination: &output},
			fileFlag(&file), jsonFormatFlag(&format),
		},
	}, func(c *cli.Context) error {
		args, err := arguments(c, 0, 1)
		if err != nil {
			return err
		}
		return a.export(file, first(args), format, output)
	})
}

// refuseDangerous is exec's rule for what a shell is going to run.
func refuseDangerous(src *source) error {
	var refused []string
	for _, v := range src.values {
		if launch.Dangerous(v.Key) && !slices.Contains(src.environment.Allow, v.Key) {
			refused = append(refused, v.Key)
		}
	}
	if refused != nil {
		return &launch.RefusedError{Keys: refused}
	}
	return nil
}

func jsonFormatFlag(format *string) cli.Flag {
	return &cli.BoolFlag{Name: "json", Usage: "the same as --format json", Action: func(_ *cli.Context, yes bool) error {
		if yes {
			*format = "json"
		}
		return nil
	}}
}

func (a *app) export(file, argument, format, output string) error {
	write, ok := map[string]func([]envfile.Var) ([]byte, error){
		"dotenv": envfile.Dotenv,
		"json":   envfile.JSON,
		"yaml":   envfile.YAML,
		"shell":  envfile.Shell,
		"keys":   func(vars []envfile.Var) ([]byte, error) { return envfile.Keys(vars), nil },
	}[format]
	if !ok {
		return usagef("no such format: %s; there are dotenv, json, yaml, shell and keys", showName(format))
	}
	src, err := a.source(file, argument)
	if err != nil {
		return err
	}
	if format != "keys" {
		if err := a.refuseUse(src, func(string) bool { return true }); err != nil {
			return err
		}
	}
	vars := make([]envfile.Var, 0, len(src.values))
	for _, v := range src.values {
		vars = append(vars, envfile.Var{Key: v.Key, Value: v.Value})
	}
	if format == "shell" { // which is for eval
		if err := refuseDangerous(src); err != nil {
			return err
		}
	}
	text, err := write(vars)
	if err != nil {
		return err
	}
	if err := a.endAll(nil); err != nil {
		return err
	}
	if output == "" || output == "-" {
		return a.print(string(text))
	}
	return project.WriteFile(output, text, os.FileMode(0o600))
}
