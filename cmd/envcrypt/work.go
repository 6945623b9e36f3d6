package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"

	"envcrypt/crypt"
	"envcrypt/internal/audit"
	"envcrypt/internal/history"
	"envcrypt/internal/launch"
	"envcrypt/internal/project"
	"envcrypt/internal/vault"
)

// vault returns the project around the working directory, with the user's keys.
func (a *app) vault() (*vault.Vault, error) {
	dir, err := a.workingDirectory()
	if err != nil {
		return nil, err
	}
	p, err := project.Find(dir)
	if err != nil {
		return nil, err
	}
	if err := checkVariable(p); err != nil {
		return nil, err
	}
	return a.vaultOf(p), nil
}

// workingDirectory is where projects are looked for.
func (a *app) workingDirectory() (string, error) {
	if a.dir == "" {
		return ".", nil
	}
	if info, err := os.Stat(a.dir); err != nil || !info.IsDir() {
		return "", usagef("-C: no such directory: %s", showName(a.dir)) // or a project above it is found
	}
	return a.dir, nil
}

// checkVariable refuses a policy whose variable could do harm.
func checkVariable(p *project.Project) error {
	if launch.Dangerous(p.Policy.Variable) {
		return usagef("%s: variable = %q: a name that makes programs run code, or holds a private key, cannot select the environment", project.PolicyName, p.Policy.Variable)
	}
	return nil
}

func (a *app) vaultOf(p *project.Project) *vault.Vault {
	if a.keys == nil { // or they are asked for once more in each project
		a.keys = a.newKeyring()
	}
	a.policy = p.Policy
	return &vault.Vault{
		Project:    p,
		Identities: a.keys.Identities(),
		Now:        a.now,
		Plugins:    a.keys.AllowPlugin,
		UI:         a.keys.UI(),
		Author:     a.author(),
		Allow:      a.allowed,
		Note:       vault.Note{Reason: a.reason},
		Committed:  func(name string) func(string) bool { return a.committedSums(p.Path(name)) },
	}
}

// author is who works here, as the history names it.
func (a *app) author() history.Actor {
	host, _ := os.Hostname()
	return history.Actor{User: audit.Login(), Host: host}
}

// choose returns the environment that a command works on: its argument or -e,
// the policy's variable, the policy's default.
func (a *app) choose(p *project.Policy, argument string) (project.Environment, error) {
	env, err := a.chosen(p, argument)
	if err == nil {
		err = a.checkAllowed(env)
	}
	return env, err
}

// checkAllowed refuses an --allow that overrides nothing: a misspelt one would be found out
// at the wrong time.
func (a *app) checkAllowed(env project.Environment) error {
	names := env.RuleNames()
	for _, rule := range a.allowed {
		if !slices.Contains(names, rule) {
			return usagef("no guard rule of %s: %s; there are %s", env.Name, showName(rule), strings.Join(names, ", "))
		}
	}
	return nil
}

func (a *app) chosen(p *project.Policy, argument string) (project.Environment, error) {
	name := argument
	switch {
	case name != "" && a.environment != "" && name != a.environment:
		return project.Environment{}, usagef("two environments are named: %s and %s", showName(name), showName(a.environment))
	case name == "":
		name = a.environment
	}
	return p.Choose(name, a.getenv)
}

// enter opens the chosen environment, after noting in the audit log that keys of
// it or, with none, all are about to be read or written.
func (a *app) enter(argument string, open func(*vault.Vault, string) (*vault.Environment, error), keys ...string) (*vault.Vault, *vault.Environment, *audit.Op, error) {
	v, err := a.vault()
	if err != nil {
		return nil, nil, nil, err
	}
	chosen, err := a.choose(v.Project.Policy, argument)
	if err != nil {
		return nil, nil, nil, err
	}
	env, op, err := a.openNoted(v, chosen.Name, open, keys...)
	if err != nil {
		return nil, nil, nil, err
	}
	return v, env, op, nil
}

