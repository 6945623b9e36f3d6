package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"envcrypt/internal/audit"
	"envcrypt/internal/keyring"
	"envcrypt/internal/project"
	"envcrypt/recipients"

	"github.com/urfave/cli/v2"
)

func (a *app) initCommand() *cli.Command {
	var o initOptions
	return a.command(cli.Command{
		Usage: "make a project here",
		Description: `Makes envcrypt.toml with the environments development, staging and production,
yourself as their reader (with the key that is found, or a new one), an empty
file for each environment, and lines in .gitattributes and .gitignore. What
is there already is kept: run it again to make what is missing.

With --roles, the readers are the groups viewer, developer, admin and owner,
and you are in owner; docs/roles.md tells what each can do.

With --from-sops, a .sops.yaml becomes the policy: its age keys the members,
its files the environments. Dotenv files that one of your identities opens are
adopted as secrets/ENV.env: sealed, with the ciphertext as it is. What cannot be
taken over is said, with what to do instead. An envcrypt.toml that is there is
an error with either.

EXAMPLES:
   envcrypt init
   envcrypt init -C services/api
   envcrypt init --roles
   envcrypt init --from-sops --dry-run`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "roles", Usage: "ready-made roles as groups", Destination: &o.roles},
			&cli.BoolFlag{Name: "from-sops", Usage: "make the project of a .sops.yaml", Destination: &o.fromSops},
			a.reasonFlag(), a.yesFlag(), a.dryRunFlag(),
		},
	}, func(c *cli.Context) error {
		if _, err := arguments(c, 0, 0); err != nil {
			return err
		}
		switch {
		case o.roles && o.fromSops:
			return usagef("--roles and --from-sops both make a policy: use one")
		case a.dryRun && !o.fromSops:
			return usagef("--dry-run goes with --from-sops")
		case o.fromSops:
			return a.initFromSops()
		}
		return a.init(o.roles)
	})
}

type initOptions struct{ roles, fromSops bool }

var gitAttributes = []string{"secrets/*.env text eol=lf", "secrets/*.history -text merge=union"}

var gitIgnore = []string{".env", ".env.*", "!.env.example"}

func (a *app) init(roles bool) error {
	root, err := a.initRoot()
	if err != nil {
		return err
	}
	p, err := a.initPolicy(root, roles)
	if err != nil {
		return err
	}
	v := a.vaultOf(p)
	own, _ := a.keys.Public() // without one, nobody is named
	v.Author.Member = p.Policy.Directory.Owner(own)
	for _, env := range p.Policy.Environments {
		if path := p.Path(env.Name); a.lost(p, env.Name) {
			a.warningf("%s is missing, and was there: git checkout -- %s", a.relative(path), shellQuote(a.relative(path)))
			continue
		}
		if _, err := os.Lstat(p.Path(env.Name)); err == nil {
			a.notef("kept %s", a.relative(p.Path(env.Name)))
			continue
		}
		if _, err := a.begin(p.Root, env.Name); err != nil {
			return err
		}
		switch err := v.Create(env.Name); {
		case errors.Is(err, fs.ErrExist):
			a.notef("kept %s", a.relative(p.Path(env.Name)))
		case err != nil:
			return err
		default:
			a.notef("made %s", a.relative(p.Path(env.Name)))
		}
	}
	if err := a.initGit(p); err != nil {
		return err
	}
	a.hintf(`"envcrypt set KEY" and "envcrypt edit" fill it; commit %s and secrets/`, project.PolicyName)
	if roles {
		a.hintf(`"envcrypt member add NAME KEY" and "envcrypt group add developer NAME" let others in`)
	}
	return nil
}

// initRoot is the directory that becomes a project.
func (a *app) initRoot() (string, error) {
	if a.dir == "" {
		return filepath.Abs(".")
	}
	return filepath.Abs(a.dir)
}

// initGit tells git how to treat a project's files.
func (a *app) initGit(p *project.Project) error {
	if err := a.addLines(filepath.Join(p.Root, ".gitattributes"), gitAttributes...); err != nil {
		return err
	}
	if err := a.addLines(filepath.Join(p.Root, ".gitignore"), gitIgnore...); err != nil {
		return err
	}
	return a.unignore(p)
}

// A policyExistsError refuses to make a policy where one is.
type policyExistsError struct{ path string }

func (e *policyExistsError) Error() string { return e.path + " exists already" }

// lost tells whether an environment's file is missing that was there once: an
// empty one in its place would hide that.
func (a *app) lost(p *project.Project, name string) bool {
	_, err := os.Lstat(p.Path(name))
	return errors.Is(err, fs.ErrNotExist) && a.wasThere(p.Path(name))
}

func (a *app) relative(path string) string {
	wd, err := os.Getwd()
	if err != nil {
		return path
	}
	if rel, err := filepath.Rel(wd, path); err == nil && !strings.HasPrefix(rel, "..") {
		return rel
	}
	return path
}

