package audit

import (
	"bytes"
	"crypto/sha256"
	"io"
	"os"
)

// What Entry.Recovered says. The first three are what a crash leaves behind.
const (
	recoveredTorn     = "torn"     // the line before has no end: a write was cut short
	recoveredBehind   = "behind"   // the head did not know of the line before
	recoveredRotation = "rotation" // the head did not know of this file, new after a rotation
	recoveredHead     = "head"     // there was no head, or none that could be read
	recoveredMismatch = "mismatch" // the file was not what the head described: cut or changed
)

// recover finds out what the next line continues, where the head does not fit the file. It
// never takes long and never refuses a file.
//
// Where a crash explains what is there, the chain goes on from the last line. Where
// none does, it goes on from what the head said, so that the break stays visible for good
// and is not covered up by the next append.
func (c *chain) recover() error {
	end, err := readLast(c.log, c.size)
	if err != nil {
		return err
	}
	c.torn = end.torn
	if !c.known {
		return c.recoverHead(end)
	}
	if c.size == 0 && c.wasRotated() {
		c.recovered = recoveredRotation
		return nil
	}
	if c.size <= c.head.size || !c.headIsIn() {
		c.recovered = recoveredMismatch
		c.head.seq = max(c.head.seq, end.seq)
		return nil
	}
	c.recovered = recoveredBehind
	if end.torn {
		c.recovered = recoveredTorn
	}
	c.head.seq, c.head.sum = max(c.head.seq, end.seq), end.sum
	return nil
}

// recoverHead makes a head from the last line of this file or of the one before.
func (c *chain) recoverHead(end last) error {
	if c.size > 0 {
		c.recovered = recoveredHead
		c.head = head{seq: end.seq, sum: end.sum, first: c.firstSeq()}
		return nil
	}
	before, end, ok := newestRotated(c.path)
	if ok {
		c.recovered = recoveredHead
		c.head = head{seq: max(before.last, end.seq), sum: end.sum}
	}
	return nil
}

// wasRotated reports whether the newest rotated file ends with the head's line.
func (c *chain) wasRotated() bool {
	_, end, ok := newestRotated(c.path)
	return ok && end.sum == c.head.sum
}

// headIsIn reports whether the head's line ends where the head says.
func (c *chain) headIsIn() bool {
	end, err := readLast(c.log, c.head.size)
	return err == nil && !end.torn && end.sum == c.head.sum
}

// firstSeq returns the number of the file's first line, 0 if that is no entry.
func (c *chain) firstSeq() uint64 {
	b := make([]byte, min(c.size, entryLimit+1))
	if _, err := c.log.ReadAt(b, 0); err != nil && err != io.EOF {
		return 0
	}
	line, _, _ := bytes.Cut(b, []byte("\n"))
	e, _ := parseEntry(line)
	return e.Seq
}

func newestRotated(path string) (r rotated, end last, ok bool) {
	files, err := rotatedFiles(path)
	if err != nil || len(files) == 0 {
		return rotated{}, last{}, false
	}
	r = files[len(files)-1]
	f, err := openRegular(r.name, os.O_RDONLY)
	if err != nil {
		return rotated{}, last{}, false
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil {
		end, err = readLast(f, info.Size())
	}
	return r, end, err == nil
}

// last is the end of a log as far as it was read.
type last struct {
	sum  [sha256.Size]byte // of the last line; zero if there is none or it is too long
	seq  uint64            // of the last entry; 0 if there is none near the end
	torn bool              // the last line has no end
}

// readLast reads the end of the first size bytes of a log, and no more of it than two of
// the longest lines.
func readLast(log io.ReaderAt, size int64) (last, error) {
	b := make([]byte, min(size, 2*entryLimit))
	if _, err := log.ReadAt(b, size-int64(len(b))); err != nil && err != io.EOF {
		return last{}, err
	}
	var end last
	if size == 0 {
		return end, nil
	}
	text, whole := bytes.CutSuffix(b, []byte("\n"))
	end.torn = !whole
	if i := bytes.LastIndexByte(text, '\n'); i >= 0 || int64(len(b)) == size {
		end.sum = sha256.Sum256(text[i+1:])
	}
	for len(text) > 0 && end.seq == 0 {
		i := bytes.LastIndexByte(text, '\n')
		e, _ := parseEntry(text[i+1:])
		end.seq = e.Seq
		text = text[:max(i, 0)]
	}
	return end, nil
}
