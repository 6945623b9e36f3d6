package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"envcrypt/crypt"
	"envcrypt/internal/project"
	"envcrypt/internal/sopsconfig"
	"envcrypt/internal/vault"
	"envcrypt/recipients"
)

// sopsMove is a project of sops's that is about to become one of envcrypt's.
type sopsMove struct {
	root         string
	config       *sopsconfig.Config
	files        []*sopsFile
	environments []*sopsEnvironment
	members      *memberNames
}

func (a *app) initFromSops() error {
	m, err := a.readSops()
	if err != nil {
		return err
	}
	a.reportRules(m)
	m.chooseEnvironments(a)
	if len(m.environments) == 0 {
		return &inputError{fmt.Errorf("%s: no environment can be made of its rules and the files that they cover", sopsconfig.FileName)}
	}
	keys := a.newKeyring()
	own, err := keys.Public()
	if err != nil {
		return err
	}
	if err := a.nameMembers(m, keys.Publics()); err != nil {
		return err
	}
	p, err := (&project.Project{Root: m.root}).Amend(m.policyText())
	if err != nil {
		return err
	}
	v := a.vaultOf(p)
	a.keys, v.Identities, v.Plugins = keys, keys.Identities(), keys.AllowPlugin // one keyring asks once
	v.Author.Member = p.Policy.Directory.Owner(own)
	adoptions, err := a.planAdoptions(v, m)
	if err != nil {
		return err
	}
	if !a.dryRun {
		if err := v.Adopt(adoptions); err != nil {
			return err
		}
	}
	a.notef("%s %s of %s: %s, %s", a.wouldOr("made", "would make"), a.relative(filepath.Join(m.root, project.PolicyName)),
		sopsconfig.FileName, count(len(m.members.order), "member"), count(len(m.environments), "environment"))
	a.reportAdoptions(m)
	if err := a.createFromSops(v, m); err != nil {
		return err
	}
	a.reportLeft(m)
	if a.dryRun {
		return nil
	}
	if err := a.initGit(p); err != nil {
		return err
	}
	a.hintFromSops(m)
	return nil
}

// wouldOr chooses between what was done and what would be.
func (a *app) wouldOr(did, would string) string {
	if a.dryRun {
		return would
	}
	return did
}

// readSops reads the .sops.yaml and the files that its rules cover.
func (a *app) readSops() (*sopsMove, error) {
	root, err := a.initRoot()
	if err != nil {
		return nil, err
	}
	policy := filepath.Join(root, project.PolicyName)
	if _, err := os.Lstat(policy); err == nil {
		return nil, &policyExistsError{a.relative(policy)}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	const sizeLimit = 1 << 20
	path := filepath.Join(root, sopsconfig.FileName)
	text, err := project.ReadFile(path, sizeLimit)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &inputError{fmt.Errorf("no %s in %s", sopsconfig.FileName, root)}
	}
	if err != nil {
		return nil, err
	}
	config, err := sopsconfig.Parse(text)
	if err != nil {
		return nil, &inputError{fmt.Errorf("%s: %w", a.relative(path), err)}
	}
	m := &sopsMove{root: root, config: config}
	return m, m.find(a)
}

// planAdoptions seals what can be adopted, and notes at the other files why they cannot be.
func (a *app) planAdoptions(v *vault.Vault, m *sopsMove) (adoptions []*vault.Adoption, err error) {
	for _, env := range m.environments {
		f := env.candidate
		if f == nil {
			continue
		}
		op, err := a.begin(m.root, env.name)
		if err != nil {
			return nil, err
		}
		env.adoption, err = v.PlanAdoption(env.name, m.path(f), f.data)
		if err == nil {
			a.openedBy(op, env.adoption.Doc)
			adoptions = append(adoptions, env.adoption)
			continue
		}
		if failed := a.keys.Err(); failed != nil && hasTerminal() { // or a passphrase could not be asked for
			return nil, failed
		}
		if err := a.end(op, err); err != nil {
			return nil, err
		}
		f.left = a.whyNotAdopted(env, f, err)
	}
	return adoptions, nil
}

// whyNotAdopted puts into words why a file cannot be, and what to do with it.
func (a *app) whyNotAdopted(env *sopsEnvironment, f *sopsFile, err error) string {
	var none *crypt.NoIdentityError
	var whole *crypt.UnadoptableError
	switch {
	case errors.As(err, &none):
		env.missing = true
		return fmt.Sprintf("your keys do not open it; its readers are %s: once this is committed, one of them runs \"git mv %s %s\" and \"envcrypt seal %s\"",
			a.readerNames(env.name, none.Recipients), shellQuote(f.path), "secrets/"+env.name+".env", env.name)
	case errors.As(err, &whole):
		return fmt.Sprintf("%v, and in an environment's file everything is encrypted text: %s", whole, importLine(env.name, f))
	}
	env.missing = true
	var opening *vault.OpenError
	if errors.As(err, &opening) {
		err = opening.Err
	}
	return err.Error()
}

func importLine(env string, f *sopsFile) string {
	return fmt.Sprintf("envcrypt import -e %s %s", env, shellQuote(f.path))
}

