package project

import (
	"errors"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
)

// Below returns the roots of the projects in dir, an absolute path, and in the directories
// below it, ordered by their names. It does not enter what belongs to git, to installed
// packages or to another place: .git, bare repositories, node_modules, symbolic links. A policy
// that is a symbolic link out of dir makes no project.
//
// What was left out although it may hold a project comes with an error, a *[FileError] or an
// *[OutsideError].
func Below(dir string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		real, err := realDir(dir) // a link at the top is the user's own word
		if err != nil {
			yield(dir, err)
			return
		}
		_ = filepath.WalkDir(real, func(path string, d fs.DirEntry, err error) error {
			goOn := true
			switch {
			case err != nil:
				goOn = yield(path, systemError(path, err))
			case !d.IsDir():
			case path != real && leftOut(path, d.Name()):
				return filepath.SkipDir
			default:
				if found, err := policyIn(real, path); found || err != nil {
					goOn = yield(path, err)
				}
			}
			if !goOn {
				return filepath.SkipAll
			}
			return nil
		})
	}
}

// leftOut tells of a directory that holds what is no part of a project's tree.
func leftOut(path, name string) bool {
	return name == ".git" || name == "node_modules" || isBareRepository(path)
}

// isBareRepository looks for what git itself takes a repository by.
func isBareRepository(dir string) bool {
	for _, name := range []string{"HEAD", "objects", "refs"} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err != nil {
			return false
		}
	}
	return true
}

// policyIn tells whether a directory holds a policy that counts in the tree of top.
func policyIn(top, dir string) (bool, error) {
	file := filepath.Join(dir, PolicyName)
	info, err := os.Lstat(file)
	if err != nil || info.Mode()&fs.ModeSymlink == 0 {
		return err == nil, ignoreMissing(file, err)
	}
	target, err := filepath.EvalSymlinks(file)
	if err == nil && !inside(top, target) {
		return false, &OutsideError{Path: file, Target: target}
	}
	return true, nil // to be read, or to fail in that
}

func ignoreMissing(path string, err error) error {
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return systemError(path, err)
}
