package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

var start = time.Date(2026, 6, 1, 10, 0, 0, 0, time.UTC)

// testLog's clock gives a time a second later at each call, after those in the log.
func testLog(path string) *Log {
	now := start
	for r := range Read(path, Filter{}) {
		if r.Time.After(now) {
			now = r.Time
		}
	}
	return New(Config{File: path, MaxSize: defaultMaxSize, Sinks: []string{sinkFile}}, Facts{User: "alice", Host: "laptop", PID: 7},
		func() time.Time { now = now.Add(time.Second); return now })
}

func testEntry(i int) Entry {
	return Entry{Action: "exec", Outcome: OK, Environment: "production", Project: "/srv/app", Command: "/usr/bin/node",
		Keys: []string{"DATABASE_PASSWORD", "KEY_" + strconv.Itoa(i)}, Actor: "alice"}
}

func fill(t testing.TB, l *Log, from, to int) {
	t.Helper()
	for i := from; i <= to; i++ {
		if err := l.Append(testEntry(i)); err != nil {
			t.Fatal(err)
		}
	}
}

func newLog(t testing.TB) string { return filepath.Join(t.TempDir(), "audit.jsonl") }

func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func write(t testing.TB, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func verify(t testing.TB, path string) *Report {
	t.Helper()
	r, err := Verify(path)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func wantClean(t testing.TB, path string, entries int) {
	t.Helper()
	if r := verify(t, path); len(r.Problems) > 0 || r.Entries != entries || !r.Mild {
		t.Fatalf("entries %d, want %d; problems %v", r.Entries, entries, r.Problems)
	}
}

// wantKinds checks the kinds of all problems.
func wantKinds(t testing.TB, path string, kinds ...Kind) {
	t.Helper()
	var got []Kind
	r := verify(t, path)
	mild := true
	for _, p := range r.Problems {
		got = append(got, p.Kind)
		mild = mild && p.Kind.Mild()
	}
	if !slices.Equal(got, kinds) || r.Mild != mild {
		t.Fatalf("got %v, mild %v, want %v", r.Problems, r.Mild, kinds)
	}
}

func entries(t testing.TB, path string, f Filter) (found []Record) {
	t.Helper()
	for r, err := range Read(path, f) {
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, r)
	}
	return found
}

func TestAppend(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "envcrypt", "audit.jsonl")
	fill(t, testLog(path), 1, 3)
	wantClean(t, path, 3)
	lines := strings.Split(string(read(t, path)), "\n")
	want := `{"time":"2026-06-01T10:00:01.000Z","seq":1,"action":"exec","outcome":"ok","project":"/srv/app",` +
		`"environment":"production","command":"node","actor":"alice","user":"alice","host":"laptop","pid":7,"keys":["DATABASE_PASSWORD","KEY_1"]}`
	if lines[0] != want || len(lines) != 4 {
		t.Errorf("got\n%s\nwant\n%s", lines[0], want)
	}
	if runtime.GOOS != "windows" {
		for name, mode := range map[string]fs.FileMode{path: 0o600, path + headSuffix: 0o600, filepath.Dir(path): 0o700} {
			if info, _ := os.Stat(name); info.Mode().Perm() != mode {
				t.Errorf("%s has mode %v", name, info.Mode())
			}
		}
	}
	if n := len(read(t, path+headSuffix)); n != headSize {
		t.Errorf("the head has %d bytes", n)
	}
}

func TestAppendToBadPlaces(t *testing.T) {
	dir := t.TempDir()
	fifo, file := filepath.Join(dir, "fifo"), filepath.Join(dir, "file")
	write(t, file, nil)
	if err := makeFIFO(fifo); err != nil {
		t.Fatal(err)
	}
	os.Symlink(fifo, filepath.Join(dir, "to-fifo"))
	os.Symlink(filepath.Join(dir, "nothing"), filepath.Join(dir, "dangling"))
	os.Symlink(file, filepath.Join(dir, "file2.head"))
	for path, want := range map[string]string{
		dir:                             "not a regular file",
		fifo:                            "not a regular file",
		filepath.Join(dir, "to-fifo"):   "not a regular file",
		filepath.Join(dir, "dangling"):  "no such file",
		filepath.Join(file, "x"):        "not a directory",
		filepath.Join(dir, "file2"):     "symbolic links",
		"/dev/full":                     "not a regular file",
		"envcrypt/audit.jsonl":          "there is no home",
		filepath.Join(dir, "a/b/c/d/e"): "no such file",
	} {
		done := make(chan error, 1)
		go func() { done <- testLog(path).Append(testEntry(1)) }()
		select {
		case err := <-done:
			var sink *SinkError
			if !errors.As(err, &sink) || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", path, err, want)
			}
		case <-time.After(5 * time.Second):
			t.Fatalf("%s: an append hangs", path)
		}
	}
	if _, err := os.Stat("/dev/full.head"); err == nil {
		t.Error("a head was made beside a device")
	}
	if _, err := os.Stat(filepath.Join(dir, "a")); err == nil {
		t.Error("a home was made")
	}
}

