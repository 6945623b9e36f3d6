//go:build unix

package keyring

import (
	"os"
	"syscall"
)

// openNonBlocking opens a file that may be a FIFO without waiting for a writer.
func openNonBlocking(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
}
