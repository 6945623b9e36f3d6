package audit

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"slices"
	"time"
)

// Record is an entry and where it stands.
type Record struct {
	Entry
	File string
	Line int // from 1
}

// LineError says that a line of the log is no entry. It does not quote it.
type LineError struct {
	File    string
	Line    int
	Problem string
}

func (e *LineError) Error() string { return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Problem) }

const (
	problemUnreadable = "not an entry of the log"
	problemTorn       = "the line has no end"
)

// Read yields the entries that a filter selects, the oldest first, from the rotated
// files and then from the log. A line that cannot be read yields a *[LineError] and a
// file that cannot be opened its error, each with no entry; the rest follows. A log that does
// not exist yields nothing. It holds no more than a line in memory.
func Read(path string, f Filter) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		r := reader{filter: f, yield: yield}
		if r.start(path) {
			r.finish()
		}
		r.close()
	}
}

// Follow yields what [Read] does and then what is appended, looking for it in intervals,
// until the context ends. While it runs, Windows cannot rotate the log.
func Follow(ctx context.Context, path string, f Filter, interval time.Duration) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		r := reader{filter: f, yield: yield}
		defer r.close()
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for more := r.start(path); more; more = r.next() {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
		}
	}
}

// reader goes through the files of a log, keeping its place in the last one.
type reader struct {
	filter Filter
	yield  func(Record, error) bool

	path   string
	log    *os.File // the last one; nil if there was none yet
	name   string   // under which it was opened
	offset int64    // of its first line that was not read
	line   int      // that line's number, less one
}

func (r *reader) close() {
	if r.log != nil {
		r.log.Close()
	}
}

// start reads all that there is. Like the rest, it returns false when nobody wants more.
func (r *reader) start(path string) bool {
	var err error
	if r.path, err = resolve(path); err != nil {
		return r.yield(Record{}, err)
	}
	return r.advance()
}

// advance reads the files after the last one, or all if there was none.
func (r *reader) advance() bool {
	// The log is opened first: if it is rotated now, it is also among the rotated files,
	// and known to be.
	live, err := openRegular(r.path, os.O_RDONLY)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !r.yield(Record{}, err) {
		return false
	}
	more := r.advanceRotated(live)
	if !more || live == nil {
		if live != nil {
			live.Close()
		}
		return more
	}
	r.open(live, r.path)
	return r.drain()
}

// advanceRotated reads the rotated files after the last one, up to one that is open already.
func (r *reader) advanceRotated(until *os.File) bool {
	files, err := rotatedFiles(r.path)
	if err != nil {
		return r.yield(Record{}, err)
	}
	// A last one that is not among them was the log, and somebody else moved it away.
	first := 0
	if r.log != nil {
		first = len(files)
		if i := slices.IndexFunc(files, func(file rotated) bool { return is(r.log, file.name) }); i >= 0 {
			first = i + 1
		}
	}
	for _, file := range files[first:] {
		f, err := openRegular(file.name, os.O_RDONLY)
		if err != nil {
			if !r.yield(Record{}, err) {
				return false
			}
			continue
		}
		if until != nil && is(until, file.name) {
			f.Close()
			return true
		}
		r.open(f, file.name)
		if !r.drain() || !r.finish() {
			return false
		}
	}
	return true
}

func (r *reader) open(f *os.File, name string) {
	r.close()
	r.log, r.name, r.offset, r.line = f, name, 0, 0
}

// next reads what was appended since, in other files too if the log was rotated.
func (r *reader) next() bool {
	now, err := os.Stat(r.path)
	if err != nil {
		return true // between a rotation and the next line
	}
	if r.log == nil {
		return r.advance()
	}
	was, err := r.log.Stat()
	if err != nil {
		return r.yield(Record{}, err)
	}
	if was.Size() < r.offset {
		r.offset, r.line = 0, 0 // somebody emptied it
	}
	if !r.drain() {
		return false
	}
	return os.SameFile(now, was) || r.finish() && r.advance()
}

// drain reads every whole line that there is.
func (r *reader) drain() bool {
	if r.log == nil {
		return true
	}
	more := true
	err := scan(io.NewSectionReader(r.log, r.offset, 1<<62), false, func(l line) bool {
		if !l.whole {
			return false
		}
		r.offset += l.size
		r.line++
		more = r.give(l)
		return more
	})
	if err != nil && more {
		return r.yield(Record{}, err)
	}
	return more
}

func (r *reader) give(l line) bool {
	e, ok := parseEntry(l.text)
	if !ok {
		return r.yield(Record{}, &LineError{File: r.name, Line: r.line, Problem: problemUnreadable})
	}
	if !r.filter.Match(&e) {
		return true
	}
	return r.yield(Record{Entry: e, File: r.name, Line: r.line}, nil)
}

// finish complains about a last line that has no end, once nothing more will come.
func (r *reader) finish() bool {
	if r.log == nil {
		return true
	}
	info, err := r.log.Stat()
	if err != nil || info.Size() <= r.offset {
		return true
	}
	return r.yield(Record{}, &LineError{File: r.name, Line: r.line + 1, Problem: problemTorn})
}

// is reports whether an open file is the one of that name.
func is(f *os.File, name string) bool {
	opened, err := f.Stat()
	named, nerr := os.Lstat(name)
	return err == nil && nerr == nil && os.SameFile(opened, named)
}

// line is one of a log, entry or not.
type line struct {
	text  []byte // without the newline, until the next line is read; nil if it is too long
	size  int64  // with the newline
	sum   [sha256.Size]byte
	whole bool // it has a newline
}

// scan reads lines of any length, and remembers those that can be entries. The sums cost
// time and are made on demand.
func scan(r io.Reader, sums bool, yield func(line) bool) error {
	b := bufio.NewReaderSize(r, entryLimit+2)
	for {
		text, err := b.ReadSlice('\n')
		l := line{text: text, size: int64(len(text))}
		if err == bufio.ErrBufferFull {
			l, err = scanLong(b, text)
		} else if text, l.whole = bytes.CutSuffix(text, []byte("\n")); sums {
			l.text, l.sum = text, sha256.Sum256(text)
		} else {
			l.text = text
		}
		if err != nil && err != io.EOF {
			return err
		}
		if l.size > 0 && !yield(l) || err == io.EOF {
			return nil
		}
	}
}

// scanLong reads the rest of a line that is too long to be an entry.
func scanLong(b *bufio.Reader, text []byte) (l line, err error) {
	hash := sha256.New()
	for err = bufio.ErrBufferFull; ; text, err = b.ReadSlice('\n') {
		l.size += int64(len(text))
		text, l.whole = bytes.CutSuffix(text, []byte("\n"))
		hash.Write(text)
		if err != bufio.ErrBufferFull {
			break
		}
	}
	hash.Sum(l.sum[:0])
	return l, err
}