func TestSymlinkedLog(t *testing.T) {
	path := newLog(t)
	link := filepath.Join(t.TempDir(), "link.jsonl")
	write(t, path, nil)
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	l := testLog(link)
	l.config.MaxSize = 500
	fill(t, l, 1, 5)
	wantClean(t, path, 5)
	wantClean(t, link, 5)
	if info, _ := os.Lstat(link); info.Mode()&fs.ModeSymlink == 0 {
		t.Error("the link is gone")
	}
	if names, _ := os.ReadDir(filepath.Dir(link)); len(names) != 1 {
		t.Errorf("files beside the link: %v", names)
	}
}

func TestHostileStrings(t *testing.T) {
	path := newLog(t)
	names := []string{"A\nB", "\"}\n{\"seq\":9}", "\x1b[2J\x1b]0;x\a", "\xff\xfe", "a\u202eb", "\u0085\u009b31m", "\u2028", "\U000e0001\U0001f600",
		"é", "\\", "\x00", strings.Repeat("x", 10_000), strings.Repeat("\x01", 10_000), "\ufffd"}
	e := testEntry(1)
	e.Keys, e.Reason, e.Actor, e.Command = names, strings.Join(names, "\n"), names[0], "/opt/\x1b/\x1b[31m\nred"
	if err := testLog(path).Append(e); err != nil {
		t.Fatal(err)
	}
	text := read(t, path)
	if bytes.Count(text, []byte("\n")) != 1 || !utf8.Valid(text) {
		t.Fatalf("%q", text)
	}
	for _, r := range strings.TrimSuffix(string(text), "\n") {
		if !unicode.IsPrint(r) {
			t.Errorf("%U is not escaped", r)
		}
	}
	wantClean(t, path, 1)
	got := entries(t, path, Filter{})[0]
	if !slices.Equal(got.Keys[:3], names[:3]) || got.Keys[7] != names[7] || got.Command != "\x1b[31m\nred" {
		t.Errorf("%+v", got.Entry)
	}
}

// law: what is written is what is read, as encoding/json sees it too.
func FuzzEntry(f *testing.F) {
	f.Add("exec", "a\"\n", "\xff", "/bin/sh", uint16(3), true)
	f.Fuzz(func(t *testing.T, action, key, reason, command string, n uint16, all bool) {
		e := Entry{Time: start, Seq: 1, Action: action, Keys: slices.Repeat([]string{key}, int(n)), Reason: reason, Command: command, All: all}
		line := e.AppendJSON(nil)
		got, ok := parseEntry(line)
		if !ok || len(line) > entryLimit || bytes.ContainsAny(line, "\n\r\x1b\x7f") || !utf8.Valid(line) {
			t.Fatalf("%q", line)
		}
		if len(got.Keys)+got.More != int(n) || got.All != all {
			t.Fatalf("%d keys and %d more of %d", len(got.Keys), got.More, n)
		}
		clean := strings.ToValidUTF8(action, "\ufffd")
		if utf8.RuneCountInString(action) < 60 && got.Action != clean && utf8.ValidString(action) {
			t.Fatalf("%q became %q", action, got.Action)
		}
		again := got.AppendJSON(nil)
		if second, _ := parseEntry(again); !reflect.DeepEqual(got, second) {
			t.Fatalf("%q\n%q", line, again)
		}
	})
}

