package project

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// Settle makes it cheap to commit many files that were staged under some locks: all that was
// written to their file systems goes to the disk together. It is for speed alone. Each file is
// synced on its own afterwards, which then has nothing to wait for, and which tells of errors.
func Settle(locks []*Lock) {
	seen := make(map[uint64]bool)
	for _, l := range locks {
		info, err := l.file.Stat()
		if err != nil {
			continue
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		if !ok || seen[stat.Dev] {
			continue
		}
		seen[stat.Dev] = true
		_ = unix.Syncfs(int(l.file.Fd()))
	}
}