// initPolicy reads the policy of root, or makes one. With roles, it has to make one.
func (a *app) initPolicy(root string, roles bool) (*project.Project, error) {
	path := filepath.Join(root, project.PolicyName)
	if _, err := os.Lstat(path); err == nil {
		if roles {
			return nil, &policyExistsError{a.relative(path)}
		}
		p, err := project.Find(root)
		if err == nil {
			a.notef("kept %s", a.relative(path))
		}
		return p, err
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	key, err := a.ownKey()
	if err != nil {
		return nil, err
	}
	me := a.memberName("developers", "ops")
	text := fmt.Appendf(nil, policyTemplate, tomlKey(me), key, me, me)
	if roles {
		me = a.memberName("viewer", "developer", "admin", "owner")
		text = fmt.Appendf(nil, rolesTemplate, tomlKey(me), key, me)
	}
	if _, err := project.ParsePolicy(path, text); err != nil {
		return nil, err
	}
	p := &project.Project{Root: root}
	l, err := p.Lock()
	if err != nil {
		return nil, err
	}
	err = errors.Join(l.Write(path, nil, text), l.Close())
	if err != nil {
		return nil, err
	}
	a.notef("made %s, with you as %s", a.relative(path), me)
	return project.Find(root)
}

const policyTemplate = `# Who may read which environment. Only this file says so.
# After a change: envcrypt rekey --all

version = 1
default = "development"        # used when neither -e nor the variable names one
variable = "ENVIRONMENT"       # selects the environment, and exec sets it

[members.%s]
keys = ["%s"]

[groups]
developers = ["%s"]
ops = ["%s"]

[environments.development]
readers = ["developers", "ops"]

[environments.staging]
readers = ["developers", "ops"]

[environments.production]
readers = ["ops"]
protected = true               # writes ask first; -y where nobody can be asked
`

const rolesTemplate = `# Who may read which environment. Only this file says so.
# After a change: envcrypt rekey --all

version = 1
default = "development"        # used when neither -e nor the variable names one
variable = "ENVIRONMENT"       # selects the environment, and exec sets it

[members.%s]
keys = ["%s"]

# The roles. A role's readers are enforced by encryption; who may change what, by
# whoever reviews changes of this repository.
[groups]
viewer = []                    # reads development and staging
developer = []                 # the same, and proposes changes of them
admin = []                     # reads all, and changes it
owner = ["%s"]

[environments.development]
readers = ["viewer", "developer", "admin", "owner"]

[environments.staging]
readers = ["viewer", "developer", "admin", "owner"]

[environments.production]
readers = ["admin", "owner"]
protected = true               # writes ask first; -y where nobody can be asked
`

// tomlKey quotes a member's name where a bare key cannot hold it.
func tomlKey(name string) string {
	if strings.ContainsAny(name, ".@") {
		return `"` + name + `"`
	}
	return name
}

// memberName makes a member's name of the user's, other than those of groups.
func (a *app) memberName(groups ...string) string {
	name := a.getenv("USER")
	if name == "" {
		name = filepath.Base(audit.Login()) // without a Windows domain
	}
	name = strings.Map(func(r rune) rune {
		if r < 0x80 && (r == '-' || r == '_' || r == '.' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z') {
			return r
		}
		return -1
	}, name)
	name = strings.TrimLeft(name, "-_.")
	const longest = 32
	name = name[:min(len(name), longest)]
	switch {
	case name == "":
		return "me"
	case slices.Contains(groups, name):
		return name + "-1"
	}
	return name
}

// ownKey returns the public key of the first identity that needs no passphrase,
// or of a new one.
func (a *app) ownKey() (string, error) {
	own, err := a.newKeyring().Public()
	switch {
	case err != nil:
		return "", err
	case own != "":
		a.notef("using your key %s", recipients.Short(own))
		return own, nil
	}
	if public, err := a.lockedOwnKey(); public != "" || err != nil {
		return public, err
	}
	public, path, err := a.keygen("", false, unlocked)
	if err != nil {
		return "", err
	}
	a.notef("made a key for you: %s; keep a copy of it in a safe place", path)
	return public, nil
}

// lockedOwnKey returns the public key of the user's own identity where a
// passphrase protects it, "" where none is there.
func (a *app) lockedOwnKey() (string, error) {
	path := keyring.DefaultFile(a.env)
	if _, err := os.Lstat(path); path == "" || err != nil {
		return "", nil
	}
	k := keyring.New(keyring.Options{Files: []string{path}, AskPassphrase: askPassphrase})
	for id := range k.Identities() {
		a.notef("using your key %s", recipients.Short(id.Recipient))
		return id.Recipient, nil
	}
	return "", k.Err()
}

// addLines appends to a text file the lines that it does not have.
func (a *app) addLines(path string, lines ...string) error {
	const sizeLimit = 1 << 20
	old, err := project.ReadFile(path, sizeLimit)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	text := string(old)
	have := make(map[string]bool)
	for line := range strings.Lines(text) {
		have[strings.TrimSpace(line)] = true
	}
	added := false
	for _, line := range lines {
		if have[line] {
			continue
		}
		if text != "" && !strings.HasSuffix(text, "\n") {
			text += "\n"
		}
		text += line + "\n"
		added = true
	}
	if !added {
		return nil
	}
	root := &project.Project{Root: filepath.Dir(path)}
	l, err := root.Lock()
	if err != nil {
		return err
	}
	return errors.Join(l.Write(path, old, []byte(text)), l.Close())
}

// unignore makes exceptions for environment files that git would leave out, as
// a rule like *.env does.
func (a *app) unignore(p *project.Project) error {
	ignored := func() (files []string) {
		for _, env := range p.Policy.Environments {
			if path := p.Path(env.Name); a.gitIgnores(path) {
				files = append(files, a.relative(path))
			}
		}
		return files
	}
	files := ignored()
	if files == nil {
		return nil
	}
	if err := a.addLines(filepath.Join(p.Root, ".gitignore"), "!/secrets/", "!/secrets/*.env"); err != nil {
		return err
	}
	a.notef("git ignored %s: added an exception to .gitignore", strings.Join(files, ", "))
	if files = ignored(); files != nil {
		a.warningf(`git still ignores %s: "git check-ignore -v" names the rule`, strings.Join(files, ", "))
	}
	return nil
}
