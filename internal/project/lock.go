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

	policyStaged bool // so what is left of one was removed, and there is a new one
}

// Lock locks the project, making its directory of environment files if there is none.
// It waits for another writer up to ten seconds and then returns a *[LockedError].
// The same process must not take it twice: one Lock serves many concurrent writes.
//
// If the policy is not the one that was read any more, the error is a *[ChangedError]: what
// is written is for the readers of now.
func (p *Project) Lock() (*Lock, error) {
	l, err := p.lock(lockWait)
	if err != nil || p.text == nil {
		return l, err
	}
	file := filepath.Join(p.Root, PolicyName)
	if now, err := ReadFile(file, policySizeLimit); err != nil || !bytes.Equal(now, p.text) {
		l.Close()
		return nil, &ChangedError{Path: file}
	}
	return l, nil
}

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

// Files is what lies on disk of one environment; nil stands for a file that is not there.
type Files struct {
	Data    []byte // the encrypted file
	History []byte // the record of its writes
}

// Update replaces an environment's files by what edit makes of them, under the lock from
// reading to writing: of any number of updates, none is lost. What edit returns as nil, or
// as it got it, is left as it is. Its error is returned as it is.
//
// Both files are written beside the old ones before either of them changes; then the
// history is replaced first. Where a crash comes between the two, the history's last
// record describes a file that is not there, and whoever writes next can see that.
//
// Errors are those of [Project.Lock], [ReadFile], [Lock.Write] and [Lock.Close]; changed
// is true with the last of them.
func (p *Project) Update(env string, edit func(old Files) (Files, error)) (changed bool, err error) {
	if _, err := p.file(env); err != nil {
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
	old, err := p.ReadFiles(env)
	if err != nil {
		return false, err
	}
	new, err := edit(old)
	if err != nil {
		return false, err
	}
	staged, err := l.StageFiles(p, env, old, new, false)
	if err != nil {
		return false, err
	}
	if err := Commit(staged); err != nil {
		return false, err
	}
	return len(staged) > 0, nil
}

// historySizeLimit is some 50 000 records.
const historySizeLimit = 16 << 20

// ReadFiles reads an environment's files.
func (p *Project) ReadFiles(env string) (f Files, err error) {
	for _, file := range []struct {
		path  string
		limit int64
		to    *[]byte
	}{{p.Path(env), FileSizeLimit, &f.Data}, {p.HistoryPath(env), historySizeLimit, &f.History}} {
		if *file.to, err = ReadFile(file.path, file.limit); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return Files{}, err
		}
	}
	return f, nil
}

// StageFiles stages what differs of an environment's files, in the order in which they are
// to be committed. With many, the fsync of each can wait for its commit.
func (l *Lock) StageFiles(p *Project, env string, old, new Files, many bool) (staged []*Staged, err error) {
	stage := func(path string, old, new []byte) {
		if err != nil || new == nil || old != nil && bytes.Equal(old, new) {
			return
		}
		var s *Staged
		if s, err = l.stageWrite(path, old, new, many); err == nil {
			staged = append(staged, s)
		}
	}
	stage(p.HistoryPath(env), old.History, new.History)
	stage(p.Path(env), old.Data, new.Data)
	if err != nil {
		discard(staged)
		return nil, err
	}
	return staged, nil
}

// Commit commits in order, and with the first error discards the rest.
func Commit(staged []*Staged) error {
	for i, s := range staged {
		if err := s.Commit(); err != nil {
			discard(staged[i+1:])
			return err
		}
	}
	return nil
}

func discard(staged []*Staged) {
	for _, s := range staged {
		s.Discard()
	}
}

// Replace is [Project.Update] where old was read long ago, as around an editor: if the file
// is not that any more, edit is not called and the error is a [*ChangedError]. With a nil
// old it creates, and never overwrites.
func (p *Project) Replace(env string, old []byte, edit func(now Files) (Files, error)) error {
	_, err := p.Update(env, func(now Files) (Files, error) {
		if (now.Data == nil) != (old == nil) || !bytes.Equal(now.Data, old) {
			return Files{}, changed(p.Path(env), old != nil, now.Data != nil)
		}
		return edit(now)
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
