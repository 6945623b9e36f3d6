package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"envcrypt/crypt"
	"envcrypt/internal/project"
	"envcrypt/internal/vault"

	"github.com/urfave/cli/v2"
)

type compareOptions struct {
	values, missing, exitCode bool
	rev                       string
}

func (a *app) compareCommand() *cli.Command {
	var o compareOptions
	return a.command(cli.Command{
		Usage:     "show which keys the environments have",
		ArgsUsage: "[ENV...] | REV -e ENV",
		Description: `Shows keys by environment, without an identity:
   yes       it is in the environment's file
   plain     it is a plain value of the policy
   from ENV  it is inherited
   MISSING   it is required there, and missing
With --values it opens the environments that your keys open, and says which
values are the same: those with the same number. No value is shown. With a
revision of git, it compares one environment's file with what it was then.

EXAMPLES:
   envcrypt compare
   envcrypt compare staging production --missing
   envcrypt compare staging production --values
   envcrypt compare HEAD~3 -e production --values
   envcrypt compare --exit-code production`,
		Flags: []cli.Flag{
			a.environmentFlag(), a.reasonFlag(),
			&cli.BoolFlag{Name: "values", Usage: "say which values are the same", Destination: &o.values},
			&cli.BoolFlag{Name: "missing", Usage: "show only keys that are missing somewhere", Destination: &o.missing},
			&cli.BoolFlag{Name: "exit-code", Usage: "exit 5 if a required key is missing", Destination: &o.exitCode},
			&cli.StringFlag{Name: "rev", Usage: "compare with `REV`, a revision of git", Destination: &o.rev},
			a.jsonFlag(),
		},
	}, func(c *cli.Context) error {
		return a.compare(c.Args().Slice(), o)
	})
}

// column is one side of a comparison.
type column struct {
	name   string
	values []vault.Value
	opened bool
	index  map[string]int // of values, by key
}

func newColumn(name string, values []vault.Value, opened bool) *column {
	c := &column{name: name, values: values, opened: opened, index: make(map[string]int, len(values))}
	for i, v := range values {
		c.index[v.Key] = i
	}
	return c
}

func (c *column) get(key string) (vault.Value, bool) {
	i, ok := c.index[key]
	if !ok {
		return vault.Value{}, false
	}
	return c.values[i], true
}

// cell is what a comparison says of a key in one column.
type cell struct {
	State string `json:"state"`           // yes, plain, inherited, missing or required
	From  string `json:"from,omitempty"`  // the environment that it is inherited from
	Value int    `json:"value,omitempty"` // the same number for the same value, from 1; 0 for unknown
}

// The states of a key in an environment.
const (
	keyThere     = "yes"
	keyPlain     = "plain"
	keyInherited = "inherited"
	keyMissing   = "missing"
	keyRequired  = "required" // and missing
)

// comparedKey is a row of a comparison; its cells are by the columns' names.
type comparedKey struct {
	Key   string          `json:"key"`
	Cells map[string]cell `json:"environments"`
}

func (a *app) compare(args []string, o compareOptions) error {
	v, err := a.vault()
	if err != nil {
		return err
	}
	p := v.Project.Policy
	if len(args) == 1 && a.environment != "" && o.rev == "" {
		o.rev, args = args[0], nil
	}
	if o.rev != "" {
		if len(args) > 0 || a.environment == "" {
			return usagef("a revision goes with -e ENV alone")
		}
		return a.compareRevision(v, o)
	}
	names, err := a.compareNames(p, args)
	if err != nil {
		return err
	}
	var columns []*column
	for _, name := range names {
		c, err := a.compareColumn(v, name, o.values)
		if err != nil {
			return err
		}
		columns = append(columns, c)
	}
	rows := compareColumns(columns, func(name, key string) bool {
		d := p.Declaration(key)
		return d != nil && d.IsRequired(name)
	}, p.Keys)
	return a.showComparison(columns, rows, o)
}

