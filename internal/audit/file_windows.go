package audit

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

const openFlags = 0

// tryLock locks a file for one writer or many readers, and returns false if it would wait.
// Windows keeps everybody from reading what is locked, so that it is a byte far behind the
// file's end.
func tryLock(f *os.File, exclusive bool) (bool, error) {
	var how uint32 = windows.LOCKFILE_FAIL_IMMEDIATELY
	if exclusive {
		how |= windows.LOCKFILE_EXCLUSIVE_LOCK
	}
	err := windows.LockFileEx(windows.Handle(f.Fd()), how, 0, 1, 0, &windows.Overlapped{OffsetHigh: 1 << 30})
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return false, nil
	}
	return err == nil, err
}

// removed is false: Windows removes no file that is open.
func removed(*os.File) bool { return false }
