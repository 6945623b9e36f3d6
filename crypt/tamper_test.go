package crypt

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// The seal covers every byte of a file: whichever changes, nothing comes out.
func TestEveryByteCounts(t *testing.T) {
	p := newPerson(t)
	good := sample(t, "staging", p)
	mustOpen(t, good, staging, p)
	for _, mask := range []byte{0x01, 0x04, 0x20, 0x80, 0xff} {
		t.Run(fmt.Sprintf("%02x", mask), func(t *testing.T) {
			t.Parallel()
			data := slices.Clone(good)
			for i := range data {
				data[i] ^= mask
				if d, err := Open(data, staging, ids(p)); d != nil || err == nil {
					t.Errorf("byte %d changed from %q to %q: accepted", i, good[i], data[i])
				}
				data[i] ^= mask
			}
		})
	}
}

// Without an environment to match, a file whose first line is no seal any more
// opens as one that has none. Everything behind that line still counts.
func TestEveryByteCountsWithoutEnvironment(t *testing.T) {
	p := newPerson(t)
	data := sample(t, "staging", p)
	want := nonEmpty(mustOpen(t, data, Options{}, p))
	head := len(firstLine(data))
	for i := range data {
		data[i] ^= 0x01
		d, err := Open(data, Options{}, ids(p))
		switch {
		case err != nil && d == nil:
		case i >= head || d == nil || d.state != SealMissing || !slices.Equal(pairs(d), want):
			t.Errorf("byte %d changed: %v", i, err)
		}
		data[i] ^= 0x01
	}
}

func TestEveryByteDeletedOrDoubled(t *testing.T) {
	p := newPerson(t)
	good := sample(t, "staging", p)
	for i := range good {
		for _, data := range [][]byte{
			slices.Delete(slices.Clone(good), i, i+1),
			slices.Insert(slices.Clone(good), i, good[i]),
			slices.Insert(slices.Clone(good), i, '\n'),
		} {
			if d, err := Open(data, staging, ids(p)); d != nil || err == nil {
				t.Errorf("byte %d: accepted", i)
			}
		}
	}
}

func TestTruncated(t *testing.T) {
	p := newPerson(t)
	good := sample(t, "staging", p)
	for n := range good {
		for _, o := range []Options{staging, {}} {
			if d, err := Open(good[:n], o, ids(p)); d != nil || err == nil {
				t.Errorf("cut at byte %d of %d: accepted", n, len(good))
			}
		}
	}
}

// A file that was never sealed is less well protected, but what comes out of it
// is still what was put in.
func TestTruncatedUnsealed(t *testing.T) {
	p := newPerson(t)
	data := sample(t, "staging", p)
	data = data[len(firstLine(data)):]
	want := fmt.Sprint(pairs(mustOpen(t, data, Options{}, p)))
	for n := range data {
		if d, err := Open(data[:n], Options{}, ids(p)); err == nil && fmt.Sprint(pairs(d)) != want {
			t.Errorf("cut at byte %d of %d: got %s", n, len(data), pairs(d))
		}
	}
}

// Lines in any other order or number are refused.
func TestEveryLineCounts(t *testing.T) {
	p := newPerson(t)
	good := lines(sample(t, "staging", p))
	for i := range good {
		for j := range good {
			moved := slices.Clone(good)
			l := moved[i]
			moved = slices.Insert(slices.Delete(moved, i, i+1), j, l)
			data := []byte(strings.Join(moved, ""))
			if d, err := Open(data, staging, ids(p)); (err == nil) != (i == j) || (d != nil) != (i == j) {
				t.Errorf("line %d moved to %d: %v", i+1, j+1, err)
			}
		}
	}
}
