package scratch

import (
	"io/fs"
	"os"
	"path/filepath"
)

const lockName = "lock"

// acquire holds a file open in the directory. While any process does, Windows
// lets nobody rename the directory, which is how a sweep finds out.
func acquire(path string) (*os.File, error) {
	aside := path + ".swept"
	if err := os.Rename(path, aside); err != nil {
		return nil, err
	}
	if err := os.Rename(aside, path); err != nil {
		return nil, err
	}
	return os.Create(filepath.Join(path, lockName))
}

func release(f *os.File) { f.Close() }

// private relies on the user's own temporary directory being closed to others.
func private(fs.FileInfo) bool { return true }
