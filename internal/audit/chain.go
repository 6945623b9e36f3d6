package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// ErrNoFile says that nobody has said where the log's file lies: there is neither a
// state directory nor a configured path.
var ErrNoFile = errors.New("there is no home for it: set file under [audit] in the configuration")

const (
	headSuffix    = ".head"
	lockWait      = 2 * time.Second
	newDirsLimit  = 3 // as in ~/.local/state/envcrypt: a home that does not exist is not made
	directoryMode = 0o700
	fileMode      = 0o600
)

// chain is the log's file, open and locked for one append.
type chain struct {
	path string   // not a symbolic link
	lock *os.File // the head's file, which is never renamed and so holds the lock
	log  *os.File
	size int64 // of log

	head      head   // what the next line continues
	known     bool   // the head's file has one
	recovered string // how that was found, if it was not as it should be
	torn      bool   // the last line has no end
}

// appendFile completes an entry by time, number and previous line, and appends it. With
// an error the file is as it was, unless the machine stopped or the system does not let it be
// cut: the next append mends that.
func (l *Log) appendFile(e *Entry) error {
	c, err := openChain(l.config.File)
	if err != nil {
		return err
	}
	defer c.close()
	if e.Time.IsZero() {
		e.Time = l.now() // under the lock, so that later lines have later times
	}
	if c.size > 0 && c.size >= l.config.MaxSize {
		if err := c.rotate(e.Time); err != nil {
			return plain(err)
		}
	}
	return c.append(c.line(e))
}

// openChain opens and locks the file, making it and its directory if need be, and finds out
// what it holds.
func openChain(path string) (*chain, error) {
	path, err := resolve(path)
	if err != nil {
		return nil, err
	}
	c := &chain{path: path}
	if err := c.open(); err != nil {
		c.close()
		return nil, plain(err)
	}
	return c, nil
}

func (c *chain) open() (err error) {
	if c.lock, err = lockHead(c.path + headSuffix); err != nil {
		return err
	}
	if c.head, c.known, err = readHead(c.lock); err != nil {
		return err
	}
	if err := c.openLog(); err != nil {
		return err
	}
	if !c.known || !c.fits() {
		return c.recover()
	}
	return nil
}

func (c *chain) openLog() (err error) {
	if c.log, err = openRegular(c.path, os.O_RDWR|os.O_APPEND|os.O_CREATE); err != nil {
		return err
	}
	info, err := c.log.Stat()
	if err == nil {
		c.size = info.Size()
	}
	return err
}

// fits reports whether the head is that of the file. It looks at the file's last byte alone.
func (c *chain) fits() bool {
	var last [1]byte
	if c.size != c.head.size {
		return false
	}
	_, err := c.log.ReadAt(last[:], c.size-1)
	return err == nil && last[0] == '\n'
}

func (c *chain) close() {
	for _, f := range []*os.File{c.log, c.lock} {
		if f != nil {
			f.Close()
		}
	}
}

// line completes an entry and returns what is to be appended for it.
func (c *chain) line(e *Entry) []byte {
	e.Seq, e.Recovered, e.Prev = c.head.seq+1, c.recovered, ""
	if c.head.sum != [sha256.Size]byte{} {
		e.Prev = hex.EncodeToString(c.head.sum[:])
	}
	b := make([]byte, 0, 1024)
	if c.torn {
		b = append(b, '\n')
	}
	return append(e.AppendJSON(b), '\n')
}

// append writes a line and then the head, each with one write.
func (c *chain) append(line []byte) error {
	h := c.head
	h.seq++
	h.size = c.size + int64(len(line))
	h.sum = sha256.Sum256(line[:len(line)-1])
	if c.torn {
		h.sum = sha256.Sum256(line[1 : len(line)-1])
	}
	if c.size == 0 {
		h.first = h.seq
		if c.recovered == recoveredMismatch {
			h.first = 0 // somebody took the lines before: no pruned file explains that
		}
	}
	err := fault("line", c.log, line)
	if err == nil {
		_, err = c.log.Write(line)
	}
	if err == nil {
		err = c.writeHead(h)
	}
	if err != nil {
		c.log.Truncate(c.size)
		return plain(err)
	}
	return nil
}

