//go:build unix

package scratch

import (
	"io/fs"
	"os"
	"syscall"
)

// acquire locks a directory for this process.
func acquire(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, err
	}
	// Between the opening and the lock, a sweep may have removed the directory.
	opened, err := f.Stat()
	if err == nil {
		var now fs.FileInfo
		if now, err = os.Lstat(path); err == nil && os.SameFile(opened, now) {
			return f, nil
		}
	}
	f.Close()
	return nil, fs.ErrNotExist
}

func release(f *os.File) { f.Close() }

// private tells whether a directory is this user's and nobody else can enter it.
func private(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Getuid() && info.Mode().Perm() == 0o700
}
