package project

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// FileSizeLimit is the most bytes that an environment file may have.
const FileSizeLimit = 64 << 20

// ReadFile returns the content of a regular file, following symbolic links. It never
// returns nil without an error, so that nil can stand for a file that does not exist.
//
// The error is a *[FileError] for a directory, FIFO, socket or device, which are not
// even opened, a dangling link, a file of more than limit bytes, whose content is not
// read, and whatever the system refuses. If nothing has that name, it is
// [fs.ErrNotExist].
func ReadFile(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, systemError(path, err)
	}
	if err := checkFile(path, info, limit); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDONLY|nonblock, 0)
	return readAll(f, err, path, limit)
}

// readAll reads and closes a file that was just opened, and whose type may have changed
// since it was looked at. It takes the error of opening too.
func readAll(f *os.File, err error, path string, limit int64) ([]byte, error) {
	if err != nil {
		return nil, systemError(path, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, systemError(path, err)
	}
	if err := checkFile(path, info, limit); err != nil {
		return nil, err
	}
	content := bytes.NewBuffer(make([]byte, 0, info.Size()+bytes.MinRead))
	if _, err := content.ReadFrom(io.LimitReader(f, limit+1)); err != nil {
		return nil, systemError(path, err)
	}
	if int64(content.Len()) > limit {
		return nil, tooLarge(path, limit)
	}
	return content.Bytes(), nil
}

// FileError says why a file cannot be used.
type FileError struct {
	Path    string
	Problem string // such as "is a directory"
	Err     error  // the system's error, if that is what it was
}

func (e *FileError) Error() string { return e.Path + " " + e.Problem }

func (e *FileError) Unwrap() error { return e.Err }

// systemError names a file and what the system said of it, once.
func systemError(path string, err error) error {
	var known *FileError
	var changed *ChangedError
	if errors.As(err, &known) || errors.As(err, &changed) {
		return err
	}
	if errors.Is(err, fs.ErrNotExist) {
		if info, lerr := os.Lstat(path); lerr == nil && info.Mode()&fs.ModeSymlink != 0 {
			return &FileError{Path: path, Problem: "is a symbolic link to nothing"}
		}
		return &FileError{Path: path, Problem: "does not exist", Err: fs.ErrNotExist}
	}
	var pathError *fs.PathError
	var linkError *os.LinkError
	switch {
	case errors.As(err, &pathError):
		err = pathError.Err
	case errors.As(err, &linkError):
		err = linkError.Err
	}
	return &FileError{Path: path, Problem: fmt.Sprintf("cannot be used: %v", err), Err: err}
}

func checkFile(path string, info fs.FileInfo, limit int64) error {
	problem := ""
	switch mode := info.Mode(); {
	case mode.IsDir():
		problem = "is a directory"
	case mode&fs.ModeNamedPipe != 0:
		problem = "is a FIFO"
	case mode&fs.ModeSocket != 0:
		problem = "is a socket"
	case mode&fs.ModeDevice != 0:
		problem = "is a device"
	case !mode.IsRegular():
		problem = "is not a regular file"
	case info.Size() > limit:
		return tooLarge(path, limit)
	default:
		return nil
	}
	return &FileError{Path: path, Problem: problem}
}

func tooLarge(path string, limit int64) error {
	return &FileError{Path: path, Problem: fmt.Sprintf("is larger than %d MiB", limit>>20)}
}

// Writable returns nil if the environment's files could be written or created now, so
// that an editor need not be opened in vain. The error is what a write would return.
func (p *Project) Writable(env string) error {
	path, err := p.file(env)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(filepath.Dir(path)); errors.Is(err, fs.ErrNotExist) {
		return checkWritable(p.Root) // where the first write makes the directory
	}
	root, err := realDir(p.Root)
	if err != nil {
		return err
	}
	for _, file := range []string{path, p.HistoryPath(env)} {
		if _, _, err := writeTarget(root, file); err != nil {
			return err
		}
	}
	return nil
}

// writeTarget returns the file that a write to path replaces, which is not path if that
// is a symbolic link, and what is known of it, nil if it is yet to be made. It is refused
// if it lies outside root, where root is not "", if it is not a regular file, and
// if it or its directory is read-only, even to those whom the system would not stop.
func writeTarget(root, path string) (target string, info fs.FileInfo, err error) {
	dir, err := realDir(filepath.Dir(path))
	if err != nil {
		return "", nil, err
	}
	target = filepath.Join(dir, filepath.Base(path))
	info, err = os.Lstat(target)
	if err == nil && info.Mode()&fs.ModeSymlink != 0 {
		if target, err = filepath.EvalSymlinks(target); err != nil {
			return "", nil, systemError(path, err)
		}
		info, err = os.Lstat(target)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", nil, systemError(path, err)
	}
	if root != "" && !inside(root, target) {
		return "", nil, &OutsideError{Path: path, Target: target}
	}
	if info != nil {
		if err := checkFile(path, info, math.MaxInt64); err != nil {
			return "", nil, err
		}
		if err := checkWritable(target); err != nil {
			return "", nil, err
		}
	}
	return target, info, checkWritable(filepath.Dir(target))
}

// realDir returns a directory's absolute path without symbolic links.
func realDir(dir string) (string, error) {
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "", systemError(dir, err)
	}
	return filepath.Abs(real)
}

func inside(root, target string) bool {
	rel, err := filepath.Rel(root, target)
	return err == nil && filepath.IsLocal(rel) && !slices.Contains(strings.Split(filepath.ToSlash(rel), "/"), ".git")
}

func checkWritable(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return systemError(path, err)
	}
	if readOnly(path, info) {
		return &FileError{Path: path, Problem: "is read-only", Err: fs.ErrPermission}
	}
	return nil
}

// OutsideError says that a path in a project leads out of it, through a symbolic link.
// A repository must not decide what is written elsewhere.
type OutsideError struct {
	Path   string
	Target string // where it leads
}

func (e *OutsideError) Error() string {
	return fmt.Sprintf("%s leads out of the project, to %s", e.Path, e.Target)
}