func (a *app) compareNames(p *project.Policy, args []string) ([]string, error) {
	if len(args) > 0 && a.environment != "" {
		return nil, usagef("-e goes with a revision, or without ENV")
	}
	if a.environment != "" {
		args = []string{a.environment}
	}
	var names []string
	for _, name := range args {
		if _, err := p.Environment(name); err != nil {
			return nil, err
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(args) == 0 {
		for _, env := range p.Environments {
			names = append(names, env.Name)
		}
	}
	return names, nil
}

// compareColumn reads an environment with what lies underneath, opened if its values are
// wanted and one of the user's keys opens it.
func (a *app) compareColumn(v *vault.Vault, name string, values bool) (*column, error) {
	if values {
		opened, err := a.lookThrough(v, name)
		var none *crypt.NoIdentityError
		switch {
		case err == nil:
			return newColumn(name, opened, true), nil
		case !errors.As(err, &none):
			return nil, err
		}
		a.warningf("%s: none of your keys opens it, so its values were not compared", name)
	}
	named, err := v.ResolveNames(name)
	if err != nil {
		return nil, err
	}
	return newColumn(name, named, false), nil
}

// lookThrough opens an environment and what lies underneath it.
func (a *app) lookThrough(v *vault.Vault, name string) ([]vault.Value, error) {
	look := func(name string) (*vault.Environment, error) { return a.look(v, name) }
	env, err := look(name)
	if err != nil {
		return nil, err
	}
	return v.Resolve(env, look)
}

// compareColumns makes a row for each key that a column has, and for each declared one that
// is required and missing.
func compareColumns(columns []*column, required func(name, key string) bool, declared []project.Declaration) []comparedKey {
	var keys []string
	seen := make(map[string]bool)
	add := func(key string) {
		if !seen[key] {
			seen[key] = true
			keys = append(keys, key)
		}
	}
	for _, c := range columns {
		for _, v := range c.values {
			add(v.Key)
		}
	}
	for _, d := range declared {
		if slices.ContainsFunc(columns, func(c *column) bool { return required(c.name, d.Name) }) {
			add(d.Name)
		}
	}
	rows := []comparedKey{}
	for _, key := range keys {
		row := comparedKey{Key: key, Cells: make(map[string]cell)}
		numbers := make(map[string]int)
		for _, c := range columns {
			row.Cells[c.name] = c.cell(key, required(c.name, key), numbers)
		}
		rows = append(rows, row)
	}
	return rows
}

// cell numbers values in the order in which they come.
func (c *column) cell(key string, required bool, numbers map[string]int) cell {
	v, ok := c.get(key)
	var it cell
	switch {
	case !ok && required:
		return cell{State: keyRequired}
	case !ok:
		return cell{State: keyMissing}
	case v.Origin.Plain:
		it.State = keyPlain
	case v.Origin.Environment != c.name:
		it.State, it.From = keyInherited, v.Origin.Environment
	default:
		it.State = keyThere
	}
	if c.opened || v.Origin.Plain {
		if numbers[v.Value] == 0 {
			numbers[v.Value] = len(numbers) + 1
		}
		it.Value = numbers[v.Value]
	}
	return it
}

func (a *app) showComparison(columns []*column, rows []comparedKey, o compareOptions) error {
	lacking := false
	shown := rows[:0]
	for _, row := range rows {
		missing := false
		for _, c := range row.Cells {
			missing = missing || c.State == keyMissing || c.State == keyRequired
			lacking = lacking || c.State == keyRequired
		}
		if missing || !o.missing {
			shown = append(shown, row)
		}
	}
	if err := a.printComparison(columns, shown, o.values); err != nil {
		return err
	}
	if lacking && o.exitCode {
		return &exitError{code: exitFinding}
	}
	return nil
}

func (a *app) printComparison(columns []*column, rows []comparedKey, values bool) error {
	if a.json {
		if !values {
			for _, row := range rows {
				for name, c := range row.Cells {
					c.Value = 0
					row.Cells[name] = c
				}
			}
		}
		return a.printJSON(rows)
	}
	head := []string{""}
	for _, c := range columns {
		head = append(head, c.name)
	}
	table := [][]string{head}
	for _, row := range rows {
		line := []string{row.Key}
		for _, c := range columns {
			line = append(line, cellText(row.Cells[c.name], values))
		}
		if values && len(columns) == 2 {
			line = append(line, pairText(row.Cells[columns[0].name], row.Cells[columns[1].name]))
		}
		table = append(table, line)
	}
	return a.printTable(table)
}

func cellText(c cell, values bool) string {
	text := c.State
	switch c.State {
	case keyInherited:
		text = "from " + c.From
	case keyMissing:
		return "-"
	case keyRequired:
		return "MISSING"
	}
	switch {
	case values && c.Value == 0:
		text += " ?"
	case values:
		text += fmt.Sprintf(" %d", c.Value)
	}
	return text
}

// pairText says of two values in a word what their numbers say.
func pairText(a, b cell) string {
	switch {
	case a.Value == 0 || b.Value == 0:
		return ""
	case a.Value == b.Value:
		return "same"
	}
	return "different"
}

// compareRevision compares an environment's file with what it was at a revision of git.
func (a *app) compareRevision(v *vault.Vault, o compareOptions) error {
	env, err := a.choose(v.Project.Policy, "")
	if err != nil {
		return err
	}
	then, err := a.gitAt(o.rev, v.Project.Path(env.Name))
	if err != nil {
		return err
	}
	now, err := v.Read(env.Name)
	if err != nil {
		return err
	}
	const present = "now"
	past := o.rev
	if past == present { // a branch may be called so
		past += "^0"
	}
	var columns []*column
	for _, side := range []struct {
		name string
		data []byte
	}{{past, then}, {present, now}} {
		c, err := a.fileColumn(v, env.Name, side.name, side.data, o.values)
		if err != nil {
			return fmt.Errorf("%s: %w", showName(side.name), err)
		}
		columns = append(columns, c)
	}
	rows := compareColumns(columns, func(string, string) bool { return false }, nil)
	return a.showComparison(columns, rows, o)
}

// fileColumn reads one state of an environment's file.
func (a *app) fileColumn(v *vault.Vault, env, name string, data []byte, values bool) (*column, error) {
	var found []vault.Value
	if values {
		op, err := a.begin(v.Project.Root, env)
		if err != nil {
			return nil, err
		}
		doc, err := crypt.Open(data, crypt.Options{Environment: env}, v.Identities)
		if err == nil {
			a.openedBy(op, doc)
		}
		if unlogged := a.end(op, err); err == nil {
			err = unlogged
		}
		var none *crypt.NoIdentityError
		switch {
		case err == nil:
			for key, value := range doc.All() {
				found = append(found, vault.Value{Key: key, Value: value, Origin: vault.Origin{Environment: name}})
			}
			return newColumn(name, found, true), nil
		case !errors.As(err, &none):
			return nil, &vault.OpenError{Environment: env, Path: v.Project.Path(env), Err: err}
		}
		a.warningf("%s: none of your keys opens it, so its values were not compared", showName(name))
	}
	summary, err := crypt.Inspect(data, crypt.Dotenv)
	if err != nil {
		return nil, &vault.OpenError{Environment: env, Path: v.Project.Path(env), Err: err}
	}
	for _, key := range summary.Keys {
		found = append(found, vault.Value{Key: key, Origin: vault.Origin{Environment: name}})
	}
	return newColumn(name, found, false), nil
}

// gitAt returns a file's content at a revision.
func (a *app) gitAt(rev, path string) ([]byte, error) {
	dir := filepath.Dir(path)
	out, err := a.git(dir, "rev-parse", "--verify", "--quiet", "--end-of-options", rev+"^{commit}").Output()
	if err != nil {
		return nil, usagef("not a revision of this git repository: %s", showName(rev))
	}
	data, err := a.git(dir, "cat-file", "blob", strings.TrimSpace(string(out))+":./"+filepath.Base(path)).Output()
	if err != nil {
		return nil, fmt.Errorf("%s is not in %s", a.relative(path), showName(rev))
	}
	return data, nil
}
