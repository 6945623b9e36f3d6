package main

import (
	"os/exec"
	"path/filepath"
)

// git runs one of git's commands that only look, in a directory of the project.
// Nothing that the repository contains may make it run a program: a directory
// that only looks like a bare repository is not taken for one, and neither
// monitors nor fetches of missing objects are started.
func (a *app) git(dir string, args ...string) *exec.Cmd {
	guard := []string{"-c", "safe.bareRepository=explicit", "-c", "core.fsmonitor=false", "-C", dir}
	cmd := exec.Command("git", append(guard, args...)...)
	cmd.Env = append(withoutIdentities(a.env), "GIT_ALLOW_PROTOCOL=none", "GIT_NO_LAZY_FETCH=1", "GIT_OPTIONAL_LOCKS=0", "GIT_TERMINAL_PROMPT=0")
	return cmd
}

// gitIgnores tells whether git would leave a file out; false too without git.
func (a *app) gitIgnores(path string) bool {
	return a.git(filepath.Dir(path), "check-ignore", "-q", "--no-index", "--", filepath.Base(path)).Run() == nil
}

// gitHead returns a file's content in the last commit.
func (a *app) gitHead(path string) ([]byte, error) {
	return a.git(filepath.Dir(path), "cat-file", "blob", "HEAD:./"+filepath.Base(path)).Output()
}