// openNoted opens an environment, after noting in the audit log that keys of it or, with
// none, all are about to be read or written. The op is nil only if it could not be noted.
func (a *app) openNoted(v *vault.Vault, name string, open func(*vault.Vault, string) (*vault.Environment, error), keys ...string) (*vault.Environment, *audit.Op, error) {
	op, err := a.begin(v.Project.Root, name, keys...)
	if err != nil {
		return nil, nil, err
	}
	giveRoom(v.Project.Path(name))
	env, err := open(v, name)
	if err != nil {
		return nil, op, a.identityFailure(err)
	}
	a.openedBy(op, env.Doc)
	return env, op, nil
}

// giveRoom spares a large file a garbage collector that goes over it again and again while
// it is opened: a quarter of the time. A limit keeps the room from growing with the file.
func giveRoom(path string) {
	const (
		large   = 256 << 10 // bytes; some 1500 keys
		room    = 400       // percent of what is in use
		roomEnd = 256 << 20 // bytes
	)
	if info, err := os.Stat(path); err == nil && info.Size() > large {
		debug.SetMemoryLimit(roomEnd)
		debug.SetGCPercent(room)
	}
}

// look opens an environment whose reading ends with that, however it ends: one that does not
// open is no failure of the command.
func (a *app) look(v *vault.Vault, name string) (*vault.Environment, error) {
	env, op, err := a.openNoted(v, name, (*vault.Vault).Open)
	if op == nil {
		return nil, err
	}
	if unlogged := a.end(op, err); err == nil {
		err = unlogged
	}
	if err != nil {
		return nil, err
	}
	return env, nil
}

// identityFailure prefers what went wrong with an identity to the fact that then
// none was left.
func (a *app) identityFailure(err error) error {
	var none *crypt.NoIdentityError
	if err != nil && a.keys != nil && errors.As(err, &none) {
		if failed := a.keys.Err(); failed != nil {
			return failed
		}
	}
	return err
}

// wasThere tells whether git or its history knows an environment's file that is
// missing.
func (a *app) wasThere(path string) bool {
	if _, err := os.Lstat(strings.TrimSuffix(path, ".env") + ".history"); err == nil {
		return true
	}
	_, err := a.gitHead(path)
	return err == nil
}

// warnDangerous warns of keys with which exec will refuse to start anything.
func (a *app) warnDangerous(env project.Environment, keys []string) {
	for _, key := range keys {
		if launch.Dangerous(key) && !slices.Contains(env.Allow, key) {
			a.warningf("%s: exec refuses this name unless %s lists it under %s: allow = [%q]", key, project.PolicyName, env.Name, key)
		}
	}
}

// confirmWrite asks before a write to a protected environment.
func (a *app) confirmWrite(env project.Environment, what string) error {
	if !env.Protected || a.dryRun {
		return nil
	}
	return a.confirm(env.Name + " is protected: " + what + "?")
}

// formatOf tells a SOPS file's format by its name.
func formatOf(path string) crypt.Format {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".yaml", ".yml":
		return crypt.YAML
	case ".json":
		return crypt.JSON
	}
	return crypt.Dotenv
}

// openFile opens a single SOPS file, without a project. Where -e names an
// environment, the file must be sealed for it. name is the environment that a
// valid seal gives.
func (a *app) openFile(path string, keys ...string) (doc *crypt.Document, name string, err error) {
	giveRoom(path)
	data, err := project.ReadFile(path, project.FileSizeLimit)
	if err != nil {
		return nil, "", err
	}
	op, err := a.begin(path, a.environment, keys...)
	if err != nil {
		return nil, "", err
	}
	a.keys = a.newKeyring()
	doc, err = crypt.Open(data, crypt.Options{Format: formatOf(path), Environment: a.environment}, a.keys.Identities())
	if err != nil {
		return nil, "", a.identityFailure(fmt.Errorf("cannot open %s: %w", path, err))
	}
	state, name := doc.SealState()
	if state == crypt.SealValid {
		op.Entry.Environment = name
	}
	if state != crypt.SealValid {
		a.warningf("%s is not sealed: nothing binds it to an environment", path)
		for _, u := range doc.Unverified() {
			if u.Key != "" {
				a.warningf("%s: line %d: %s is not encrypted: left out", path, u.Line, u.Key)
			}
		}
		name = ""
	}
	return doc, name, nil
}
