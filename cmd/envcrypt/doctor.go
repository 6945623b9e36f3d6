package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"envcrypt/crypt"
	"envcrypt/internal/keyring"
	"envcrypt/internal/project"
	"envcrypt/internal/scratch"
	"envcrypt/internal/vault"

	"github.com/urfave/cli/v2"
)

func (a *app) doctorCommand() *cli.Command {
	return a.command(cli.Command{
		Usage: "say what works here and what does not",
		Description: `Looks for identities and says which environments each opens; checks the
policy, the environments' files, permissions, the editor and the directory for
temporary files. It asks for no passphrase and changes nothing. A problem is
exit 5.

EXAMPLES:
   envcrypt doctor
   envcrypt doctor --json`,
		Flags: []cli.Flag{a.jsonFlag()},
	}, func(c *cli.Context) error {
		if _, err := arguments(c, 0, 0); err != nil {
			return err
		}
		return a.doctor()
	})
}

// A finding is one line of doctor's report.
type finding struct {
	Subject string `json:"subject"`
	Status  string `json:"status"` // ok, note or problem
	Detail  string `json:"detail"`
}

// diagnosis collects findings.
type diagnosis struct {
	*app
	findings []finding
}

func (d *diagnosis) add(status, subject, format string, args ...any) {
	d.findings = append(d.findings, finding{Subject: subject, Status: status, Detail: fmt.Sprintf(format, args...)})
}
func (d *diagnosis) ok(subject, format string, args ...any) { d.add("ok", subject, format, args...) }
func (d *diagnosis) note(subject, format string, args ...any) {
	d.add("note", subject, format, args...)
}
func (d *diagnosis) problem(subject, format string, args ...any) {
	d.add("problem", subject, format, args...)
}

func (a *app) doctor() error {
	d := &diagnosis{app: a}
	v, err := a.vault()
	if err != nil {
		r := a.explain(err)
		d.problem("project", "%s (%s)", r.message, strings.Join(r.hints, "; "))
		a.keys = a.newKeyring()
	} else {
		d.ok("project", "%s", v.Project.Root)
	}
	d.identities(v)
	if v != nil {
		d.policyFile(v)
		for _, env := range v.Project.Policy.Environments {
			d.environmentFile(v, env)
		}
		d.strayFiles(v)
	}
	d.editorAndTemp()
	return d.print()
}

func (d *diagnosis) print() error {
	problems := slices.ContainsFunc(d.findings, func(f finding) bool { return f.Status == "problem" })
	if d.json {
		if err := d.printJSON(d.findings); err != nil {
			return err
		}
	} else {
		for _, f := range d.findings {
			if _, err := fmt.Fprintf(d.out, "%-8s%s: %s\n", f.Status, oneLine(f.Subject), oneLine(f.Detail)); err != nil {
				return err
			}
		}
	}
	if problems {
		return &exitError{code: exitFinding}
	}
	return nil
}

// identities reports each place where one was looked for, and what it opens.
func (d *diagnosis) identities(v *vault.Vault) {
	any := false
	for _, f := range d.keys.Survey() {
		any = any || f.State == keyring.Open || f.State == keyring.Locked
		switch {
		case f.State == keyring.Refused && f.Explicit:
			r := d.explain(f.Err)
			d.problem("identity", "%s %s", r.message, strings.Join(r.hints, "; "))
		case f.State == keyring.Refused:
			d.problem("identity", "%s cannot be used: its mode lets others read it, or it is malformed", f.Place)
		case f.State == keyring.Open:
			whole := func(text string) string { return text } // for their owner to pass on
			d.ok("identity", "%s: %s, opens %s", f.Place, publicKeys(f.Identities, whole), d.opens(v, f.Identities))
		default:
			d.note("identity", "%s: %s", f.Place, found(f))
		}
	}
	if !any {
		d.problem("identity", `none was found: "envcrypt keygen" makes one`)
	}
}

// publicKeys lists the public keys of identities, as show shows them.
func publicKeys(ids []crypt.Identity, show func(string) string) string {
	var texts []string
	for _, id := range ids {
		if id.Recipient == "" {
			texts = append(texts, "a plugin's key")
		} else {
			texts = append(texts, show(id.Recipient))
		}
	}
	return strings.Join(texts, " ")
}

