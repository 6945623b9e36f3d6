package history

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestFormat(t *testing.T) {
	r := Record{
		Time:    time.Date(2026, 3, 1, 10, 0, 0, 999, time.FixedZone("", 3600)),
		Actor:   Actor{Member: "alice", User: "al", Host: "laptop"},
		Action:  "promote",
		Keys:    Keys{Added: []string{"B", "A", "B"}, Removed: []string{"C"}},
		From:    "staging",
		Readers: Readers{Gained: []string{"bob"}},
		File:    Sum([]byte("1")),
		Seq:     99, Prev: "x", Undone: []string{"y"}, Found: "z", // not the caller's
	}
	data, err := Parse(nil).Append(r, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	first := `{"seq":1,"time":"2026-03-01T09:00:00Z","actor":{"member":"alice","user":"al","host":"laptop"},"action":"promote",` +
		`"keys":{"added":["A","B"],"removed":["C"]},"from":"staging","readers":{"gained":["bob"]},` +
		`"file":"6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b","prev":""}`
	if string(data) != first+"\n" {
		t.Fatalf("%s", data)
	}
	data, err = Parse(data).Append(Record{Time: start, Action: "rekey", File: Sum([]byte("2"))}, r.File, nil)
	if err != nil {
		t.Fatal(err)
	}
	second := `{"seq":2,"time":"2026-03-01T09:00:00Z","actor":{},"action":"rekey",` +
		`"file":"d4735e3a265e16eee03f59718b9b5d03019c07d8b6c51f90da3a666eec13ab35","prev":"` + Sum([]byte(first)) + `"}`
	if string(data) != first+"\n"+second+"\n" {
		t.Fatalf("%s", data)
	}
}

func TestNamesThatBreakNothing(t *testing.T) {
	name := "a\nb\r\x1b[2J\x7f\u009b\u202e\u2028\U000e0041\"\\\xff\x00<"
	r := record("x", 1)
	r.Keys.Added = []string{name}
	r.Actor.Host = name
	data, err := Parse(nil).Append(r, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Count(data, []byte("\n")) != 1 {
		t.Errorf("more than one line: %q", data)
	}
	for _, c := range data[:len(data)-1] {
		if c < 0x20 || c > 0x7e {
			t.Errorf("byte %#x in %q", c, data)
		}
	}
	want := strings.ToValidUTF8(name, "\ufffd")
	if got := Parse(data).Records()[0]; got.Keys.Added[0] != want || got.Actor.Host != want {
		t.Errorf("%q is read as %q", name, got.Keys.Added[0])
	}
}

func TestVerify(t *testing.T) {
	swap := func(i, j int) func(*environment) {
		return func(e *environment) {
			l := lines(e.data)
			l[i], l[j] = l[j], l[i]
			e.data = join(l)
		}
	}
	replace := func(old, new string) func(*environment) {
		return func(e *environment) { e.data = bytes.Replace(e.data, []byte(old), []byte(new), 1) }
	}
	remove := func(i, j int) func(*environment) {
		return func(e *environment) {
			l := lines(e.data)
			e.data = join(append(l[:i:i], l[j:]...))
		}
	}
	insert := func(i int, text string) func(*environment) {
		return func(e *environment) {
			l := lines(e.data)
			e.data = join(append(append(l[:i:i], text), l[i:]...))
		}
	}
	forge := func(follows, at int, file string) func(*environment) {
		return func(e *environment) {
			l := lines(e.data)
			r := record("forged", 3)
			r.Prev, r.Seq = Sum([]byte(l[follows])), follows+2
			if file != "" {
				r.File = file
			}
			text, _ := json.Marshal(r)
			insert(at, string(text))(e)
		}
	}
	file := func(content string) func(*environment) {
		return func(e *environment) { e.file = Sum([]byte(content)) }
	}
	for name, test := range map[string]struct {
		log  func(*testing.T) *environment
		edit func(*environment)
		want string
	}{
		"linear":        {linear, nil, ""},
		"merged":        {unjoined, nil, ""},
		"joined":        {joined, nil, ""},
		"merged, other": {unjoined, file("file b3"), ""},
		"empty":         {newEnvironment, nil, ""},
		"blank lines":   {linear, insert(4, "\n\r"), ""},
		"CRLF":          {linear, func(e *environment) { e.data = bytes.ReplaceAll(e.data, []byte("\n"), []byte("\r\n")) }, ""},
		"no newline":    {linear, func(e *environment) { e.data = bytes.TrimSpace(e.data) }, ""},

		"edited":            {linear, replace("KEY_4", "KEY_5"), "5 edited line"},
		"edited first":      {linear, replace("KEY_0", "KEY_5"), "1 edited line"},
		"edited seq":        {linear, replace(`"seq":5`, `"seq":50`), "5 edited line"},
		"edited last seq":   {linear, replace(`"seq":12`, `"seq":13`), "12 wrong sequence number"},
		"edited to rubbish": {linear, replace(`"seq":5`, `"seq":"5"`), "5 unreadable line"},
		"edited prev":       {linear, replace(`"prev":"`+Sum([]byte(lines(linear(t).data)[3])), `"prev":"`+Sum(nil)), "5 edited line"},
		"edited last prev":  {linear, replace(`"prev":"`+Sum([]byte(lines(linear(t).data)[10])), `"prev":"`+Sum(nil)), "11 edited line"},
		"edited last file":  {linear, replace(Sum([]byte("file 11")), Sum(nil)), "0 changed outside envcrypt"},
		"edited on branch":  {joined, replace("KEY_a2", "KEY_a1"), "7 edited line"},
		"edited head":       {joined, replace("KEY_b2", "KEY_a1"), "10 edited line"},
		"edited other head": {joined, replace("KEY_a3", "KEY_a1"), "8 edited line"},
		"edited fork":       {joined, replace("KEY_4", "KEY_a1"), "5 edited line"},
		"edited last":       {linear, replace("KEY_11", "KEY_12"), ""},

		"removed":               {linear, remove(4, 5), "5 removed line"},
		"removed first":         {linear, remove(0, 1), "1 removed line"},
		"removed some":          {linear, remove(4, 8), "5 removed line"},
		"removed last":          {linear, remove(11, 12), "0 changed outside envcrypt"},
		"removed all":           {linear, func(e *environment) { e.data = nil }, "0 missing history"},
		"removed first of b":    {joined, remove(8, 9), "9 removed line"},
		"removed first of both": {unjoined, remove(4, 5), "5 removed line"},
		"removed branch":        {joined, remove(8, 10), "9 removed line"},

		"swapped":            {linear, swap(4, 5), "5 reordered line"},
		"swapped first":      {linear, swap(0, 1), "1 reordered line"},
		"swapped last":       {linear, swap(10, 11), "11 reordered line"},
		"swapped far":        {linear, swap(2, 8), "3 reordered line, 4 reordered line"},
		"duplicated":         {linear, func(e *environment) { insert(9, lines(e.data)[4])(e) }, "10 duplicated line"},
		"garbage":            {linear, insert(4, "not JSON"), "5 unreadable line"},
		"garbage at the end": {linear, insert(12, `{"seq":13,"ti`), "13 unreadable line"},
		"only garbage":       {linear, func(e *environment) { e.data = []byte("{}\nnull\n[]\n\x00\xff") }, "0 missing history, 1 unreadable line, 2 unreadable line, 3 unreadable line, 4 unreadable line"},
		"conflict":           {linear, func(e *environment) { insert(6, "=======")(e); insert(4, "<<<<<<< HEAD")(e); insert(9, ">>>>>>> b")(e) }, "5 conflict marker"},

		"forged":              {linear, forge(4, 5, ""), "6 inserted line"},
		"forged far":          {linear, forge(4, 9, ""), "10 inserted line"},
		"forged same file":    {linear, forge(4, 9, Sum([]byte("file 5"))), "10 file described twice"},
		"forged current file": {linear, forge(4, 9, Sum([]byte("file 11"))), "13 file described twice"},
		"forged last":         {linear, forge(11, 12, ""), "13 unfinished write"},
		"forged last, same":   {linear, forge(11, 12, Sum([]byte("file 11"))), "13 file described twice"},
		"forged last, older":  {linear, forge(11, 12, Sum([]byte("file 3"))), "0 changed outside envcrypt, 13 file described twice"},
		"forged in merge":     {unjoined, forge(7, 12, ""), "13 inserted line"},
		"forged after join":   {joined, forge(7, 8, ""), "9 inserted line"},

		"file changed":        {linear, file("other"), "0 changed outside envcrypt"},
		"file gone":           {linear, func(e *environment) { e.file = "" }, "0 changed outside envcrypt"},
		"file put back":       {linear, file("file 3"), "0 changed outside envcrypt"},
		"file put back by 1":  {linear, file("file 10"), "0 changed outside envcrypt"},
		"merged file changed": {unjoined, file("other"), "0 changed outside envcrypt"},
		"no history":          {newEnvironment, file("other"), "0 missing history"},
		"unfinished":          {linear, func(e *environment) { e.begin("x") }, "13 unfinished write"},
		"unfinished twice":    {linear, func(e *environment) { e.begin("x"); e.begin("y") }, "14 unfinished write"},
		"unfinished first":    {newEnvironment, func(e *environment) { e.begin("x") }, "1 unfinished write"},
		"unfinished join":     {unjoined, func(e *environment) { e.begin("x") }, "13 unfinished write"},
		"unfinished adoption": {newEnvironment, func(e *environment) { e.file = Sum(nil); e.begin("x") }, "1 unfinished write"},
		"merged without git":  {unjoined, func(e *environment) { clear(e.git) }, "12 inserted line"},
	} {
		t.Run(name, func(t *testing.T) {
			e := test.log(t)
			if test.edit != nil {
				test.edit(e)
			}
			e.expect(test.want)
			for _, p := range Parse(e.data).Verify(e.file, e.known) {
				if p.Text == "" || p.Kind.Hint() == "" || strings.Contains(p.Text, "%!") {
					t.Errorf("%+v", p)
				}
			}
		})
	}
}

func TestCallsFalselyUndone(t *testing.T) {
	e := linear(t)
	text := lines(e.data)
	prev := Sum([]byte(text[10]))
	text[11] = strings.TrimSuffix(text[11], "}") + `,"undone":["` + prev + `"]}`
	e.data = join(text)
	e.expect("12 write falsely called undone")
	text[11] = strings.Replace(text[11], `"undone":["`+prev, `"undone":["`+Sum([]byte(text[2])), 1)
	e.data = join(text)
	e.expect("12 write falsely called undone")
	if Parse(e.data).Records()[2].Void {
		t.Error("a line that is not its child made a record void")
	}
}

func TestMending(t *testing.T) {
	e := linear(t)
	e.begin("x")
	e.begin("y")
	e.expect("14 unfinished write")
	e.write("z").expect("")
	records := Parse(e.data).Records()
	x, y, z := records[12], records[13], records[14]
	if !x.Void || !y.Void || z.Void || len(z.Undone) != 1 || z.Undone[0] != y.Sum || z.Prev != y.Sum || z.Seq != 15 || z.Found != "" {
		t.Errorf("mended as %+v\n%+v\n%+v", x, y, z)
	}
	e.write("more").expect("")

	first := newEnvironment(t)
	first.begin("x")
	first.write("y").expect("")
	if !Parse(first.data).Records()[0].Void {
		t.Error("an interrupted first write counts")
	}

	merged := unjoined(t)
	merged.begin("x")
	merged.write("y", "z").expect("")
	if r := Parse(merged.data).Records(); !r[12].Void || r[13].Void || len(r[12].Also) != 1 || len(r[13].Also) != 0 {
		t.Errorf("mended as %+v\n%+v", r[12], r[13])
	}
}

// An attempt that is repeated may leave the very bytes that the interrupted one would have.
func TestMendingWithTheSameFile(t *testing.T) {
	e := linear(t)
	e.begin("x")
	e.write("x").expect("")
}

func TestForgedUndoneDoesNotHideAWrite(t *testing.T) {
	e := linear(t)
	text := lines(e.data)
	r := record("forged", 1)
	r.Seq, r.Prev, r.Undone = 7, Sum([]byte(text[5])), []string{Sum([]byte(text[5]))}
	forged, _ := json.Marshal(r)
	e.data = append(e.data, append(forged, '\n')...)
	if Parse(e.data).Records()[5].Void {
		t.Error("a forged line made a record void")
	}
}

func TestAdoption(t *testing.T) {
	e := newEnvironment(t)
	e.file = Sum([]byte("from sops"))
	e.expect("0 missing history")
	before := e.file
	e.write("x").expect("")
	if r := e.last(); r.Prev != "" || r.Seq != 1 || r.Found != before {
		t.Errorf("%+v", r)
	}
	same := newEnvironment(t)
	same.file = record("x", 1).File
	same.write("x").expect("")
}

func TestChangedOutsideIsRecorded(t *testing.T) {
	e := linear(t)
	e.file = Sum([]byte("other"))
	e.write("x").expect("")
	if r := e.last(); r.Found != Sum([]byte("other")) || r.Seq != 13 {
		t.Errorf("%+v", r)
	}
	e.file = ""
	e.write("y").expect("")
	if r := e.last(); r.Found != None {
		t.Errorf("%+v", r)
	}
	e.file = ""
	e.begin("z")
	e.expect("15 unfinished write")
	e.write("zz").expect("")
}

func TestJoin(t *testing.T) {
	e := unjoined(t)
	heads := Parse(e.data).Records()
	e.write("j").expect("")
	r := e.last()
	if r.Prev != heads[8].Sum || len(r.Also) != 1 || r.Also[0] != heads[11].Sum || r.Seq != 10 || r.Found != "" {
		t.Errorf("joined as %+v", r)
	}

	other := unjoined(t)
	other.file = Sum([]byte("file b3"))
	other.write("j").expect("")
	if r := other.last(); r.Prev != heads[11].Sum || r.Also[0] != heads[8].Sum {
		t.Errorf("joined as %+v", r)
	}

	resolved := unjoined(t)
	resolved.file = Sum([]byte("by hand"))
	resolved.write("j").expect("")
	if r := resolved.last(); len(r.Also) != 1 || r.Found != Sum([]byte("by hand")) {
		t.Errorf("joined as %+v", r)
	}

	three := newEnvironment(t).write("0")
	b, c := three.branch().write("b"), three.branch().write("c1", "c2")
	three.write("a").merge(c).merge(b).expect("")
	three.write("j").expect("")
	if r := three.last(); len(r.Also) != 2 || r.Seq != 4 {
		t.Errorf("joined as %+v", r)
	}

	roots := newEnvironment(t)
	roots.file = Sum([]byte("from sops"))
	b = roots.branch().write("b")
	roots.write("a").merge(b).expect("")
	roots.write("j").expect("")
}

// A line that nothing speaks for is not made part of the chain by the next write.
func TestForgedIsNotJoined(t *testing.T) {
	for _, e := range []*environment{linear(t), unjoined(t), joined(t)} {
		r := record("forged", 7)
		r.Seq, r.Prev = 5, Sum([]byte(lines(e.data)[3]))
		forged, _ := json.Marshal(r)
		e.data = append(e.data, append(forged, '\n')...)
		e.expect("13 inserted line")
		e.write("x", "y").expect("13 inserted line")
		text := lines(e.data)
		e.data = join(append(text[:12:12], text[13:]...))
		e.expect("")
	}
}

func TestAppendDropsCopies(t *testing.T) {
	e := linear(t)
	clean := e.branch().write("x")
	text := lines(e.data)
	e.data = join(append(append(append(text[:9:9], text[2], text[8]), text[9:]...), text[0]))
	e.expect("10 duplicated line, 11 duplicated line, 15 duplicated line")
	e.write("x").expect("")
	if !bytes.Equal(e.data, clean.data) {
		t.Errorf("%s", e.data)
	}
}

func TestAppendRefuses(t *testing.T) {
	e := linear(t)
	for name, change := range map[string]func(*Record){
		"no time":     func(r *Record) { r.Time = time.Time{} },
		"no file":     func(r *Record) { r.File = "" },
		"upper case":  func(r *Record) { r.File = strings.ToUpper(r.File) },
		"no change":   func(r *Record) { r.File = e.file },
		"year 10 000": func(r *Record) { r.Time = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
	} {
		r := record("x", 1)
		change(&r)
		if data, err := Parse(e.data).Append(r, e.file, e.known); err == nil || data != nil {
			t.Errorf("%s: not refused", name)
		}
	}
	for _, marker := range []string{"<<<<<<< ours", "||||||| base", "=======", ">>>>>>> theirs"} {
		_, err := Parse(append(bytes.Clone(e.data), marker+"\n"...)).Append(record("x", 1), e.file, e.known)
		if c, ok := errors.AsType[*ConflictError](err); !ok || c.Line != 13 {
			t.Errorf("%s: %v", marker, err)
		}
	}
}

func TestAppendKeepsWhatItWasGiven(t *testing.T) {
	e := linear(t)
	given := append(make([]byte, 0, 1<<20), e.data...)
	l := Parse(given)
	one, _ := l.Append(record("x", 1), e.file, e.known)
	two, _ := l.Append(record("y", 1), e.file, e.known)
	if !bytes.Equal(given, e.data) || !bytes.HasPrefix(one, given) || !bytes.HasPrefix(two, given) || bytes.Equal(one, two) {
		t.Error("two records from one log share memory")
	}
}

func TestUnknownFieldsAreKept(t *testing.T) {
	e := newEnvironment(t).write("0")
	e.data = bytes.Replace(e.data, []byte(`"action"`), []byte(`"later":{"x":[1]},"action"`), 1)
	e.write("1").expect("")
	e.data = bytes.Replace(e.data, []byte(`"x":[1]`), []byte(`"x":[2]`), 1)
	e.expect("1 edited line")
}

func TestSeqCannotOverflow(t *testing.T) {
	r := record("x", 1)
	r.Seq = maxSeq
	text, _ := json.Marshal(r)
	e := newEnvironment(t)
	e.data, e.file = append(text, '\n'), r.File
	e.write("y", "z").expect("1 wrong sequence number")
	e.data = []byte(strings.Replace(string(text), fmt.Sprint(maxSeq), fmt.Sprint(maxSeq+1), 1))
	e.expect("0 missing history, 1 unreadable line")
}