func TestEntryLimit(t *testing.T) {
	e := Entry{Time: start, Seq: seqLimit, Action: strings.Repeat("a", 1<<20), Reason: strings.Repeat("\x01", 1<<20), Project: strings.Repeat("p", 1<<20),
		Error: strings.Repeat("\x01", 1<<20), Environment: strings.Repeat("e", 1<<20), Actor: strings.Repeat("b", 1<<20), Prev: hexSum([32]byte{}), All: true}
	for i := range 100_000 {
		e.Keys = append(e.Keys, fmt.Sprintf("KEY_%d", i))
	}
	for _, limit := range []int{entryLimit, 30_000} {
		line := e.append(nil, limit)
		var got Entry
		if err := json.Unmarshal(line, &got); err != nil || len(line) > limit || len(line) < limit-200 || len(got.Keys)+got.More != 100_000 {
			t.Errorf("%d bytes, %d keys, %d more: %v", len(line), len(got.Keys), got.More, err)
		}
	}
}

func TestRotation(t *testing.T) {
	path := newLog(t)
	l := testLog(path)
	l.config.MaxSize = 1000
	fill(t, l, 1, 20)
	wantClean(t, path, 20)
	files, err := rotatedFiles(path)
	if err != nil || len(files) < 3 || filepath.Base(files[0].name) != "audit-20260601T100005Z-000000000001-000000000004.jsonl" {
		t.Fatal(files, err)
	}
	for i, e := range entries(t, path, Filter{}) {
		if e.Seq != uint64(i+1) {
			t.Fatalf("entry %d has number %d", i+1, e.Seq)
		}
	}

	t.Run("a file pruned", func(t *testing.T) {
		copied := copyLog(t, path)
		files, _ := rotatedFiles(copied)
		os.Remove(files[0].name)
		wantKinds(t, copied, Pruned)
		for _, f := range files[1:] {
			os.Remove(f.name)
		}
		wantKinds(t, copied, Pruned)
		fill(t, testLog(copied), 1, 1)
		os.Remove(files[0].name)
	})
	t.Run("a file in the middle removed", func(t *testing.T) {
		copied := copyLog(t, path)
		files, _ := rotatedFiles(copied)
		os.Remove(files[1].name)
		wantKinds(t, copied, Missing)
	})
	t.Run("the log removed", func(t *testing.T) {
		copied := copyLog(t, path)
		os.Remove(copied)
		wantKinds(t, copied, Cut)
		fill(t, testLog(copied), 1, 1)
		wantKinds(t, copied, Missing)
	})
	t.Run("log and head removed", func(t *testing.T) {
		copied := copyLog(t, path)
		os.Remove(copied)
		os.Remove(copied + headSuffix)
		wantKinds(t, copied, NoHead)
		fill(t, testLog(copied), 1, 1)
		wantKinds(t, copied, Mended)
	})
}

// copyLog copies a log's directory.
func copyLog(t testing.TB, path string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Dir(path))); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, filepath.Base(path))
}

