package history

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestEveryMutation changes one line in every way, at every place of three histories: all are
// found but those listed in unproven, which docs/audit.md owes its readers too.
func TestEveryMutation(t *testing.T) {
	for name, test := range map[string]struct {
		log      func(*testing.T) *environment
		unproven []string
		ends     []string // changes of a line that the next write follows, for want of a better one
	}{
		// Of the last line, only what the file and the line before say is proven.
		"linear": {linear, content(12), twinsOfLast},
		"joined": {joined, append(content(12),
			"swap 8 9"), // lines of two branches, in an order that a merge could have given them
			twinsOfLast},
		"unjoined": {unjoined, append(append(content(9), content(12)...),
			"swap 9 10",
			"edit 12 prev to 7", // as old as the true one, which git knows as an end of its own
			"remove 12"),        // the end of a branch whose file is not the current one
			[]string{"edit 9 ", "edit 12 ", "twin after 9 "}},
	} {
		t.Run(name, func(t *testing.T) {
			var unproven []string
			e := test.log(t)
			e.expect("")
			for mutation, data := range mutations(lines(e.data)) {
				m := e.branch()
				m.git = maps.Clone(e.git)
				m.data = data
				problems := Parse(data).Verify(m.file, m.known)
				if len(problems) == 0 {
					unproven = append(unproven, mutation)
				}
				checkKind(t, mutation, problems)

				// The next write is possible, and blesses nothing that it does not say.
				m.write("later")
				mends := func(p Problem) bool { return p.Kind.Mends() || p.Kind == Outside }
				if m.kinds() == "" && !slices.ContainsFunc(problems, mends) && len(problems) > 0 {
					t.Errorf("%s: %s, and the next write hides it", mutation, kinds(problems))
				}
				if slices.ContainsFunc(problems, func(p Problem) bool { return p.Kind == Outside }) && m.last().Found == "" {
					t.Errorf("%s: the next write does not say what it found", mutation)
				}

				// Putting the lines back as they were is the whole repair.
				isPrefix := func(end string) bool { return strings.HasPrefix(mutation, end) }
				if len(problems) > 0 && !slices.ContainsFunc(problems, mends) && !slices.ContainsFunc(test.ends, isPrefix) {
					written := lines(m.data)
					m.data = append(slices.Clone(e.data), written[len(written)-1]+"\n"...)
					if got := m.kinds(); got != "" {
						t.Errorf("%s: repaired, and still %s", mutation, got)
					}
				}
			}
			slices.Sort(unproven)
			slices.Sort(test.unproven)
			if !slices.Equal(unproven, test.unproven) {
				t.Errorf("not found:\n%q\nwant\n%q", unproven, test.unproven)
			}
		})
	}
}

var twinsOfLast = []string{"edit 12 ", "twin after 11 at 12", "twin after 12 "}

// content is what nothing vouches for in a line that no other follows.
func content(line int) []string {
	var all []string
	for _, field := range []string{"time", "actor", "action", "keys", "from", "readers", "later"} {
		all = append(all, fmt.Sprintf("edit %d %s", line, field))
	}
	return all
}

func checkKind(t *testing.T, mutation string, problems []Problem) {
	if len(problems) == 0 {
		return
	}
	verb, _, _ := strings.Cut(mutation, " ")
	want := map[string][]Kind{
		"edit":   {Edited, Unreadable, Removed, WrongSeq, SameFile, Outside, Reordered, Inserted},
		"remove": {Removed, Edited, Outside},
		"copy":   {Duplicated},
		"swap":   {Reordered},
		"insert": {Inserted, Unfinished},
		"twin":   {SameFile},
		"junk":   {Unreadable},
	}[verb]
	if !slices.ContainsFunc(problems, func(p Problem) bool { return slices.Contains(want, p.Kind) }) {
		t.Errorf("%s: found %s", mutation, kinds(problems))
	}
	if len(problems) > 2 {
		t.Errorf("%s: found no less than %s", mutation, kinds(problems))
	}
}