// createFromSops makes empty files for the environments whose values are to be imported.
func (a *app) createFromSops(v *vault.Vault, m *sopsMove) error {
	for _, env := range m.environments {
		path := v.Project.Path(env.name)
		if _, err := os.Lstat(path); err == nil || env.adoption != nil || env.missing {
			continue
		}
		if !a.dryRun {
			if _, err := a.begin(m.root, env.name); err != nil {
				return err
			}
			var plugin *recipients.PluginNotAllowedError
			if err := v.Create(env.name); errors.As(err, &plugin) {
				a.warningf("%s has no file yet: %v; \"envcrypt init\" makes it", env.name, plugin)
				continue
			} else if err != nil {
				return err
			}
		}
		a.notef("%s %s, with nothing in it", a.wouldOr("made", "would make"), a.relative(path))
	}
	return nil
}

func (a *app) reportAdoptions(m *sopsMove) {
	for _, env := range m.environments {
		ad := env.adoption
		if ad == nil {
			continue
		}
		if keys := count(len(ad.Doc.Keys()), "key"); ad.Done && inPlace(env.candidate.path) == env.name {
			a.notef("kept %s: %s", env.candidate.path, keys)
		} else {
			a.notef("%s %s as secrets/%s.env: %s, ciphertext as it was", a.wouldOr("adopted", "would adopt"), env.candidate.path, env.name, keys)
		}
		for _, key := range ad.Empty {
			a.warningf("%s: %s is empty: SOPS protects no empty value, so anybody can have added it", env.name, key)
		}
		for _, kind := range ad.Doc.OtherKinds() {
			a.warningf("%s: %s keys open it too, until it is written next", env.name, kind)
		}
		if ad.Readers.Differ() {
			a.warningf("%s: the recipients of the file differ from those of its rule: run \"envcrypt rekey %s\"", env.name, env.name)
		}
	}
}

// reportRules says what of a configuration cannot be taken over.
func (a *app) reportRules(m *sopsMove) {
	warn := func(line int, format string, args ...any) {
		a.warningf("%s:%d: %s", sopsconfig.FileName, line, fmt.Sprintf(format, args...))
	}
	const most = 10 // rules that cover nothing
	idle := 0
	for i := range m.config.Rules {
		r := &m.config.Rules[i]
		problem := unusable(r)
		covers := slices.ContainsFunc(m.files, func(f *sopsFile) bool { return f.rule == r })
		if !covers {
			idle++
		}
		switch {
		case !covers && idle > most:
		case !covers && r.Pattern == "":
			warn(r.Line, "the rule covers no SOPS file: left out")
		case !covers:
			warn(r.Line, "path_regex matches no SOPS file that an earlier rule does not: the rule is left out")
		case problem != "":
			warn(r.Line, "%s: the rule and its files are left out", problem)
		case len(r.Foreign) > 0:
			warn(r.Line, "%s: only age keys can be readers; who opens files with these loses access", strings.Join(r.Foreign, ", "))
		}
		if covers && len(r.Partial) > 0 {
			warn(r.Line, "%s: in an environment's file every value is encrypted; plain values go into %s as vars", strings.Join(r.Partial, ", "), project.PolicyName)
		}
	}
	if idle > most {
		a.warningf("%s: %d more rules cover no SOPS file", sopsconfig.FileName, idle-most)
	}
	if line := m.config.Destinations; line > 0 {
		warn(line, "destination_rules: envcrypt publishes nothing; left out")
	}
}

// unusable says why a rule can give no environment its readers, "" if it can.
func unusable(r *sopsconfig.Rule) string {
	empty := slices.ContainsFunc(r.Groups, func(g []recipients.Key) bool { return len(g) == 0 })
	foreign := "nothing"
	if len(r.Foreign) > 0 {
		foreign = strings.Join(r.Foreign, ", ")
	}
	switch {
	case len(r.Groups) == 1 && empty:
		return "no age key, but " + foreign
	case empty:
		return "one of key_groups has no age key"
	case r.Shared:
		return "a key stands in two of key_groups, and a quorum is of different people"
	}
	return ""
}

// reportLeft lists the files that stay, and why.
func (a *app) reportLeft(m *sopsMove) {
	for _, f := range m.files {
		if f.left != "" {
			a.warningf("left %s: %s", f.path, f.left)
		}
	}
}

func (a *app) hintFromSops(m *sopsMove) {
	var originals, adopted []string
	for _, env := range m.environments {
		if env.adoption == nil {
			continue
		}
		adopted = append(adopted, env.name)
		if env.candidate.path != "secrets/"+env.name+".env" {
			originals = append(originals, shellQuote(env.candidate.path))
		}
	}
	if len(originals) > 0 {
		a.hintf("the originals are still there; once nothing reads them: git rm -- %s", strings.Join(originals, " "))
	}
	if len(adopted) > 0 {
		a.hintf("whoever \"sops updatekeys\" once removed may know the data key: the first write makes a new one, and until then they can read %s", strings.Join(adopted, ", "))
	}
	a.hintf("look at %s and at what \"envcrypt check\" says, then commit it and secrets/", project.PolicyName)
}
