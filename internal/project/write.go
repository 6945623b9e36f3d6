package project

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// WriteFile makes data the content of a file anywhere, as the user asked for by name, and
// mode its mode (less the umask, if it is new). It is as safe as [Lock.Write] but compares
// with nothing. It locks the file's directory meanwhile, so a caller must not hold the Lock
// of a project that has it; for a project's policy and environments use that Lock.
func WriteFile(path string, data []byte, mode fs.FileMode) (err error) {
	if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		// Whoever made the link, a repository or another user, would choose what is replaced.
		return &FileError{Path: path, Problem: "is a symbolic link: name the file that it leads to"}
	}
	target, _, err := writeTarget("", path)
	if err != nil {
		return err
	}
	dir := filepath.Dir(target)
	l, err := lockDirectory(dir, dir, lockWait)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := l.Close(); err == nil {
			err = cerr
		}
	}()
	return l.replace(target, write{path: path, data: data, mode: mode})
}

// write is one replacement of a file.
type write struct {
	path      string  // as the caller named it
	old       *digest // of what must still be there; nil for no file
	data      []byte
	mode      fs.FileMode
	like      fs.FileInfo // whose owner is kept; nil if the file is new
	compare   bool        // with old
	exclusive bool        // the file must not exist
	late      bool        // fsync when it is committed, not when it is staged
}

// digest stands for a file's content, so that many writes can be under way
// without keeping what they replace.
type digest [sha256.Size]byte

func digestOf(content []byte) *digest {
	if content == nil {
		return nil
	}
	d := digest(sha256.Sum256(content))
	return &d
}

const tempMark = ".envcrypt-"

// tempPrefix begins the name of every temporary file for a file of name base. It is cut so
// that the whole does not exceed what a file system takes.
func tempPrefix(base string) string {
	const limit = 128
	return "." + strings.ToValidUTF8(base[:min(len(base), limit)], "") + tempMark
}

// replace writes a file beside the target and gives it the target's name. The target has
// no symbolic links and lies in l's root.
func (l *Lock) replace(target string, w write) error {
	s, err := l.stage(target, w)
	if err != nil {
		return err
	}
	return s.Commit()
}

// Staged is the new content of a file, written beside it. One of Commit and Discard must
// be called, before the Lock is closed. Nothing of the content stays in memory.
type Staged struct {
	lock            *Lock
	dir, name, temp string // relative to the lock's root
	old             string // a second name of what is replaced, if one is kept
	w               write
}

func (l *Lock) stage(target string, w write) (*Staged, error) {
	name, err := filepath.Rel(l.real, target)
	if err != nil {
		return nil, err
	}
	dir, base := filepath.Split(name)
	dir = filepath.Clean(dir)
	if err := l.sweep(dir, base); err != nil {
		return nil, systemError(w.path, err)
	}
	s := &Staged{lock: l, dir: dir, name: name, temp: filepath.Join(dir, tempPrefix(base)+rand.Text()), w: w}
	if err := l.writeTemp(s.temp, w); err != nil {
		return nil, systemError(w.path, err)
	}
	s.w.data = nil
	return s, nil
}

// Commit gives the staged content its file's name. The errors are those of [Lock.Write].
func (s *Staged) Commit() error {
	err := s.sync()
	if err == nil {
		err = s.lock.moveTemp(s.temp, s.name, s.w)
	}
	if err != nil {
		s.Discard()
		return systemError(s.w.path, err)
	}
	s.lock.mu.Lock()
	defer s.lock.mu.Unlock()
	s.lock.dirs[s.dir] = true
	return nil
}

// Discard removes the staged content and leaves the file as it is.
func (s *Staged) Discard() { s.lock.root.Remove(s.temp) }

// sync makes durable what was staged late. For many files that is much cheaper once all
// are written: the file system's journal takes them together.
func (s *Staged) sync() error {
	if !s.w.late {
		return nil
	}
	if err := fault("fsync"); err != nil {
		return err
	}
	f, err := s.lock.root.OpenFile(s.temp, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// writeTemp creates temp with w's content. It leaves no file with an error.
func (l *Lock) writeTemp(temp string, w write) error {
	if err := fault("create"); err != nil {
		return err
	}
	f, err := l.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, w.mode)
	if err != nil {
		return err
	}
	err = fill(f, w)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		l.root.Remove(temp)
	}
	return err
}

func fill(f *os.File, w write) error {
	if w.like != nil {
		if err := keepOwner(f, w.like); err != nil {
			return err
		}
		if err := f.Chmod(w.mode); err != nil { // the umask does not apply to what was there
			return err
		}
	}
	if err := fault("write"); err != nil {
		return err
	}
	if _, err := f.Write(w.data); err != nil {
		return err
	}
	if w.late {
		return nil
	}
	if err := fault("fsync"); err != nil {
		return err
	}
	return f.Sync()
}

func (l *Lock) moveTemp(temp, name string, w write) error {
	if err := fault("compare"); err != nil {
		return err
	}
	if w.compare {
		if err := l.compare(name, w); err != nil {
			return err
		}
	}
	if err := fault("rename"); err != nil {
		return err
	}
	if w.exclusive {
		// Unlike a rename, a link never replaces anything. Some file systems have none.
		err := l.root.Link(temp, name)
		if err == nil {
			l.root.Remove(temp) // or the next sweep
			return nil
		}
		if errors.Is(err, fs.ErrExist) {
			return &ChangedError{Path: w.path, Err: fs.ErrExist}
		}
	}
	return l.root.Rename(temp, name)
}

// compare returns a *ChangedError unless the file is still w.old.
func (l *Lock) compare(name string, w write) error {
	var now []byte
	info, err := l.root.Lstat(name)
	if err == nil {
		if err := checkFile(w.path, info, FileSizeLimit); err != nil {
			return err
		}
		f, err := l.root.OpenFile(name, os.O_RDONLY|nonblock, 0)
		if now, err = readAll(f, err, w.path, FileSizeLimit); err != nil {
			return err
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if have := digestOf(now); (have == nil) != (w.old == nil) || have != nil && *have != *w.old {
		return changed(w.path, w.old != nil, now != nil)
	}
	return nil
}

// sweep removes what killed writers left behind. In the lock's own directory no other
// writer can be alive, so whatever has a temporary name goes, once per Lock and before its
// first, and so does what was to become the policy; elsewhere only what is left of the very
// file that is about to be written.
func (l *Lock) sweep(dir, base string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case dir != l.own:
		return l.removeTemps(dir, tempPrefix(base))
	case l.swept:
		return nil
	}
	l.swept = true
	if !l.policyStaged {
		if err := l.removeTemps(".", tempPrefix(PolicyName)); err != nil {
			return err
		}
	}
	return l.removeTemps(dir, ".")
}

// removeTemps removes the temporary files of a directory that begin in a way.
func (l *Lock) removeTemps(dir, prefix string) error {
	f, err := l.root.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, name := range names {
		mark := strings.LastIndex(name, tempMark)
		if mark >= 0 && len(name) == mark+len(tempMark)+len(rand.Text()) && strings.HasPrefix(name, prefix) {
			l.root.Remove(filepath.Join(dir, name)) // best effort: it harms nobody
		}
	}
	return nil
}

// testOnlyFault makes a step of a write fail: create, write, fsync, compare, rename,
// fsyncdir.
var testOnlyFault func(step string) error

func fault(step string) error {
	if testOnlyFault == nil {
		return nil
	}
	return testOnlyFault(step)
}