func mutations(text []string) map[string][]byte {
	all := make(map[string][]byte)
	records := Parse(join(text)).Records()
	last := records[len(records)-1]
	put := func(name string, text []string) { all[name] = join(text) }
	insert := func(at int, line string) []string { return slices.Insert(slices.Clone(text), at, line) }
	for i := range text {
		number := i + 1
		for field, edited := range edits(text, i) {
			l := slices.Clone(text)
			l[i] = edited
			put(fmt.Sprintf("edit %d %s", number, field), l)
		}
		put(fmt.Sprintf("remove %d", number), slices.Delete(slices.Clone(text), i, number))
		if number < len(text) {
			l := slices.Clone(text)
			l[i], l[number] = l[number], l[i]
			put(fmt.Sprintf("swap %d %d", number, number+1), l)
		}
		for at := range len(text) + 1 {
			put(fmt.Sprintf("copy %d at %d", number, at+1), insert(at, text[i]))
			put(fmt.Sprintf("junk at %d", at+1), insert(at, "{"))
			if at <= i {
				continue
			}
			var r Record
			json.Unmarshal([]byte(text[i]), &r)
			r.Prev, r.Also, r.Seq = Sum([]byte(text[i])), nil, r.Seq+1
			r.File = Sum([]byte("forged"))
			forged, _ := json.Marshal(r)
			put(fmt.Sprintf("insert after %d at %d", number, at+1), insert(at, string(forged)))
			r.File = last.File
			forged, _ = json.Marshal(r)
			put(fmt.Sprintf("twin after %d at %d", number, at+1), insert(at, string(forged)))
		}
	}
	return all
}

func edits(text []string, i int) map[string]string {
	other := Sum([]byte("other"))
	all := make(map[string]string)
	for field, value := range map[string]any{
		"seq":     50,
		"time":    "2020-01-01T00:00:00Z",
		"actor":   map[string]string{"member": "mallory"},
		"action":  "rotate",
		"keys":    map[string][]string{"added": {"OTHER"}},
		"from":    "elsewhere",
		"readers": map[string][]string{"gained": {"mallory"}},
		"file":    other,
		"prev":    other,
		"also":    []string{other},
		"later":   true,
	} {
		fields := make(map[string]any)
		json.Unmarshal([]byte(text[i]), &fields)
		fields[field] = value
		edited, _ := json.Marshal(fields)
		all[field] = string(edited)
		fields[field] = map[int]int{}
		if field == "seq" || field == "prev" || field == "file" || field == "time" {
			edited, _ = json.Marshal(fields)
			all[field+" to rubbish"] = string(edited)
		}
	}
	for j, line := range text {
		if j == i {
			continue
		}
		fields := make(map[string]any)
		json.Unmarshal([]byte(text[i]), &fields)
		if prev := Sum([]byte(line)); fields["prev"] != prev {
			fields["prev"] = prev
			edited, _ := json.Marshal(fields)
			all[fmt.Sprintf("prev to %d", j+1)] = string(edited)
		}
	}
	return all
}

// Two changes at once need not be told apart, but the history must go on.
func TestTwoMutations(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, e := range []*environment{linear(t), joined(t), unjoined(t)} {
		first := mutations(lines(e.data))
		for _, name := range slices.Sorted(maps.Keys(first)) {
			if random.IntN(10) > 0 {
				continue
			}
			second := mutations(lines(first[name]))
			then := slices.Sorted(maps.Keys(second))[random.IntN(len(second))]
			m := e.branch()
			m.git = maps.Clone(e.git)
			m.data = second[then]
			m.write("x", "y")
			if l := Parse(m.data); len(l.Newest()) != len(l.Records()) || l.lines[len(l.lines)-1].children > 0 || l.lines[len(l.lines)-1].gap {
				t.Errorf("%s, %s: not written on", name, then)
			}
		}
	}
}
