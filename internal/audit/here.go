package audit

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"runtime"

	"envcrypt/internal/environ"
)

// Machine reads what the machine and the user say about the log, from the files that the
// process environment env leads to. No repository has a say in it. The errors are those of
// [ReadConfig].
func Machine(env []string) (Config, error) {
	machine := "/etc/envcrypt/config.toml"
	if runtime.GOOS == "windows" {
		machine = filepath.Join(environ.Get(env, "ProgramData"), environ.Program, "config.toml")
	}
	return ReadConfig(machine, environ.Config(env, "config.toml"), environ.StateHome(env))
}

// Here are the facts of this process, whose environment env is.
func Here(env []string) Facts {
	host, _ := os.Hostname()
	return Facts{
		User:   Login(),
		Host:   host,
		PID:    os.Getpid(),
		Parent: ProcessName(os.Getppid()),
		CI:     CI(env),
		Agent:  Agent(env),
	}
}

// Login is the name of the user whom the system says this process belongs to, whatever the
// environment claims.
func Login() string {
	u, err := user.Current()
	if err != nil {
		return fmt.Sprintf("uid %d", os.Getuid())
	}
	return u.Username
}
