package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"envcrypt/internal/history"
	"envcrypt/internal/vault"

	"github.com/urfave/cli/v2"
)

func (a *app) historyCommand() *cli.Command {
	var key, since string
	var byKey bool
	return a.command(cli.Command{
		Usage:     "show who changed an environment, or verify that record",
		ArgsUsage: "[ENV] | verify [ENV...]",
		Description: `Shows the committed record of writes to an environment, newest first: who wrote
when, and the names of what changed. No value is in it, and no identity is
needed. "history verify" looks for edited, removed, reordered and inserted
lines, and for a file that no record describes; a finding is exit 5.
--since takes a date (2026-06-01), a time (RFC 3339) or an age (36h, 30d).

EXAMPLES:
   envcrypt history production
   envcrypt history production --key DATABASE_PASSWORD --since 90d
   envcrypt history staging --keys
   envcrypt history verify`,
		Flags: []cli.Flag{
			a.environmentFlag(),
			&cli.StringFlag{Name: "key", Usage: "writes that changed `KEY`", Destination: &key},
			&cli.StringFlag{Name: "since", Usage: "writes since `TIME`", Destination: &since},
			&cli.BoolFlag{Name: "keys", Usage: "for each key when it was last changed, and by whom", Destination: &byKey},
			a.jsonFlag(),
		},
	}, func(c *cli.Context) error {
		args := c.Args().Slice()
		if first(args) == "verify" {
			return a.verifyHistories(args[1:])
		}
		args, err := arguments(c, 0, 1)
		if err != nil {
			return err
		}
		f := history.Filter{Key: key}
		if f.Since, err = a.parseSince(since); err != nil {
			return err
		}
		return a.showHistory(first(args), f, byKey)
	})
}

// parseSince reads a point in time: a date, an RFC 3339 time, or an age.
func (a *app) parseSince(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.ParseInLocation(layout, s, time.Local); err == nil {
			return t, nil
		}
	}
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n >= 0 {
			return a.now().AddDate(0, 0, -n), nil
		}
	}
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return a.now().Add(-d), nil
	}
	return time.Time{}, usagef("--since: not a date, a time or an age: %s", showName(s))
}

func (a *app) showHistory(argument string, f history.Filter, byKey bool) error {
	v, err := a.vault()
	if err != nil {
		return err
	}
	env, err := a.choose(v.Project.Policy, argument)
	if err != nil {
		return err
	}
	log, _, err := v.History(env.Name)
	if err != nil {
		return err
	}
	records := f.Apply(log.Newest())
	if byKey {
		return a.showKeyHistory(records, f.Key)
	}
	if a.json {
		return a.printJSON(append([]history.Record{}, records...))
	}
	var table [][]string
	for _, r := range records {
		table = append(table, []string{r.Time.Local().Format("2006-01-02 15:04"), actorName(r.Actor), r.Action, recordText(r)})
	}
	return a.printTable(table)
}

// keyChange is one line of "history --keys".
type keyChange struct {
	Key    string        `json:"key"`
	What   history.What  `json:"what"`
	Time   time.Time     `json:"time"`
	Actor  history.Actor `json:"actor"`
	Action string        `json:"action"`
}

func (a *app) showKeyHistory(newest []history.Record, key string) error {
	rows := []keyChange{}
	for _, c := range history.LastChange(newest) {
		if key == "" || c.Key == key {
			rows = append(rows, keyChange{c.Key, c.What, c.Record.Time, c.Record.Actor, c.Record.Action})
		}
	}
	if a.json {
		return a.printJSON(rows)
	}
	var table [][]string
	for _, r := range rows {
		table = append(table, []string{r.Key, string(r.What), r.Time.Local().Format("2006-01-02 15:04"), actorName(r.Actor)})
	}
	return a.printTable(table)
}

// actorName names who wrote: the member, and from where.
func actorName(actor history.Actor) string {
	from := actor.User + "@" + actor.Host
	if actor.Member == "" {
		return from
	}
	return actor.Member + " (" + from + ")"
}

func recordText(r history.Record) string {
	var parts []string
	add := func(sign string, names []string) {
		for _, name := range names {
			parts = append(parts, sign+name)
		}
	}
	add("+", r.Keys.Added)
	add("~", r.Keys.Changed)
	add("-", r.Keys.Removed)
	add("reader +", r.Readers.Gained)
	add("reader -", r.Readers.Lost)
	if r.From != "" {
		parts = append(parts, "from "+r.From)
	}
	if len(r.Allowed) > 0 {
		parts = append(parts, "allowed "+strings.Join(r.Allowed, ", ")+": "+r.Reason)
	}
	if len(r.Rotate) > 0 {
		parts = append(parts, "to rotate: "+strings.Join(r.Rotate, ", "))
	}
	if !r.Until.IsZero() {
		parts = append(parts, "old values until "+r.Until.Local().Format("2006-01-02 15:04"))
	}
	if r.Found != "" {
		parts = append(parts, "(over a change made outside envcrypt)")
	}
	if r.Void {
		parts = append(parts, "(never took place)")
	}
	return strings.Join(parts, " ")
}

// environmentProblem is a finding of "history verify".
type environmentProblem struct {
	Environment string `json:"environment"`
	history.Problem
}

func (a *app) verifyHistories(names []string) error {
	v, err := a.vault()
	if err != nil {
		return err
	}
	if names, err = a.verifyNames(v, names); err != nil {
		return err
	}
	found := []environmentProblem{}
	for _, name := range names {
		_, problems, err := v.History(name)
		if err != nil {
			return err
		}
		for _, p := range problems {
			found = append(found, environmentProblem{name, p})
		}
		if len(problems) == 0 {
			a.notef("%s: the history is whole, and describes the file", name)
		}
	}
	if a.json {
		if err := a.printJSON(found); err != nil {
			return err
		}
	} else {
		a.showProblems(v, found)
	}
	if len(found) > 0 {
		return &exitError{code: exitFinding}
	}
	return nil
}

// verifyNames are the environments to verify: those named, or all.
func (a *app) verifyNames(v *vault.Vault, names []string) ([]string, error) {
	if len(names) == 0 && a.environment != "" {
		names = []string{a.environment}
	}
	if len(names) == 0 {
		for _, env := range v.Project.Policy.Environments {
			names = append(names, env.Name)
		}
	}
	for _, name := range names {
		if _, err := v.Project.Policy.Environment(name); err != nil {
			return nil, err
		}
	}
	return names, nil
}

func (a *app) showProblems(v *vault.Vault, found []environmentProblem) {
	for _, p := range found {
		place := a.relative(v.Project.HistoryPath(p.Environment))
		if p.Line > 0 {
			place += ":" + strconv.Itoa(p.Line)
		}
		fmt.Fprintf(a.out, "%s: %s: %s\n", oneLine(place), p.Kind, oneLine(p.Text))
		a.hintf("%s", p.Kind.Hint())
	}
}
