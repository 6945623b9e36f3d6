package audit

import (
	"errors"
	"os"
	"testing"
	"time"
)

func TestOp(t *testing.T) {
	path := newLog(t)
	l := testLog(path)
	l.config.Required = []string{"production"}
	for _, env := range []string{"staging", "production", ""} {
		op, err := l.Begin(Entry{Action: "exec", Environment: env})
		if err != nil {
			t.Fatal(err)
		}
		op.Entry.Actor, op.Entry.All = "alice", true
		if err := op.End(OK, ""); err != nil {
			t.Fatal(err)
		}
		if err := op.End(Failed, "not-found"); err != nil {
			t.Fatal(err)
		}
	}
	got := ""
	for _, r := range entries(t, path, Filter{}) {
		got += r.Environment + ":" + string(r.Outcome) + ":" + r.Actor + ":" + r.Error + " "
	}
	if want := "staging:ok:alice: staging:failed:alice:not-found production:begun:: production:ok:alice: production:failed:alice:not-found :begun:: :ok:alice: :failed:alice:not-found "; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	wantClean(t, path, 8)
}

func TestOpRefused(t *testing.T) {
	for name, spoil := range map[string]func(*Log){
		"off":         func(l *Log) { l.config.Sinks = nil },
		"no home":     func(l *Log) { l.config.File = "envcrypt/audit.jsonl" },
		"a directory": func(l *Log) { l.config.File = os.TempDir() },
	} {
		l := testLog(newLog(t))
		spoil(l)
		if op, err := l.Begin(testEntry(1)); err != nil {
			t.Errorf("%s: %v", name, err)
		} else if err := op.End(OK, ""); (err == nil) != (name == "off") {
			t.Errorf("%s: %v", name, err)
		}
		for _, required := range []string{"production", "*"} {
			l.config.Required = []string{required}
			var r *RequiredError
			if op, err := l.Begin(testEntry(1)); op != nil || !errors.As(err, &r) || name == "off" && !errors.Is(err, ErrOff) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// What an append costs beside a log of one line and of a million.
func BenchmarkAppend(b *testing.B) {
	for name, lines := range map[string]int{"1": 1, "1000000": 1_000_000} {
		path := newLog(b)
		l := New(Config{File: path, MaxSize: 1 << 40, Sinks: []string{sinkFile}}, Facts{User: "alice", Host: "laptop"}, time.Now)
		fill(b, l, 1, 1)
		if lines > 1 {
			e := testEntry(1)
			e.Seq, e.Time, e.Prev = 1, start, hexSum([32]byte{})
			line := append(e.AppendJSON(nil), '\n')
			text := make([]byte, 0, lines*len(line))
			for range lines {
				text = append(text, line...)
			}
			write(b, path, text)
			os.Remove(path + headSuffix)
			fill(b, l, 2, 2)
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := l.Append(testEntry(1)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
