//go:build unix

package launch

import (
	"errors"
	"os"
	"strings"
	"syscall"
)

// Exec becomes the program at path: same process, same terminal, descriptors
// and signals. It returns only where that failed. The files are for systems
// that cannot replace a process.
func Exec(path string, argv, env []string, _ [3]*os.File) error {
	err := syscall.Exec(path, argv, env)
	switch {
	case errors.Is(err, syscall.E2BIG):
		name, size := largest(env)
		return &TooLargeError{Key: name, Size: size}
	case errors.Is(err, syscall.ENOENT):
		return &CommandError{Name: argv[0], Code: exitNotExecutable, Err: errors.New("its interpreter does not exist")}
	case errors.Is(err, syscall.ENOEXEC):
		return &CommandError{Name: argv[0], Code: exitNotExecutable, Err: errors.New(`not a program: a script needs a first line like "#!/bin/sh"`)}
	}
	return &CommandError{Name: argv[0], Code: exitNotExecutable, Err: err}
}

// largest returns the name and the size of the largest variable of env.
func largest(env []string) (name string, size int) {
	for _, kv := range env {
		if n, v, _ := strings.Cut(kv, "="); len(v) > size {
			name, size = n, len(v)
		}
	}
	return name, size
}
