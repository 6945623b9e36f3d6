package main

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"strings"
	"time"

	"envcrypt/crypt"
	"envcrypt/internal/audit"

	"github.com/urfave/cli/v2"
)

// begin notes that an environment or a file is about to be read or written, keys
// of it or, with none, all. Where the machine requires a log of the environment,
// it writes the first line, and its error refuses the operation.
func (a *app) begin(project, environment string, keys ...string) (*audit.Op, error) {
	if a.log == nil {
		config, err := audit.Machine(a.env)
		if err != nil {
			return nil, err
		}
		a.log = audit.New(config, audit.Here(a.env), a.now)
	}
	op, err := a.log.Begin(audit.Entry{
		Action:      a.action,
		Reason:      a.reason,
		Project:     project,
		Environment: environment,
		Command:     a.command0,
		Keys:        keys,
		All:         len(keys) == 0,
	})
	if err == nil {
		a.ops = append(a.ops, op)
	}
	return op, err
}

// end logs how an operation ended, at most once. For one that the machine
// requires to be logged, an error means that its result must not be used.
func (a *app) end(op *audit.Op, failure error) error {
	for i, o := range a.ops {
		if o != op {
			continue
		}
		a.ops = append(a.ops[:i], a.ops[i+1:]...)
		err := op.End(a.outcome(failure))
		var required *audit.RequiredError
		if errors.As(err, &required) {
			return err
		}
		if err != nil {
			a.warningf("%v", err)
			a.hintf("the machine's configuration says where the audit log lies, or switches it off: file or sinks under [audit]")
		}
	}
	return nil
}

// endAll ends the operations that are still open.
func (a *app) endAll(failure error) error {
	for len(a.ops) > 0 {
		if err := a.end(a.ops[0], failure); err != nil {
			return err
		}
	}
	return nil
}

// outcome classifies an error for the log: what it was, not what it says.
func (a *app) outcome(err error) (audit.Outcome, string) {
	if err == nil {
		return audit.OK, ""
	}
	var ask *noTerminalError
	switch code := a.explain(err).code; {
	case errors.As(err, &ask), errors.Is(err, errDeclined):
		return audit.Denied, "not confirmed"
	case code == exitNoIdentity:
		return audit.Denied, "no identity"
	case code == exitFinding:
		return audit.Denied, "refused by a rule"
	case code == exitDamaged:
		return audit.Denied, "damaged or not sealed"
	case code == exitChanged:
		return audit.Failed, "changed by somebody else"
	case code == exitUsage:
		return audit.Failed, "wrong usage"
	}
	return audit.Failed, ""
}

// openedBy notes in the log whose identity opened a document.
func (a *app) openedBy(op *audit.Op, doc *crypt.Document) {
	if a.policy != nil {
		op.Entry.Actor = a.policy.Directory.Owner(doc.OpenedBy())
	}
}

func (a *app) auditCommand() *cli.Command {
	var f audit.Filter
	var since, outcome string
	var follow bool
	return a.command(cli.Command{
		Usage:     "show who read what on this machine, or verify that record",
		ArgsUsage: "[verify]",
		Description: `Shows this machine's own record of reads and writes, the oldest first: also
refused and failed ones, and what exec ran (its name alone). It names keys
and holds no value. "audit verify" looks for edited, removed, inserted and
reordered lines and a cut end; a finding is exit 5. Where the log lies, where
else it goes, and which environments require it, the machine's configuration
says: /etc/envcrypt/config.toml and ~/.config/envcrypt/config.toml.

EXAMPLES:
   envcrypt audit --env production --since 30d
   envcrypt audit --key DATABASE_PASSWORD --since 2026-06-01 --json
   envcrypt audit --outcome denied
   envcrypt audit verify`,
		Flags: []cli.Flag{
			a.environmentFlag(),
			&cli.StringFlag{Name: "key", Usage: "what concerned `KEY`", Destination: &f.Key},
			&cli.StringFlag{Name: "actor", Usage: "what was done with the identity of `MEMBER`", Destination: &f.Actor},
			&cli.StringFlag{Name: "action", Usage: "what `COMMAND` did", Destination: &f.Action},
			&cli.StringFlag{Name: "since", Usage: "what was done since `TIME`", Destination: &since},
			&cli.StringFlag{Name: "outcome", Usage: "ok, denied, failed or begun `OUTCOME`", Destination: &outcome},
			&cli.BoolFlag{Name: "follow", Aliases: []string{"f"}, Usage: "go on showing what is appended", Destination: &follow},
			a.jsonFlag(),
		},
	}, func(c *cli.Context) error {
		args, err := arguments(c, 0, 1)
		if err != nil {
			return err
		}
		switch first(args) {
		case "verify":
			return a.verifyAudit()
		case "":
		default:
			return usagef("audit takes nothing or verify")
		}
		if c := a.find(f.Action); c != nil {
			f.Action = c.Name // of an alias
		}
		f.Environment, f.Outcome = a.environment, audit.Outcome(outcome)
		switch f.Outcome {
		case "", audit.OK, audit.Denied, audit.Failed, audit.Begun:
		default:
			return usagef("--outcome: there are ok, denied, failed and begun")
		}
		if f.Since, err = a.parseSince(since); err != nil {
			return err
		}
		return a.showAudit(f, follow)
	})
}

