package launch

import "golang.org/x/sys/unix"

// NoCoreDump keeps the process's memory out of core dumps and away from
// debuggers of the same user. It ends with execve, so no command inherits it.
func NoCoreDump() (restore func()) {
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	return func() {}
}
