package project

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/windows"
)

const nonblock = 0

// tryLock locks a directory, and returns nil if another holds it. Windows does not lock
// directories, so a file elsewhere stands for it: one is never left in the repository.
func tryLock(dir string) (*os.File, error) {
	sum := sha256.Sum256([]byte(strings.ToLower(dir)))
	name := filepath.Join(os.TempDir(), fmt.Sprintf("envcrypt-%x.lock", sum[:16]))
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY,
		0, 1, 0, new(windows.Overlapped))
	if err == nil {
		return f, nil
	}
	f.Close()
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		err = nil
	}
	return nil, err
}

// readOnly looks at a file's read-only bit. On a directory it does not mean that.
func readOnly(path string, info fs.FileInfo) bool {
	return !info.IsDir() && info.Mode().Perm()&0o200 == 0
}

// syncDirectory does nothing: Windows has no such call, and NTFS journals renames.
func syncDirectory(*os.Root, string) error { return nil }

func keepOwner(*os.File, fs.FileInfo) error { return nil }
