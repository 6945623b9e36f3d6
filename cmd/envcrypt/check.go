package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"envcrypt/crypt"
	"envcrypt/envfile"
	"envcrypt/internal/check"
	"envcrypt/internal/project"
	"envcrypt/internal/vault"

	"github.com/urfave/cli/v2"
)

func (a *app) checkCommand() *cli.Command {
	format := "text"
	return a.command(cli.Command{
		Usage:     "look for what is wrong before it goes wrong",
		ArgsUsage: "[ENV...]",
		Description: `Looks at the policy, at every environment's readers, seal, history, keys and
values, and at each pair of environments, for CI and before a release. It uses
the keys that there are, and says which environments it could not open. An
error is exit 5. The policy lists exceptions with their reasons, under
[check.ignore] and [check.warn]; --ignore and --warn make one for this run.

IDS:
` + checkIDs() + `
EXAMPLES:
   envcrypt check
   envcrypt check production --json
   envcrypt check --warn rotation-overdue --ignore no-staging
   envcrypt check --format sarif > envcrypt.sarif
   envcrypt check --format github`,
		Flags: []cli.Flag{
			a.environmentFlag(), a.reasonFlag(),
			&cli.StringFlag{Name: "format", Usage: "text, json, sarif or github `FORMAT`", Value: "text", Destination: &format},
			&cli.StringSliceFlag{Name: "warn", Usage: "an error of this `ID` does not fail; repeatable"},
			&cli.StringSliceFlag{Name: "ignore", Usage: "say nothing of this `ID`; repeatable"},
			jsonFormatFlag(&format),
		},
	}, func(c *cli.Context) error {
		var once []project.Exception
		for _, level := range []string{"warn", "ignore"} {
			for _, id := range list(c, level) {
				if !check.Known(id) {
					return usagef("--%s: no such ID: %s", level, showName(id))
				}
				once = append(once, project.Exception{ID: id, Warn: level == "warn"})
			}
		}
		return a.check(c.Args().Slice(), format, once)
	})
}

func checkIDs() string {
	var b strings.Builder
	for _, about := range check.About {
		fmt.Fprintf(&b, "   %-18s  %s\n", about.ID, about.Text)
	}
	return b.String()
}

func (a *app) check(names []string, format string, once []project.Exception) error {
	show, ok := map[string]func(*vault.Vault, []check.Finding) error{
		"text":   a.showFindings,
		"json":   func(_ *vault.Vault, found []check.Finding) error { return a.printJSON(found) },
		"sarif":  a.showSARIF,
		"github": a.showAnnotations,
	}[format]
	if !ok {
		return usagef("no such format: %s; there are text, json, sarif and github", showName(format))
	}
	v, err := a.vault()
	if err != nil {
		return err
	}
	if names, err = a.compareNames(v.Project.Policy, names); err != nil {
		return err
	}
	found, err := a.findings(v, names)
	if err != nil {
		return err
	}
	found = check.Except(found, slices.Concat(once, v.Project.Policy.Exceptions))
	check.Sort(found)
	if err := show(v, append([]check.Finding{}, found...)); err != nil {
		return err
	}
	if slices.ContainsFunc(found, func(f check.Finding) bool { return f.Severity == check.Error }) {
		return &exitError{code: exitFinding}
	}
	return nil
}

// findings looks at the project, with the help of git and the file system.
func (a *app) findings(v *vault.Vault, names []string) ([]check.Finding, error) {
	opened := make(map[string]*vault.Environment) // each is opened, and logged, once
	failed := make(map[string]error)
	c := check.Checker{Vault: v, Now: a.now(), Open: func(name string) (*vault.Environment, error) {
		if opened[name] == nil && failed[name] == nil {
			if opened[name], failed[name] = a.look(v, name); failed[name] != nil {
				opened[name] = nil
			}
		}
		return opened[name], failed[name]
	}}
	found, err := c.Environments(names)
	if err != nil {
		return nil, err
	}
	for _, path := range writableByOthers(v) {
		found = append(found, check.Finding{
			ID: check.WritablePolicy, Severity: check.Error, Message: a.relative(path) + " can be written by everybody on this machine",
			Fix: "chmod o-w " + shellQuote(a.relative(path)),
		})
	}
	return append(found, a.trackedPlaintext(v)...), nil
}

