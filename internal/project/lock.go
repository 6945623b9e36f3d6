package project

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const lockWait = 10 * time.Second

// Lock is the right to write in a project. Every writer of its files takes it, across
// processes; it ends with the process at the latest.
type Lock struct {
	root *os.Root // confines every write, whatever links are swapped meanwhile
	real string   // the root's path, without symbolic links
	own  string   // where none but its holders write, relative to the root; "" for nowhere
	file *os.File // what holds the lock

	mu    sync.Mutex
	dirs  map[string]bool // directories to fsync
	swept bool
}

// Lock locks the project, making its directory of environment files if there is none.
// It waits for another writer up to ten seconds and then returns a *[LockedError].
// The same process must not take it twice: one Lock serves many concurrent writes.
func (p *Project) Lock() (*Lock, error) { return p.lock(lockWait) }

func (p *Project) lock(wait time.Duration) (*Lock, error) {
	root, err := realDir(p.Root)
	if err != nil {
		return nil, err
	}
	secrets := filepath.Join(root, secretsDir)
	made := false
	if _, err := os.Lstat(secrets); errors.Is(err, fs.ErrNotExist) {
		if err := os.Mkdir(secrets, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, systemError(secrets, err)
		}
		made = true
	}
	dir, err := realDir(secrets)
	if err != nil {
		return nil, err
	}
	if !inside(root, dir) {
		return nil, &OutsideError{Path: secrets, Target: dir}
	}
	l, err := lockDirectory(root, dir, wait)
	if err != nil {
		return nil, err
	}
	l.dirs["."] = made
	l.own, err = filepath.Rel(root, dir)
	return l, err
}

// lockDirectory locks dir for writes anywhere in root. Both are free of symbolic links.
func lockDirectory(root, dir string, wait time.Duration) (*Lock, error) {
	const poll = 3 * time.Millisecond
	deadline := time.Now().Add(wait)
	file, err := tryLock(dir)
	for ; file == nil && err == nil; file, err = tryLock(dir) {
		if time.Now().After(deadline) {
			return nil, &LockedError{Dir: dir}
		}
		time.Sleep(poll)
	}
	if err != nil {
		return nil, systemError(dir, err)
	}
	opened, err := os.OpenRoot(root)
	if err != nil {
		file.Close()
		return nil, systemError(root, err)
	}
	return &Lock{root: opened, real: root, file: file, dirs: make(map[string]bool)}, nil
}

// LockedError says that another process kept a directory locked for too long.
type LockedError struct {
	Dir string
}

func (e *LockedError) Error() string {
	return fmt.Sprintf("another process is writing in %s", e.Dir)
}

// Write replaces the content of a file of the project: an environment's or the policy. old
// is the content that new was made from, nil if there was no file; what is there now must
// still be that, or the error is a *[ChangedError]. Different files may be written
// concurrently. New files get mode 0644 less the umask, since ciphertext belongs in git;
// others keep mode and, for root, owner.
//
// On disk is the old file or the new one, whole, at any moment. With every error it is
// the old one. A symbolic link is written through if that stays in the project,
// else the error is an *[OutsideError]; a *[FileError] refuses anything but a regular file.
//
// A Write is safe from a power cut after Close only.
func (l *Lock) Write(path string, old, new []byte) error {
	s, err := l.stageWrite(path, old, new, false)
	if err != nil {
		return err
	}
	return s.Commit()
}

// Stage is the first half of [Lock.Write], for many files: stage all, then commit each. It
// keeps nothing of their content in memory.
func (l *Lock) Stage(path string, old, new []byte) (*Staged, error) {
	return l.stageWrite(path, old, new, true)
}

func (l *Lock) stageWrite(path string, old, new []byte, late bool) (*Staged, error) {
	if len(new) > FileSizeLimit {
		return nil, tooLarge(path, FileSizeLimit)
	}
	target, info, err := writeTarget(l.real, path)
	if err != nil {
		return nil, err
	}
	if info == nil && old != nil {
		return nil, &ChangedError{Path: path, Err: fs.ErrNotExist}
	}
	w := write{path: path, old: digestOf(old), data: new, mode: 0o644, exclusive: old == nil, compare: true, late: late}
	if info != nil {
		w.mode, w.like = info.Mode().Perm(), info
	}
	return l.stage(target, w)
}

// ChangedError says that a file is not what the caller had read.
type ChangedError struct {
	Path string
	Err  error // fs.ErrExist if it was created, fs.ErrNotExist if it was removed, else nil
}

func (e *ChangedError) Error() string {
	switch e.Err {
	case fs.ErrExist:
		return e.Path + " exists already"
	case fs.ErrNotExist:
		return e.Path + " was removed meanwhile"
	}
	return e.Path + " was changed by somebody else"
}

func (e *ChangedError) Unwrap() error { return e.Err }

// Close makes what was written durable and unlocks. With its error, every write is in
// place and whole, and a power cut may still undo it.
func (l *Lock) Close() error {
	err := l.sync()
	l.root.Close()
	l.file.Close()
	return err
}

func (l *Lock) sync() error {
	for dir, written := range l.dirs {
		if !written {
			continue
		}
		err := fault("fsyncdir")
		if err == nil {
			err = syncDirectory(l.root, dir)
		}
		if err != nil {
			return systemError(filepath.Join(l.real, dir), err)
		}
	}
	return nil
}

// Update replaces an environment's file by what edit makes of it, under the lock from
// reading to writing: of any number of updates, none is lost. edit gets nil if there is
// no file, and returns nil to leave things as they are; if it returns what it got,
// nothing is written either. Its error is returned as it is.
//
// Errors are those of [Project.Lock], [ReadFile], [Lock.Write] and [Lock.Close]; changed
// is true with the last of them.
func (p *Project) Update(env string, edit func(old []byte) ([]byte, error)) (changed bool, err error) {
	path, err := p.file(env)
	if err != nil {
		return false, err
	}
	l, err := p.Lock()
	if err != nil {
		return false, err
	}
	defer func() {
		if cerr := l.Close(); err == nil {
			err = cerr
		}
	}()
	old, err := ReadFile(path, FileSizeLimit)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	new, err := edit(old)
	if err != nil || new == nil || old != nil && bytes.Equal(old, new) {
		return false, err
	}
	if err := l.Write(path, old, new); err != nil {
		return false, err
	}
	return true, nil
}

// Replace is [Lock.Write] for one environment, with a lock of its own. Use it where old
// was read long ago, as around an editor; with a nil old it creates, and never overwrites.
func (p *Project) Replace(env string, old, new []byte) error {
	_, err := p.Update(env, func(now []byte) ([]byte, error) {
		if (now == nil) != (old == nil) || !bytes.Equal(now, old) {
			return nil, changed(p.Path(env), old != nil, now != nil)
		}
		return new, nil
	})
	return err
}

func changed(path string, was, is bool) error {
	switch {
	case !was:
		return &ChangedError{Path: path, Err: fs.ErrExist}
	case !is:
		return &ChangedError{Path: path, Err: fs.ErrNotExist}
	}
	return &ChangedError{Path: path}
}
