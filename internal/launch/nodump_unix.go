//go:build unix && !linux

package launch

import "syscall"

// NoCoreDump forbids core dumps until restore is called. The limit outlives
// execve, so restore has to come before it.
func NoCoreDump() (restore func()) {
	var old syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_CORE, &old) != nil {
		return func() {}
	}
	none := old
	none.Cur = 0
	_ = syscall.Setrlimit(syscall.RLIMIT_CORE, &none)
	return func() { _ = syscall.Setrlimit(syscall.RLIMIT_CORE, &old) }
}
