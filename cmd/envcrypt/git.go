package main

import (
	"bufio"
	"fmt"
	"io"
	"iter"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"envcrypt/internal/history"
	"envcrypt/internal/project"
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
	for data := range a.revisions(path) {
		sums[history.Sum(data)] = true
	}
	return sums
}

// revisions yields a file's content in each of git's commits that changed it, on whatever
// branch, the newest first; nothing without git. Older ends of a merge have been joined
// long ago, so only so many are looked at.
func (a *app) revisions(path string) iter.Seq[[]byte] {
	const newest = "1000"
	return func(yield func([]byte) bool) {
		dir, name := filepath.Dir(path), "./"+filepath.Base(path)
		commits, err := a.git(dir, "rev-list", "--max-count="+newest, "--all", "--reflog", "--full-history", "--", name).Output()
		if err != nil {
			return
		}
		var wanted strings.Builder
		for commit := range strings.FieldsSeq(string(commits)) {
			fmt.Fprintf(&wanted, "%s:%s\n", commit, name)
		}
		if wanted.Len() == 0 {
			return
		}
		cmd := a.git(dir, "cat-file", "--batch")
		cmd.Stdin = strings.NewReader(wanted.String())
		out, err := cmd.StdoutPipe()
		if err != nil || cmd.Start() != nil {
			return
		}
		seen := make(map[string]bool)
		r := bufio.NewReader(out)
		for {
			id, data, err := readObject(r)
			if err != nil || data != nil && !seen[id] && !yield(data) {
				break
			}
			seen[id] = true
		}
		out.Close() // which ends git, if it has more to say
		_ = cmd.Wait()
	}
}

// pastEnvironments names the environments that git has ever had a file of, in alphabetical
// order.
func (a *app) pastEnvironments(p *project.Project) (names []string) {
	dir := filepath.Dir(p.Path("x"))
	out, err := a.git(p.Root, "log", "--all", "--reflog", "--full-history", "--no-show-signature", "--no-renames",
		"--diff-filter=A", "--format=", "--name-only", "-z", "--relative", "--", filepath.Base(dir)).Output()
	if err != nil {
		return nil
	}
	for file := range strings.SplitSeq(string(out), "\x00") {
		name, isEnvironment := strings.CutSuffix(path.Base(file), ".env")
		if isEnvironment && path.Dir(file) == filepath.Base(dir) && project.ValidEnvironmentName(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return once(names)
}

// readObject reads an object as "git cat-file --batch" prints it. The data is nil for one
// that is not there, that is no file, or that is too large to be an environment's.
func readObject(r *bufio.Reader) (id string, data []byte, err error) {
	header, err := r.ReadString('\n')
	if err != nil {
		return "", nil, err
	}
	fields := strings.Fields(header)
	if len(fields) != 3 {
		return "", nil, nil // "... missing"
	}
	size, err := strconv.ParseInt(fields[2], 10, 64)
	if err != nil {
		return "", nil, err
	}
	if fields[1] != "blob" || size > project.FileSizeLimit {
		_, err = io.CopyN(io.Discard, r, size+1)
		return "", nil, err
	}
	data = make([]byte, size+1) // a line end follows
	_, err = io.ReadFull(r, data)
	return fields[0], data[:size], err
}
