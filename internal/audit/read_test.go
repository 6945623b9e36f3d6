package audit

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestFilter(t *testing.T) {
	path := newLog(t)
	l := testLog(path)
	for _, e := range []Entry{
		{Environment: "production", Action: "exec", All: true, Outcome: OK, Actor: "alice"},
		{Environment: "production", Action: "get", Keys: []string{"A"}, Outcome: Denied, Actor: "bob"},
		{Environment: "staging", Action: "get", Keys: []string{"A", "B"}, Outcome: Failed, Actor: "alice"},
		{Environment: "staging", Action: "export", Keys: []string{"B"}, More: 5, Outcome: OK},
	} {
		if err := l.Append(e); err != nil {
			t.Fatal(err)
		}
	}
	for name, test := range map[string]struct {
		f    Filter
		want []uint64
	}{
		"all":         {Filter{}, []uint64{1, 2, 3, 4}},
		"environment": {Filter{Environment: "staging"}, []uint64{3, 4}},
		"key":         {Filter{Key: "A"}, []uint64{1, 2, 3, 4}},
		"key 2":       {Filter{Key: "B"}, []uint64{1, 3, 4}},
		"actor":       {Filter{Actor: "alice"}, []uint64{1, 3}},
		"action":      {Filter{Action: "get"}, []uint64{2, 3}},
		"outcome":     {Filter{Outcome: Denied}, []uint64{2}},
		"since":       {Filter{Since: start.Add(2 * time.Second)}, []uint64{2, 3, 4}},
		"until":       {Filter{Until: start.Add(3 * time.Second)}, []uint64{1, 2}},
		"two":         {Filter{Environment: "staging", Outcome: OK}, []uint64{4}},
	} {
		var got []uint64
		for _, r := range entries(t, path, test.f) {
			got = append(got, r.Seq)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestReadGarbage(t *testing.T) {
	path := newLog(t)
	fill(t, testLog(path), 1, 2)
	appendText(path, "garbage \x1b[31m hunter2\n"+strings.Repeat("long", 1<<20)+"\n\n")
	fill(t, testLog(path), 3, 3)
	appendText(path, `{"seq":`)
	var seqs []uint64
	var lines []int
	for r, err := range Read(path, Filter{}) {
		var bad *LineError
		if errors.As(err, &bad) {
			lines = append(lines, bad.Line)
			if strings.Contains(bad.Error(), "hunter2") {
				t.Error(bad)
			}
		} else {
			seqs = append(seqs, r.Seq)
		}
	}
	if !slices.Equal(seqs, []uint64{1, 2, 3}) || !slices.Equal(lines, []int{3, 4, 5, 7}) {
		t.Error(seqs, lines)
	}
	for range Read(path, Filter{}) {
		break // and nothing panics
	}
	for _, err := range Read(t.TempDir(), Filter{}) {
		if err == nil {
			t.Error("a directory is read")
		}
	}
}

func TestFollow(t *testing.T) {
	path := newLog(t)
	l := testLog(path)
	l.config.MaxSize = 1000
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	go func() {
		for i := range 60 {
			l.Append(testEntry(i))
			if i%10 == 0 {
				time.Sleep(5 * time.Millisecond)
			}
		}
	}()
	next := uint64(1)
	for r, err := range Follow(ctx, path, Filter{}, time.Millisecond) {
		if err != nil || r.Seq != next {
			t.Fatal(r.Seq, next, err)
		}
		if next++; next == 61 {
			break
		}
	}
	if ctx.Err() != nil {
		t.Fatal("not everything came")
	}
	// A line in two halves comes once it is whole, and an emptied log starts anew.
	path = newLog(t)
	fill(t, testLog(path), 1, 3)
	whole := string(read(t, path))
	os.Truncate(path, 10)
	go func() { time.Sleep(20 * time.Millisecond); appendText(path, whole[10:]) }()
	step := 0
	for r, err := range Follow(ctx, path, Filter{}, time.Millisecond) {
		if err != nil {
			t.Fatal(err)
		}
		step++
		if step == 3 {
			os.Truncate(path, 0)
			time.Sleep(20 * time.Millisecond)
			go func() { time.Sleep(20 * time.Millisecond); appendText(path, whole[:strings.Index(whole, "\n")+1]) }()
		}
		if step == 4 {
			if r.Seq != 1 || r.Line != 1 {
				t.Error(r)
			}
			break
		}
		if step == 1 && r.Seq != 1 {
			t.Error(r)
		}
	}
	if step != 4 {
		t.Errorf("%d lines came", step)
	}
}