// plainError is an error's innermost text, without the path that the message
// around it names already.
func plainError(err error) string {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}

// opens names the environments that some identities are recipients of.
func (d *diagnosis) opens(v *vault.Vault, ids []crypt.Identity) string {
	if v == nil {
		return "nothing here"
	}
	var names []string
	for _, env := range v.Project.Policy.Environments {
		data, err := v.Read(env.Name)
		if err != nil {
			continue
		}
		summary, err := crypt.Inspect(data, crypt.Dotenv)
		if err != nil {
			continue
		}
		if opens := opensPart(env.Name, summary, ids); opens != "" {
			names = append(names, opens)
		}
	}
	if names == nil {
		return "nothing here"
	}
	return strings.Join(names, ", ")
}

func (d *diagnosis) policyFile(v *vault.Vault) {
	for _, path := range writableByOthers(v) {
		d.problem("permissions", "%s: everybody can write to it: chmod o-w", path)
	}
	d.ok("policy", "%s, %s", count(len(v.Project.Policy.Directory.Members), "member"), count(len(v.Project.Policy.Environments), "environment"))
}

func (d *diagnosis) environmentFile(v *vault.Vault, env project.Environment) {
	if d.gitIgnores(v.Project.Path(env.Name)) {
		d.problem(env.Name, "git ignores its file: add !/secrets/*.env to .gitignore")
	}
	op, err := d.begin(v.Project.Root, env.Name)
	if err != nil {
		d.problem(env.Name, "%v", err)
		return
	}
	opened, err := v.Open(env.Name)
	if err == nil {
		d.openedBy(op, opened.Doc)
	}
	if unlogged := d.end(op, err); err == nil && unlogged != nil {
		d.problem(env.Name, "%v", unlogged)
		return
	}
	var none *crypt.NoIdentityError
	switch {
	case errors.As(err, &none) && slices.Contains(none.Opened, true):
		d.note(env.Name, "%s", d.quorumMessage(env.Name, none))
		return
	case errors.As(err, &none):
		d.note(env.Name, "none of your keys opens it")
		return
	case err != nil:
		r := d.explain(err)
		d.problem(env.Name, "%s (%s)", r.message, strings.Join(r.hints, "; "))
		return
	case opened.Readers.Differ():
		d.problem(env.Name, `its recipients differ from the policy's readers: run "envcrypt rekey %s"`, env.Name)
		return
	}
	if err := v.Project.Writable(env.Name); err != nil {
		d.note(env.Name, "cannot be written: %s", plainError(err))
	}
	d.ok(env.Name, "opens, sealed, %s", count(len(opened.Doc.Keys()), "key"))
}

// strayFiles reports files of environments that the policy does not have: nobody
// rekeys them, so whoever was a reader remains one.
func (d *diagnosis) strayFiles(v *vault.Vault) {
	first := v.Project.Policy.Environments[0]
	entries, err := os.ReadDir(filepath.Dir(v.Project.Path(first.Name)))
	if err != nil {
		return
	}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".env")
		if _, err := v.Project.Policy.Environment(name); ok && err != nil {
			d.problem(showName(e.Name()), "no environment of %s: its readers stay what they were; remove it", project.PolicyName)
		}
	}
}

func (d *diagnosis) editorAndTemp() {
	if ed, err := d.editor(); err != nil {
		d.problem("editor", "%v", err)
	} else if _, err := exec.LookPath(strings.Trim(strings.Fields(ed)[0], `'"`)); err != nil {
		d.problem("editor", "%s: not found", ed)
	} else {
		d.ok("editor", "%s", ed)
	}
	dir, err := scratch.New(d.scratchPlaces())
	if err != nil {
		d.problem("temporary files", "%v", err)
		return
	}
	defer dir.Close()
	if dir.OnDisk {
		d.problem("temporary files", "no memory-backed directory: edit would put plaintext on disk, in %s", os.TempDir())
		return
	}
	d.ok("temporary files", "in memory")
}