func TestRotationThatFails(t *testing.T) {
	path := newLog(t)
	l := testLog(path)
	l.config.MaxSize = 1000
	fill(t, l, 1, 4)
	h, _ := parseHead(string(read(t, path+headSuffix)))
	for i := range 30 { // whatever name the next second would give
		name := rotated{first: h.first, last: h.seq}.path(path, start.Add(time.Duration(i)*time.Second))
		if err := os.Mkdir(name, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	fill(t, l, 5, 5)
	if n := bytes.Count(read(t, path), []byte("\n")); n != 5 {
		t.Errorf("%d lines", n)
	}
}

func TestFaults(t *testing.T) {
	for _, step := range []string{"line", "head"} {
		path := newLog(t)
		fill(t, testLog(path), 1, 3)
		was := read(t, path)
		full := errors.New("disk full")
		testOnlyFault = func(s string, f *os.File, text []byte) error {
			if s != step {
				return nil
			}
			if text != nil {
				f.Write(text[:10])
			}
			return full
		}
		err := testLog(path).Append(testEntry(4))
		testOnlyFault = nil
		if !errors.Is(err, full) || !bytes.Equal(read(t, path), was) {
			t.Errorf("%s: %v, log changed: %v", step, err, !bytes.Equal(read(t, path), was))
		}
		wantClean(t, path, 3)
		fill(t, testLog(path), 4, 5)
		wantClean(t, path, 5)
	}
}

func TestLockedLog(t *testing.T) {
	path := newLog(t)
	fill(t, testLog(path), 1, 1)
	f, err := lockHead(path + headSuffix)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	began := time.Now()
	if err := testLog(path).Append(testEntry(2)); !errors.Is(err, errLocked) || time.Since(began) > 4*time.Second {
		t.Error(err, time.Since(began))
	}
}

func TestClockBackwards(t *testing.T) {
	path := newLog(t)
	fill(t, testLog(path), 1, 3)
	back := New(testLog(path).config, Facts{}, func() time.Time { return start.Add(-time.Hour) })
	fill(t, back, 4, 5)
	fill(t, testLog(path), 6, 6)
	wantKinds(t, path, Clock)
}

func TestRecovery(t *testing.T) {
	for name, test := range map[string]struct {
		spoil     func(path string)
		before    []Kind // found at once
		after     []Kind // found after two more lines
		recovered string
	}{
		"torn last line": {func(p string) { appendText(p, `{"time":"20`) }, []Kind{Torn}, []Kind{Torn}, recoveredTorn},
		"line without the head": {func(p string) {
			h, _ := os.ReadFile(p + headSuffix)
			testLog(p).Append(testEntry(9))
			os.WriteFile(p+headSuffix, h, 0o600)
		}, []Kind{Behind}, []Kind{Behind}, recoveredBehind},
		"no head":                   {func(p string) { os.Remove(p + headSuffix) }, []Kind{NoHead}, []Kind{Mended}, recoveredHead},
		"empty head":                {func(p string) { os.Truncate(p+headSuffix, 0) }, []Kind{NoHead}, []Kind{Mended}, recoveredHead},
		"garbage head":              {func(p string) { os.WriteFile(p+headSuffix, bytes.Repeat([]byte("x"), 4096), 0o600) }, []Kind{NoHead}, []Kind{Mended}, recoveredHead},
		"cut tail":                  {func(p string) { cutLines(p, 2) }, []Kind{Cut}, []Kind{Missing}, recoveredMismatch},
		"cut into a line":           {func(p string) { cutBytes(p, 5) }, []Kind{Torn, Cut}, []Kind{Unreadable}, recoveredMismatch},
		"emptied":                   {func(p string) { os.Truncate(p, 0) }, []Kind{Cut}, []Kind{Missing}, recoveredMismatch},
		"removed":                   {func(p string) { os.Remove(p) }, []Kind{Cut}, []Kind{Missing}, recoveredMismatch},
		"both removed":              {func(p string) { os.Remove(p); os.Remove(p + headSuffix) }, nil, nil, ""},
		"last line edited, longer":  {func(p string) { replace(p, "KEY_5", "KEY_55") }, []Kind{Changed}, []Kind{Changed}, recoveredMismatch},
		"last line edited, as long": {func(p string) { replace(p, "KEY_5", "KEY_6") }, []Kind{Changed}, []Kind{Changed}, ""},
		"garbage after it":          {func(p string) { appendText(p, "garbage\nmore of it\n") }, []Kind{Unreadable}, []Kind{Unreadable, Behind}, recoveredBehind},
		"a huge line after it":      {func(p string) { appendText(p, strings.Repeat("x", 1<<20)+"\n") }, []Kind{Unreadable}, []Kind{Unreadable, Behind}, recoveredBehind},
		"garbage instead":           {func(p string) { os.WriteFile(p, bytes.Repeat([]byte("garbage\n"), 1000), 0o600) }, []Kind{Unreadable, Cut}, []Kind{Unreadable}, recoveredMismatch},
		"zeros after it":            {func(p string) { appendText(p, strings.Repeat("\x00", 4096)) }, []Kind{Torn}, []Kind{Torn}, recoveredTorn},
	} {
		t.Run(name, func(t *testing.T) {
			path := newLog(t)
			fill(t, testLog(path), 1, 5)
			test.spoil(path)
			wantKinds(t, path, test.before...)
			l := New(testLog(path).config, Facts{}, func() time.Time { return start.Add(time.Hour) })
			fill(t, l, 6, 7)
			wantKinds(t, path, test.after...)
			var found []Record
			for r, err := range Read(path, Filter{Since: start.Add(time.Hour)}) {
				if err == nil {
					found = append(found, r)
				}
			}
			if len(found) != 2 || found[0].Recovered != test.recovered || found[1].Recovered != "" {
				t.Errorf("%+v", found)
			}
		})
	}
}

func appendText(path, text string) {
	f, _ := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	f.WriteString(text)
	f.Close()
}

func cutBytes(path string, n int64) {
	info, _ := os.Stat(path)
	os.Truncate(path, info.Size()-n)
}

func cutLines(path string, n int) {
	b, _ := os.ReadFile(path)
	lines := bytes.SplitAfter(b, []byte("\n"))
	os.WriteFile(path, bytes.Join(lines[:len(lines)-1-n], nil), 0o600)
}

func replace(path, old, new string) {
	b, _ := os.ReadFile(path)
	os.WriteFile(path, bytes.Replace(b, []byte(old), []byte(new), 1), 0o600)
}

func TestGarbageFromTheStart(t *testing.T) {
	for name, garbage := range map[string]string{
		"binary":   strings.Repeat("\x00\xff\n{", 5000),
		"no end":   strings.Repeat("x", 1<<20),
		"number":   `{"seq":9007199254740993}` + "\n",
		"greatest": `{"seq":9007199254740992}` + "\n",
		"type":     `{"seq":"1","time":5}` + "\n",
	} {
		path := newLog(t)
		write(t, path, []byte(garbage))
		fill(t, testLog(path), 1, 3)
		if r := verify(t, path); len(r.Problems) == 0 || r.Mild || name != "greatest" && r.Entries != 3 {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// Children of the tests are this binary again.
func TestMain(m *testing.M) {
	if path := os.Getenv("AUDIT_TEST_LOG"); path != "" {
		child(path)
		return
	}
	os.Exit(m.Run())
}

func child(path string) {
	l := testLog(path)
	l.now = time.Now
	l.config.MaxSize, _ = strconv.ParseInt(os.Getenv("AUDIT_TEST_MAX"), 10, 64)
	n, _ := strconv.Atoi(os.Getenv("AUDIT_TEST_COUNT"))
	if step := os.Getenv("AUDIT_TEST_KILL"); step != "" {
		testOnlyFault = func(s string, f *os.File, text []byte) error {
			if s == step {
				if text != nil {
					f.Write(text[:len(text)/2])
				}
				self, _ := os.FindProcess(os.Getpid())
				self.Kill()
				select {}
			}
			return nil
		}
	}
	for i := range n {
		began := time.Now()
		if err := l.Append(testEntry(i)); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		if os.Getenv("AUDIT_TEST_TIME") != "" {
			fmt.Println(time.Since(began).Nanoseconds())
		}
	}
}

func startChild(t testing.TB, path string, count int, variables ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "AUDIT_TEST_LOG="+path, "AUDIT_TEST_COUNT="+strconv.Itoa(count), "AUDIT_TEST_MAX=100000000")
	cmd.Env = append(cmd.Env, variables...)
	cmd.Stderr = os.Stderr
	return cmd
}

func TestTwoProcesses(t *testing.T) {
	for _, maxSize := range []string{"100000000", "20000"} {
		path := newLog(t)
		children := []*exec.Cmd{}
		for range 2 {
			cmd := startChild(t, path, 1000, "AUDIT_TEST_MAX="+maxSize)
			cmd.Stdout = os.Stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			children = append(children, cmd)
		}
		ended := make(chan error, 2)
		for _, cmd := range children {
			go func() { ended <- cmd.Wait() }()
		}
		for running := 2; running > 0; { // verifying meanwhile finds nothing either
			select {
			case err := <-ended:
				if running--; err != nil {
					t.Error(err)
				}
			default:
				if r := verify(t, path); len(r.Problems) > 0 {
					t.Error(r.Problems)
				}
			}
		}
		wantClean(t, path, 2000)
	}
}

func TestKilled(t *testing.T) {
	for step, kinds := range map[string][2][]Kind{
		"line":   {{Torn}, {Torn}},
		"head":   {{Behind}, {Behind}},
		"rotate": {nil, nil},
	} {
		path := newLog(t)
		fill(t, testLog(path), 1, 3)
		maxSize := "100000000"
		if step == "rotate" {
			maxSize = "100"
		}
		if err := startChild(t, path, 1, "AUDIT_TEST_KILL="+step, "AUDIT_TEST_MAX="+maxSize).Run(); err == nil {
			t.Fatal("the child was not killed")
		}
		wantKinds(t, path, kinds[0]...)
		l := testLog(path)
		l.now = time.Now
		fill(t, l, 4, 6)
		wantKinds(t, path, kinds[1]...)
	}
}
