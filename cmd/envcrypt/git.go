package main

import (
	"os/exec"
	"path/filepath"
	"strings"

	"envcrypt/internal/history"
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

// gitTop returns the root of the repository's files that dir is in.
func (a *app) gitTop(dir string) (string, error) {
	out, err := a.git(dir, "rev-parse", "--show-toplevel").Output()
	return strings.TrimSuffix(string(out), "\n"), err
}

// gitIgnores tells whether git would leave a file out; false too without git.
func (a *app) gitIgnores(path string) bool {
	return a.git(filepath.Dir(path), "check-ignore", "-q", "--no-index", "--", filepath.Base(path)).Run() == nil
}

// gitHead returns a file's content in the last commit.
func (a *app) gitHead(path string) ([]byte, error) {
	return a.git(filepath.Dir(path), "cat-file", "blob", "HEAD:./"+filepath.Base(path)).Output()
}

// committedSums tells whether a file ever had content of a given sum in any of
// git's revisions. Git is asked once, and only if somebody wants to know.
func (a *app) committedSums(path string) func(sum string) bool {
	var sums map[string]bool
	return func(sum string) bool {
		if sums == nil {
			sums = a.readCommittedSums(path)
		}
		return sums[sum]
	}
}

func (a *app) readCommittedSums(path string) map[string]bool {
	sums := make(map[string]bool)
	dir, name := filepath.Dir(path), "./"+filepath.Base(path)
	out, err := a.git(dir, "rev-list", "--all", "--reflog", "--full-history", "--", name).Output()
	if err != nil {
		return sums
	}
	const newest = 1000 // commits: older ends of a merge have been joined long ago
	for i, commit := range strings.Fields(string(out)) {
		if i == newest {
			break
		}
		if data, err := a.git(dir, "cat-file", "blob", commit+":"+name).Output(); err == nil {
			sums[history.Sum(data)] = true
		}
	}
	return sums
}
