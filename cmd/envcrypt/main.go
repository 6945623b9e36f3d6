// Command envcrypt keeps each environment's secrets in an encrypted file of the
// repository, readable by those whom the project's policy lists.
package main

import "os"

func main() {
	os.Exit(run(system{
		args:   os.Args,
		env:    os.Environ(),
		stdin:  os.Stdin,
		stdout: os.Stdout,
		stderr: os.Stderr,
	}))
}

// system is what the outside hands to a run of the program.
type system struct {
	args                  []string
	env                   []string
	stdin, stdout, stderr *os.File
}