// auditRow are the widths of a line of the log on a terminal.
const auditRow = "%-19s  %-6s  %-8s  %-14s  %-10s  %s\n"

func (a *app) showAudit(f audit.Filter, follow bool) error {
	config, err := audit.Machine(a.env)
	if err != nil {
		return err
	}
	records := audit.Read(config.File, f)
	if follow {
		ctx, stop := signal.NotifyContext(context.Background(), endingSignals...)
		defer stop()
		const interval = 200 * time.Millisecond
		records = audit.Follow(ctx, config.File, f, interval)
	}
	for r, err := range records {
		var line *audit.LineError
		switch {
		case errors.As(err, &line):
			a.warningf("%v", err)
			continue
		case err != nil:
			return err
		}
		if a.json {
			_, err = fmt.Fprintf(a.out, "%s\n", r.AppendJSON(nil))
		} else {
			_, err = fmt.Fprintf(a.out, auditRow, r.Time.Local().Format("2006-01-02 15:04:05"),
				oneLine(string(r.Outcome)), oneLine(r.Action), oneLine(r.Environment), oneLine(auditActor(&r.Entry)), oneLine(auditText(&r.Entry)))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func auditActor(e *audit.Entry) string {
	if e.Actor != "" {
		return e.Actor
	}
	return "(" + e.User + ")"
}

func auditText(e *audit.Entry) string {
	var parts []string
	add := func(format, text string) {
		if text != "" {
			parts = append(parts, fmt.Sprintf(format, text))
		}
	}
	add("%s", e.Command)
	if e.All {
		parts = append(parts, "all keys")
	}
	add("%s", strings.Join(e.Keys, ", "))
	if e.More > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", e.More))
	}
	add("(%s)", e.Error)
	add("allowed: %s", e.Allowed)
	add("reason: %s", e.Reason)
	add("in CI: %s", e.CI)
	add("under %s", e.Agent)
	return strings.Join(parts, "  ")
}

// auditProblem is a finding of "audit verify".
type auditProblem struct {
	Kind string `json:"kind"`
	File string `json:"file"`
	Line int    `json:"line,omitempty"`
	Mild bool   `json:"mild"`
	Text string `json:"text"`
}

func (a *app) verifyAudit() error {
	config, err := audit.Machine(a.env)
	if err != nil {
		return err
	}
	report, err := audit.Verify(config.File)
	if err != nil {
		return err
	}
	found := []auditProblem{}
	for _, p := range report.Problems {
		found = append(found, auditProblem{string(p.Kind), p.File, p.Line, p.Kind.Mild(), p.Text})
	}
	if a.json {
		err = a.printJSON(found)
	} else {
		var table [][]string
		for _, p := range report.Problems {
			kind := string(p.Kind)
			if p.Kind.Mild() {
				kind += " (harmless)"
			}
			table = append(table, []string{kind, p.String()})
		}
		err = a.printTable(table)
	}
	switch {
	case err != nil:
		return err
	case report.Left > 0:
		a.notef("and %d more", report.Left)
	}
	if !report.Mild {
		return &exitError{code: exitFinding}
	}
	a.notef("the chain of %d lines is whole", report.Entries)
	return nil
}
