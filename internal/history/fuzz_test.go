package history

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
)

// FuzzParse: whatever a history is, reading it does not panic, and unless it has conflict
// markers it can be written on: the new line is there, is the last and is the chain's end,
// no other line is lost, and a whole chain stays whole. (With -fuzzminimizetime 20x it gets on.)
func FuzzParse(f *testing.F) {
	t := &testing.T{}
	for _, e := range []*environment{linear(t), unjoined(t), joined(t)} {
		f.Add(e.data, e.file)
		f.Add(bytes.ReplaceAll(e.data, []byte("alice"), nil), "")
		f.Add(append(e.data, e.data[:1000]...), "")
	}
	f.Add([]byte("<<<<<<< HEAD\n"), "")
	f.Add([]byte("{}\n\r\n\x00null"), Sum(nil))
	f.Fuzz(func(t *testing.T, data []byte, file string) {
		if file != "" {
			file = Sum([]byte(file))
		}
		known := func(file string) bool { return file < "8" }
		l := Parse(data)
		problems := l.Verify(file, known)
		LastChange(l.Newest())
		if len(l.Newest()) != len(l.Records()) {
			t.Fatal("records lost by sorting")
		}
		r := record("new", 1)
		written, err := l.Append(r, file, known)
		if _, ok := errors.AsType[*ConflictError](err); ok {
			if len(problems) == 0 {
				t.Fatal("no problem, and yet a conflict")
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		next := Parse(written)
		records := next.Records()
		if len(records) == 0 || len(next.lines) != len(l.lines)+1 {
			t.Fatalf("%d lines became %d", len(l.lines), len(next.lines))
		}
		last := records[len(records)-1]
		if i := len(next.lines) - 1; last.File != r.File || !next.lines[i].readable || next.lines[i].children > 0 || next.lines[i].gap {
			t.Fatalf("appended %+v", last)
		}
		if len(problems) == 0 {
			if after := next.Verify(r.File, known); len(after) > 0 {
				t.Fatalf("the write broke it: %s", kinds(after))
			}
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	e := newEnvironment(&testing.T{})
	var all bytes.Buffer
	var l *Log
	prev := ""
	for i := range 10_000 {
		e.data = nil
		r := record(fmt.Sprint(i), i)
		l = Parse([]byte(prev))
		line, err := l.Append(r, "", func(string) bool { return true })
		if err != nil {
			b.Fatal(err)
		}
		line = bytes.TrimPrefix(line, []byte(prev))
		if i > 0 {
			line = bytes.Replace(line, []byte(`"found":"none",`), nil, 1)
		}
		all.Write(line)
		prev = string(line)
		e.file = r.File
	}
	data := all.Bytes()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if p := Parse(data).Verify(e.file, nil); len(p) > 0 {
			b.Fatalf("%+v", p[0])
		}
	}
}
