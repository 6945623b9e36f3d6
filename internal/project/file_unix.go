//go:build unix

package project

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// nonblock keeps an open from waiting for a FIFO's writer.
const nonblock = unix.O_NONBLOCK

// tryLock locks a directory, and returns nil if another holds it. The directory itself
// is what is locked: nothing is left in the repository.
func tryLock(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	for {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err != unix.EINTR {
			break
		}
	}
	if err == nil && isStill(dir, f) {
		return f, nil
	}
	f.Close()
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = nil
	}
	return nil, err
}

// isStill reports whether f is the directory of that name: a git checkout may have
// removed and made it anew since it was opened.
func isStill(dir string, f *os.File) bool {
	now, err := os.Stat(dir)
	if err != nil {
		return false
	}
	locked, err := f.Stat()
	return err == nil && os.SameFile(now, locked)
}

// readOnly asks the system, and looks at the mode for root, whom the system never stops.
func readOnly(path string, info fs.FileInfo) bool {
	return info.Mode().Perm()&0o222 == 0 || unix.Faccessat(unix.AT_FDCWD, path, unix.W_OK, unix.AT_EACCESS) != nil
}

func syncDirectory(root *os.Root, dir string) error {
	f, err := root.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	err = f.Sync()
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTSUP) {
		return nil // the file system has no such thing, and nothing better either
	}
	return err
}

// keepOwner gives f the owner of another file, for root, who alone can.
func keepOwner(f *os.File, like fs.FileInfo) error {
	stat, ok := like.Sys().(*syscall.Stat_t)
	if !ok || os.Geteuid() != 0 {
		return nil
	}
	return f.Chown(int(stat.Uid), int(stat.Gid))
}
