package history

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func names(records []Record) string {
	var all []string
	for _, r := range records {
		all = append(all, strings.TrimPrefix(r.Keys.Changed[0], "KEY_"))
	}
	return strings.Join(all, " ")
}

func TestNewest(t *testing.T) {
	for name, test := range map[string]struct {
		log  *environment
		want string
	}{
		"linear":   {linear(t), "11 10 9 8 7 6 5 4 3 2 1 0"},
		"joined":   {joined(t), "9 8 a3 b2 a2 b1 a1 4 3 2 1 0"},
		"unjoined": {unjoined(t), "a4 b3 a3 b2 a2 b1 a1 4 3 2 1 0"},
		"empty":    {newEnvironment(t), ""},
	} {
		l := Parse(test.log.data)
		// Where two branches wrote at the same time, the order of the lines decides; it is not the test's business.
		got := l.Newest()
		if !slices.IsSortedFunc(got, func(a, b Record) int { return b.Time.Compare(a.Time) }) {
			t.Errorf("%s: not by time: %s", name, names(got))
		}
		if name == "linear" && names(got) != test.want || len(got) != len(l.Records()) {
			t.Errorf("%s: %s", name, names(got))
		}
	}
}

func TestNewestWithAClockThatRunsBackwards(t *testing.T) {
	e := newEnvironment(t)
	e.writes = 100
	for i := range 6 {
		e.writes -= 2
		e.write(fmt.Sprint(i))
	}
	e.expect("")
	if got := names(Parse(e.data).Newest()); got != "5 4 3 2 1 0" {
		t.Error(got)
	}
}

func TestNewestOfADamagedLog(t *testing.T) {
	e := linear(t)
	text := lines(e.data)
	text[4] = "{"
	slices.Reverse(text)
	if got := Parse(join(text)).Newest(); len(got) != 11 {
		t.Errorf("%d records", len(got))
	}
}

func TestFilter(t *testing.T) {
	newest := Parse(linear(t).data).Newest()
	for _, test := range []struct {
		filter Filter
		want   string
	}{
		{Filter{}, "11 10 9 8 7 6 5 4 3 2 1 0"},
		{Filter{Key: "KEY_3"}, "3"},
		{Filter{Key: "KEY"}, ""},
		{Filter{Since: start.Add(10 * time.Hour)}, "11 10 9"},
		{Filter{Key: "KEY_3", Since: start.Add(10 * time.Hour)}, ""},
	} {
		if got := names(test.filter.Apply(newest)); got != test.want {
			t.Errorf("%+v: %s", test.filter, got)
		}
	}
}

func TestLastChange(t *testing.T) {
	var data []byte
	file := ""
	for i, k := range []Keys{
		{Added: []string{"A", "B"}},
		{Changed: []string{"A"}, Removed: []string{"B"}},
		{},
		{Added: []string{"C"}},
		{Removed: []string{"A"}}, // interrupted
		{Changed: []string{"C"}},
	} {
		r := record(fmt.Sprint(i), i)
		r.Keys = k
		var err error
		if data, err = Parse(data).Append(r, file, nil); err != nil {
			t.Fatal(err)
		}
		if i != 4 {
			file = r.File
		}
	}
	var got []string
	for _, c := range LastChange(Parse(data).Newest()) {
		got = append(got, fmt.Sprint(c.Key, " ", c.What, " ", c.Record.Seq))
	}
	if want := "A changed 2, B removed 2, C changed 6"; strings.Join(got, ", ") != want {
		t.Errorf("%q", got)
	}
}
