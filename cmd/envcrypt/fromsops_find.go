package main

import (
	"bytes"
	"cmp"
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

// sopsFile is a SOPS file that a rule covers.
type sopsFile struct {
	path   string // from the root, with slashes
	data   []byte // of one that may be adopted
	format string // "" for dotenv
	rule   *sopsconfig.Rule
	left   string // why it is not adopted
}

// sopsEnvironment is an environment of the policy that is being made.
type sopsEnvironment struct {
	name      string
	rule      *sopsconfig.Rule
	files     []*sopsFile
	candidate *sopsFile // what is to be adopted, nil for nothing
	adoption  *vault.Adoption
	missing   bool // it gets no file for now: somebody else has it
}

func (m *sopsMove) path(f *sopsFile) string { return filepath.Join(m.root, filepath.FromSlash(f.path)) }

// find walks through the tree for the SOPS files that rules cover. Links are not followed,
// and a directory with a .sops.yaml or policy of its own is somebody else's.
func (m *sopsMove) find(a *app) error {
	return filepath.WalkDir(m.root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && path == m.root:
			return err
		case err != nil:
			a.warningf("left %s: it cannot be read", a.relative(path))
			return fs.SkipDir
		case d.IsDir() && path != m.root:
			return a.skipDirectory(path, d.Name())
		case !d.Type().IsRegular():
			return nil
		}
		rel, err := filepath.Rel(m.root, path)
		if err != nil {
			return err
		}
		m.add(a, filepath.ToSlash(rel))
		return nil
	})
}

func (a *app) skipDirectory(path, name string) error {
	if name == ".git" || name == "node_modules" {
		return fs.SkipDir
	}
	for _, own := range []string{sopsconfig.FileName, project.PolicyName} {
		if _, err := os.Lstat(filepath.Join(path, own)); err == nil {
			a.notef("left out %s, which has a %s of its own", a.relative(path), own)
			return fs.SkipDir
		}
	}
	return nil
}

// add takes a file if a rule covers it and it is one of SOPS's.
func (m *sopsMove) add(a *app, path string) {
	rule := m.config.RuleFor(path)
	if rule == nil || path == sopsconfig.FileName {
		return
	}
	f := &sopsFile{path: path, rule: rule}
	data, err := project.ReadFile(m.path(f), project.FileSizeLimit)
	if err != nil && rule.Pattern != "" { // a rule for everything means some of it
		a.warningf("left %s: %v", path, err)
	}
	if err == nil && f.recognize(data) {
		m.files = append(m.files, f)
	}
}

// recognize tells whether data are a SOPS file, whole or damaged, and notes its format.
func (f *sopsFile) recognize(data []byte) bool {
	isSops := func(format crypt.Format) bool {
		_, err := crypt.Inspect(data, format)
		var unsupported *crypt.UnsupportedError
		return err == nil || errors.As(err, &unsupported)
	}
	switch format := formatOf(f.path); {
	case format == crypt.YAML:
		f.format = "YAML"
		return bytes.Contains(data, []byte("sops:")) && isSops(crypt.YAML)
	case format == crypt.JSON:
		f.format = "JSON"
		return bytes.Contains(data, []byte(`"sops"`)) && isSops(crypt.JSON)
	case bytes.HasPrefix(data, []byte("sops_mac=")), bytes.Contains(data, []byte("\nsops_mac=")):
		f.data = data
		return true // and if it is damaged, that is said
	case bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) && isSops(crypt.JSON):
		f.format = "binary"
		return true
	case bytes.Contains(data, []byte("\n[sops]\n")) && bytes.Contains(data, []byte("ENC[AES256_GCM,")):
		f.format = "INI"
		return true
	}
	return false
}

// chooseEnvironments derives the environments from the files, and chooses what each may
// adopt.
func (m *sopsMove) chooseEnvironments(a *app) {
	var files []*sopsFile
	var paths []string
	for _, f := range m.files {
		if unusable(f.rule) == "" {
			files, paths = append(files, f), append(paths, f.path)
		} else {
			f.left = "its rule is left out"
		}
	}
	names := sopsconfig.Environments(paths)
	byName := make(map[string]*sopsEnvironment)
	for i, f := range files {
		name := names[i]
		if own := inPlace(f.path); own != "" {
			name = own
		}
		if !project.ValidEnvironmentName(name) {
			f.left = "nothing of its path can be an environment's name"
			continue
		}
		if byName[name] == nil {
			byName[name] = &sopsEnvironment{name: name}
			m.environments = append(m.environments, byName[name])
		}
		byName[name].files = append(byName[name].files, f)
	}
	m.environments = slices.DeleteFunc(m.environments, func(env *sopsEnvironment) bool { return !env.choose(m.root) })
	slices.SortStableFunc(m.environments, func(x, y *sopsEnvironment) int { return cmp.Compare(rank(x.name), rank(y.name)) })
}

// inPlace returns the environment whose file a path is already, "" for none.
func inPlace(path string) string {
	name := strings.TrimSuffix(strings.TrimPrefix(path, "secrets/"), ".env")
	if !project.ValidEnvironmentName(name) || path != "secrets/"+name+".env" {
		return ""
	}
	return name
}

// rank puts environments in the order in which people think of them.
func rank(name string) int {
	order := []string{"local", "development", "test", "ci", "", "staging", "preproduction", "production"}
	if i := slices.Index(order, name); i >= 0 {
		return i
	}
	return slices.Index(order, "")
}

// choose settles the rule that gives an environment its readers, and the file to adopt. It
// tells whether there is such a rule, and notes at the other files why they are left.
func (e *sopsEnvironment) choose(root string) bool {
	var dotenv []*sopsFile
	for _, f := range e.files {
		if inPlace(f.path) == e.name {
			e.candidate, e.rule = f, f.rule
		}
		if f.format == "" {
			dotenv = append(dotenv, f)
		}
	}
	if e.rule == nil {
		if slices.ContainsFunc(e.files, func(f *sopsFile) bool { return !sameReaders(f.rule, e.files[0].rule) }) {
			for _, f := range e.files {
				f.left = fmt.Sprintf("several files could be environment %s, and their rules name different keys: add it to %s by hand", e.name, project.PolicyName)
			}
			return false
		}
		e.rule = e.files[0].rule
	}
	_, err := os.Lstat(filepath.Join(root, "secrets", e.name+".env"))
	taken := err == nil && e.candidate == nil
	if e.candidate == nil && len(dotenv) == 1 && !taken {
		e.candidate = dotenv[0]
	}
	for _, f := range e.files {
		switch {
		case f == e.candidate:
		case f.format == "INI" || f.format == "binary":
			f.left = fmt.Sprintf("envcrypt reads no %s file of sops's", f.format)
		case f.format != "":
			f.left = fmt.Sprintf("a value's place in %s is part of what is encrypted, so it cannot be adopted as it is: %s", f.format, importLine(e.name, f))
		case taken:
			f.left = fmt.Sprintf("secrets/%s.env is there already, and is none of the files that the rules cover", e.name)
		default:
			f.left = fmt.Sprintf("%s is one file, and there are several for it: %s", e.name, importLine(e.name, f))
		}
	}
	return true
}

// sameReaders tells whether two rules name the same keys in the same groups.
func sameReaders(a, b *sopsconfig.Rule) bool {
	return a == b || a.Quorum == b.Quorum && slices.EqualFunc(a.Groups, b.Groups, slices.Equal[[]recipients.Key])
}
