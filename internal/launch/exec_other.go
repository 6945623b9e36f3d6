//go:build !unix

package launch

import (
	"errors"
	"os"
	"os/exec"
)

// An ExitError says that the command ran and how it ended.
type ExitError struct{ Code int }

func (e *ExitError) Error() string { return "the command failed" }

// Exec runs the program at path as a child, for systems that cannot replace a
// process, and returns an [*ExitError] with its exit status, or nil for 0.
func Exec(path string, argv, env []string, stdio [3]*os.File) error {
	cmd := exec.Command(path)
	cmd.Args, cmd.Env = argv, env
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdio[0], stdio[1], stdio[2]
	err := cmd.Run()
	var exited *exec.ExitError
	if errors.As(err, &exited) {
		return &ExitError{Code: exited.ExitCode()}
	}
	if err != nil {
		return &CommandError{Name: argv[0], Code: exitNotExecutable, Err: err}
	}
	return nil
}
