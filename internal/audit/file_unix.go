//go:build unix

package audit

import (
	"os"

	"golang.org/x/sys/unix"
)

// openFlags keep an open from following a link and from waiting for a FIFO's other end.
const openFlags = unix.O_NONBLOCK | unix.O_NOFOLLOW

// tryLock locks a file for one writer or many readers, and returns false if it would wait.
func tryLock(f *os.File, exclusive bool) (bool, error) {
	how := unix.LOCK_SH
	if exclusive {
		how = unix.LOCK_EX
	}
	for {
		switch err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB); err {
		case nil:
			return true, nil
		case unix.EWOULDBLOCK:
			return false, nil
		case unix.EINTR:
		default:
			return false, os.NewSyscallError("flock", err)
		}
	}
}

// removed reports whether somebody has removed the file since it was opened, so that a lock
// on it keeps nobody out.
func removed(f *os.File) bool {
	var stat unix.Stat_t
	return unix.Fstat(int(f.Fd()), &stat) == nil && stat.Nlink == 0
}