// writableByOthers are those of a project's directories and its policy that everybody can
// write to.
func writableByOthers(v *vault.Vault) (paths []string) {
	const others = 0o002
	secrets := filepath.Dir(v.Project.Path(v.Project.Policy.Environments[0].Name))
	for _, path := range []string{v.Project.Root, filepath.Join(v.Project.Root, project.PolicyName), secrets} {
		info, err := os.Stat(path)
		if err == nil && info.Mode().Perm()&others != 0 && info.Mode()&os.ModeSticky == 0 && filepath.Separator == '/' {
			paths = append(paths, path)
		}
	}
	return paths
}

// trackedPlaintext finds files of plain values that git tracks below the project.
func (a *app) trackedPlaintext(v *vault.Vault) (found []check.Finding) {
	out, err := a.git(v.Project.Root, "ls-files", "-z", "--", ":(glob)**/.env", ":(glob)**/.env.*", ":(glob)**/*.env").Output()
	if err != nil {
		return gitUnknown(v.Project.Root)
	}
	for name := range bytes.SplitSeq(out, []byte{0}) {
		if len(name) == 0 || !a.isPlaintext(filepath.Join(v.Project.Root, string(name))) {
			continue
		}
		found = append(found, check.Finding{
			ID: check.PlaintextTracked, Severity: check.Error, File: string(name),
			Message: showName(string(name)) + " holds plain values, and git tracks it",
			Fix:     `"envcrypt import" takes its values over; then git rm --cached, and new values at their sources`,
		})
	}
	return found
}

// gitUnknown notes that git has failed, as where the files belong to somebody else. Without a
// repository there is nothing to note.
func gitUnknown(dir string) []check.Finding {
	for {
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
			return []check.Finding{{
				ID: check.PlaintextTracked, Severity: check.Note, Message: "git does not say which files it tracks: they were not looked at",
				Fix: "git status, run there, says why",
			}}
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
		dir = filepath.Dir(dir)
	}
}

// isPlaintext tells whether a file assigns values in the clear. Examples do not count.
func (a *app) isPlaintext(file string) bool {
	for _, ending := range []string{".example", ".sample", ".template", ".dist"} {
		if strings.HasSuffix(file, ending) {
			return false
		}
	}
	const sizeLimit = 1 << 20
	info, err := os.Lstat(file)
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	data, err := project.ReadFile(file, sizeLimit)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	if _, err := crypt.Inspect(data, crypt.Dotenv); err == nil {
		return false
	}
	text, err := envfile.Parse(data)
	if err != nil {
		return bytes.ContainsRune(data, '=')
	}
	return slices.ContainsFunc(text.Items(), func(it envfile.Item) bool { return it.Kind == envfile.Entry && it.Value != "" })
}

func (a *app) showFindings(_ *vault.Vault, found []check.Finding) error {
	counts := make(map[check.Severity]int)
	for _, f := range found {
		counts[f.Severity]++
		place := f.Environment
		if place == "" {
			place = f.File
		}
		if place == "" {
			place = "project"
		}
		line := fmt.Sprintf("%-7s  %s: %s: %s", f.Severity, place, f.ID, f.Message)
		if f.Reason != "" {
			line += " (excepted: " + f.Reason + ")"
		}
		if _, err := fmt.Fprintln(a.out, oneLine(line)); err != nil {
			return err
		}
		if _, err := fmt.Fprintln(a.out, oneLine("         fix: "+f.Fix)); err != nil {
			return err
		}
	}
	a.notef("%s, %s, %s", count(counts[check.Error], "error"), count(counts[check.Warning], "warning"), count(counts[check.Note], "note"))
	return nil
}

// repositoryPath is where a finding's file is, from the root of git's working tree.
func (a *app) repositoryPath(v *vault.Vault) func(file string) string {
	prefix, _ := a.git(v.Project.Root, "rev-parse", "--show-prefix").Output()
	return func(file string) string {
		if file == "" {
			file = project.PolicyName
		}
		return path.Join(strings.TrimSpace(string(prefix)), file)
	}
}

// showAnnotations prints GitHub's workflow commands.
func (a *app) showAnnotations(v *vault.Vault, found []check.Finding) error {
	where := a.repositoryPath(v)
	levels := map[check.Severity]string{check.Error: "error", check.Warning: "warning", check.Note: "notice"}
	text := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	for _, f := range found {
		_, err := fmt.Fprintf(a.out, "::%s file=%s,line=%d,title=%s::%s\n", levels[f.Severity], property.Replace(escapeControls(where(f.File))),
			max(f.Line, 1), property.Replace(string(f.ID)), text.Replace(oneLine(f.Message+"; "+f.Fix)))
		if err != nil {
			return err
		}
	}
	return nil
}
