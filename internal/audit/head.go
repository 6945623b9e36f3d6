package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strconv"
)

// head is what the file beside the log says of it: which line is the last. Lines have
// numbers over all files.
type head struct {
	seq   uint64            // of the last line
	first uint64            // of the first line in the file; 0 if that is not known
	size  int64             // of the file, with that line's newline
	sum   [sha256.Size]byte // of the last line
}

const (
	headLayout = "envcrypt-audit-head v1 seq=%020d first=%020d size=%020d sha256=%s\n"
	headSize   = len("envcrypt-audit-head v1 seq= first= size= sha256=\n") + 3*20 + 2*sha256.Size
)

// text has the same length for every head, so that one write replaces another.
func (h head) text() []byte {
	return fmt.Appendf(make([]byte, 0, headSize), headLayout, h.seq, h.first, h.size, hex.EncodeToString(h.sum[:]))
}

// readHead reads the head from its file; known is false if there is none in it.
func readHead(f *os.File) (h head, known bool, err error) {
	var b [headSize + 1]byte
	n, err := f.ReadAt(b[:], 0)
	if err != nil && err != io.EOF {
		return head{}, false, err
	}
	h, known = parseHead(string(b[:n]))
	return h, known, nil
}

func parseHead(s string) (h head, ok bool) {
	if len(s) != headSize {
		return head{}, false
	}
	const digits = 20
	at := 0
	after := func(text string, size int) string {
		at += len(text) + size
		return s[at-size : at]
	}
	seq := after("envcrypt-audit-head v1 seq=", digits)
	first := after(" first=", digits)
	size := after(" size=", digits)
	sum := after(" sha256=", 2*sha256.Size)
	h.seq, _ = strconv.ParseUint(seq, 10, 64)
	h.first, _ = strconv.ParseUint(first, 10, 64)
	h.size, _ = strconv.ParseInt(size, 10, 64)
	hex.Decode(h.sum[:], []byte(sum))
	// What is not as it is written, in the text around the numbers too, does not come back.
	return h, 0 < h.seq && h.seq <= seqLimit && h.size > 0 && string(h.text()) == s
}
