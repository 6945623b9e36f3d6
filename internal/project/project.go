// Package project is a directory on disk: it finds the root, reads the policy,
// knows each environment's file, and replaces files so that nothing is ever lost
// or half written.
//
// What is in an environment file is package crypt's business: here it is bytes.
package project

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// PolicyName is the file that makes a directory a project's root.
const PolicyName = "envcrypt.toml"

const (
	secretsDir      = "secrets"
	policySizeLimit = 1 << 20
)

// Project is a directory that holds a policy. Commands that make one, such as init,
// may use a Project of a Root alone.
type Project struct {
	Root   string
	Policy *Policy

	text    []byte // of the policy, as it was read
	amended []byte // what is to replace it, nil for nothing
}

// Find returns the project that dir is in: that of the nearest directory, from dir
// up to the file system's root, with a policy. Where dir is reached through a
// symbolic link, the way up goes along its name first, then from where it really is.
// The error is a *[NotFoundError] if there is none, a *[FileError] or *[PolicyError]
// if the policy cannot be read, and then there is a Project of a Root alone.
func Find(dir string) (*Project, error) {
	named, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	p, err := findAbove(named)
	if p != nil || err != nil {
		return p, err
	}
	if real, err := filepath.EvalSymlinks(named); err == nil && real != named {
		if p, err := findAbove(real); p != nil || err != nil {
			return p, err
		}
	}
	return nil, &NotFoundError{Dir: named}
}

func findAbove(dir string) (*Project, error) {
	for {
		p, err := Open(dir)
		if !errors.Is(err, fs.ErrNotExist) {
			return p, err
		}
		parent := filepath.Dir(dir)
		if parent == dir || everybodyWrites(parent) {
			return nil, nil
		}
		dir = parent
	}
}

// Open returns the project whose root is the absolute path root. The errors are those of
// [Find] and, if there is no policy right there, [fs.ErrNotExist].
func Open(root string) (*Project, error) {
	file := filepath.Join(root, PolicyName)
	text, err := ReadFile(file, policySizeLimit)
	if err != nil {
		return &Project{Root: root}, err
	}
	policy, err := ParsePolicy(file, text)
	if err != nil {
		return &Project{Root: root}, err
	}
	return &Project{Root: root, Policy: policy, text: text}, nil
}

// everybodyWrites tells of a directory such as /tmp: a policy there may be anybody's, and
// is looked at only by those who work right in it.
func everybodyWrites(dir string) bool {
	const others = 0o002
	info, err := os.Stat(dir)
	return err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&others != 0
}

// NotFoundError says that no directory from Dir upwards holds a policy.
type NotFoundError struct {
	Dir string
}

func (e *NotFoundError) Error() string {
	return fmt.Sprintf("no %s in %s or any directory above it", PolicyName, e.Dir)
}

// Path returns where an environment's file belongs, whether or not it exists. The
// name must have come from the policy or have passed [ValidEnvironmentName].
func (p *Project) Path(env string) string {
	return filepath.Join(p.Root, secretsDir, env+".env")
}

// HistoryPath returns where the record of an environment's writes belongs.
func (p *Project) HistoryPath(env string) string {
	return filepath.Join(p.Root, secretsDir, env+".history")
}

// file is Path for a name that nobody has checked yet.
func (p *Project) file(env string) (string, error) {
	if !ValidEnvironmentName(env) {
		unknown := &UnknownEnvironmentError{Name: env}
		if p.Policy != nil {
			unknown.Valid = p.Policy.Names()
		}
		return "", unknown
	}
	return p.Path(env), nil
}