func (c *chain) writeHead(h head) error {
	if err := fault("head", c.lock, nil); err != nil {
		return err
	}
	if !c.known { // or it has the right length
		if err := c.lock.Truncate(0); err != nil {
			return err
		}
	}
	_, err := c.lock.WriteAt(h.text(), 0)
	return err
}

// rotate moves a full file aside and starts a new one. A file that cannot be moved, as one
// that is append-only, grows on rather than losing a line.
func (c *chain) rotate(now time.Time) error {
	to := rotated{first: c.head.first, last: c.head.seq}.path(c.path, now)
	if _, err := os.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if c.torn { // it gets the newline that the next line would have begun with
		if _, err := c.log.Write([]byte("\n")); err != nil {
			return err
		}
		c.torn = false
	}
	c.log.Close() // or Windows does not rename it
	if os.Rename(c.path, to) == nil {
		if err := fault("rotate", nil, nil); err != nil {
			return err
		}
	}
	return c.openLog()
}

// resolve follows a symbolic link at the end of the log's path, so that head and rotated
// files lie beside the log itself. Nothing is made beside what is no regular file.
func resolve(path string) (string, error) {
	if !filepath.IsAbs(path) {
		return "", ErrNoFile
	}
	info, err := os.Lstat(path)
	if err == nil && info.Mode()&fs.ModeSymlink != 0 {
		if path, err = filepath.EvalSymlinks(path); err != nil {
			return "", plain(err)
		}
		info, err = os.Lstat(path)
	}
	if err == nil && !info.Mode().IsRegular() {
		return "", errNotRegular
	}
	return path, nil // opening it tells what else is wrong
}

var errNotRegular = errors.New("it is not a regular file")

// lockHead opens and locks the head's file. It gives up after two seconds.
func lockHead(path string) (*os.File, error) {
	// Short pauses: who appends in a loop leaves the lock free for microseconds only.
	const pause = 200 * time.Microsecond
	for deadline := time.Now().Add(lockWait); ; {
		f, err := openHead(path)
		if err != nil {
			return nil, err
		}
		locked, err := tryLock(f, true)
		for ; !locked && err == nil; locked, err = tryLock(f, true) {
			if time.Now().After(deadline) {
				err = errLocked
				break
			}
			time.Sleep(pause)
		}
		if err == nil && !removed(f) {
			return f, nil
		}
		f.Close()
		if err != nil {
			return nil, err
		}
	}
}

var errLocked = errors.New("another process has kept it locked for two seconds")

func openHead(path string) (*os.File, error) {
	f, err := openRegular(path, os.O_RDWR|os.O_CREATE)
	if !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	if err := makeDirectory(filepath.Dir(path), newDirsLimit); err != nil {
		return nil, err
	}
	return openRegular(path, os.O_RDWR|os.O_CREATE)
}

// makeDirectory makes a directory and at most limit-1 above it.
func makeDirectory(dir string, limit int) error {
	err := os.Mkdir(dir, directoryMode)
	if errors.Is(err, fs.ErrNotExist) && limit > 1 {
		if err := makeDirectory(filepath.Dir(dir), limit-1); err != nil {
			return err
		}
		err = os.Mkdir(dir, directoryMode)
	}
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// openRegular opens a regular file and nothing else, without following a link. It does not
// wait for whoever holds the other end of a FIFO.
func openRegular(path string, flags int) (*os.File, error) {
	f, err := os.OpenFile(path, flags|openFlags, fileMode)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: path, Err: errNotRegular}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// plain leaves out what the system was asked and of which file, since the error around it
// says so: only where another path is meant, it stays.
func plain(err error) error {
	var pathError *fs.PathError
	if errors.As(err, &pathError) && pathError.Op != "mkdir" {
		return pathError.Err
	}
	return err
}

// testOnlyFault stands for what can happen at a step of an append. It gets the file
// and the text that are to be written.
var testOnlyFault func(step string, f *os.File, text []byte) error

func fault(step string, f *os.File, text []byte) error {
	if testOnlyFault == nil {
		return nil
	}
	return testOnlyFault(step, f, text)
}
