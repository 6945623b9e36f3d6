package audit

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// flatten returns the lines of all files, and which file each is in.
func flatten(t *testing.T, path string) (lines [][]byte, file []string) {
	files, err := rotatedFiles(path)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range files {
		names = append(names, f.name)
	}
	for _, name := range append(names, path) {
		for _, l := range bytes.SplitAfter(read(t, name), []byte("\n")) {
			if len(l) > 0 {
				lines, file = append(lines, l), append(file, name)
			}
		}
	}
	return lines, file
}

func lay(t *testing.T, path string, lines [][]byte, file []string) {
	content := make(map[string][]byte)
	for i, l := range lines {
		content[file[i]] = append(content[file[i]], l...)
	}
	files, _ := rotatedFiles(path)
	for _, name := range append([]string{path}, names(files)...) {
		write(t, name, content[name])
	}
}

func names(files []rotated) (result []string) {
	for _, f := range files {
		result = append(result, f.name)
	}
	return result
}

// Every line of a log is edited, removed, repeated elsewhere, forged and swapped with every other,
// with and without further lines after it.
func TestVerifyFindsEverything(t *testing.T) {
	const count = 20
	for _, maxSize := range []int64{defaultMaxSize, 2000} {
		original := newLog(t)
		l := testLog(original)
		l.config.MaxSize = maxSize
		fill(t, l, 1, count)
		wantClean(t, original, count)
		lines, file := flatten(t, original)
		if len(lines) != count || maxSize == 2000 && file[0] == original {
			t.Fatal(len(lines), file[0])
		}
		path := copyLog(t, original)
		for i := range file {
			file[i] = filepath.Join(filepath.Dir(path), filepath.Base(file[i]))
		}
		check := func(what string, lines [][]byte, file []string) {
			t.Helper()
			lay(t, path, lines, file)
			head := read(t, path+headSuffix)
			if r := verify(t, path); len(r.Problems) == 0 || r.Mild {
				t.Errorf("max size %d: %s: %v", maxSize, what, r.Problems)
			}
			fill(t, testLog(path), 1, 2)
			if r := verify(t, path); len(r.Problems) == 0 || r.Mild {
				t.Errorf("max size %d: %s, and two lines more: %v", maxSize, what, r.Problems)
			}
			write(t, path+headSuffix, head)
		}
		for i := range lines {
			for at := range len(lines[i]) - 1 {
				if (at+i)%11 != 0 {
					continue // others in each line
				}
				edited := slices.Clone(lines)
				edited[i] = bytes.Clone(lines[i])
				edited[i][at] ^= 1
				if edited[i][at] == '\n' {
					continue
				}
				check(fmt.Sprintf("byte %d of line %d edited", at, i+1), edited, file)
			}
			check(fmt.Sprintf("line %d removed", i+1), slices.Delete(slices.Clone(lines), i, i+1), slices.Delete(slices.Clone(file), i, i+1))
			check(fmt.Sprintf("from line %d removed", i+1), lines[:i], file)
			if i > 0 {
				check(fmt.Sprintf("up to line %d removed", i), lines[i:], file[i:])
			}
			for j := range lines {
				check(fmt.Sprintf("line %d repeated before line %d", i+1, j+1), slices.Insert(slices.Clone(lines), j, lines[i]), slices.Insert(slices.Clone(file), j, file[j]))
				forged := testEntry(9)
				forged.Seq, forged.Time, forged.Prev = uint64(j+1), start, hexSum([32]byte{byte(i)})
				check(fmt.Sprintf("a line forged before line %d", j+1), slices.Insert(slices.Clone(lines), j, append(forged.AppendJSON(nil), '\n')), slices.Insert(slices.Clone(file), j, file[j]))
				if i < j {
					swapped := slices.Clone(lines)
					swapped[i], swapped[j] = swapped[j], swapped[i]
					check(fmt.Sprintf("lines %d and %d swapped", i+1, j+1), swapped, file)
				}
			}
			check(fmt.Sprintf("line %d repeated at the end", i+1), append(slices.Clone(lines), lines[i]), append(slices.Clone(file), path))
		}
		lay(t, path, lines, file)
		wantClean(t, path, count)
	}
}

func TestVerifyNamesTheLine(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(lines [][]byte) [][]byte
		want  string
	}{
		"edited":     {func(l [][]byte) [][]byte { l[3] = bytes.Replace(l[3], []byte("alice"), []byte("carol"), 1); return l }, "changed 4"},
		"removed":    {func(l [][]byte) [][]byte { return slices.Delete(l, 3, 5) }, "missing 4"},
		"inserted":   {func(l [][]byte) [][]byte { return slices.Insert(l, 3, l[1]) }, "misplaced 4"},
		"from later": {func(l [][]byte) [][]byte { return slices.Insert(l, 3, l[7]) }, "misplaced 4"},
		"swapped":    {func(l [][]byte) [][]byte { l[3], l[4] = l[4], l[3]; return l }, "misplaced 4, missing 6"},
		"garbage":    {func(l [][]byte) [][]byte { return slices.Insert(l, 3, []byte("\n"), []byte("x\n")) }, "unreadable 4"},
		"cut":        {func(l [][]byte) [][]byte { return l[:6] }, "cut 0"},
	} {
		path := newLog(t)
		fill(t, testLog(path), 1, 10)
		lines := bytes.SplitAfter(read(t, path), []byte("\n"))[:10]
		write(t, path, bytes.Join(test.spoil(lines), nil))
		got := ""
		for _, p := range verify(t, path).Problems {
			if got != "" {
				got += ", "
			}
			got += fmt.Sprintf("%s %d", p.Kind, p.Line)
		}
		if got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}

func TestVerifyManyProblems(t *testing.T) {
	path := newLog(t)
	fill(t, testLog(path), 1, 1)
	line := read(t, path)
	f, _ := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	f.Write(bytes.Repeat(line, 3000))
	f.Close()
	if r := verify(t, path); len(r.Problems) != problemLimit || r.Left != 2000 || r.Mild {
		t.Error(len(r.Problems), r.Left)
	}
}

func TestVerifyNothing(t *testing.T) {
	wantClean(t, newLog(t), 0)
	if _, err := Verify(t.TempDir()); err == nil {
		t.Error("a directory is verified")
	}
}

// law: whatever the files hold, reading ends, every line is an entry or an error, and no log that
// was not written by us is clean.
func FuzzRead(f *testing.F) {
	path := newLog(f)
	fill(f, testLog(path), 1, 3)
	f.Add(read(f, path), read(f, path+headSuffix))
	f.Add([]byte("{\"seq\":1}\n\n{\"seq\":1}"), []byte("x"))
	f.Add(bytes.Repeat([]byte("x"), entryLimit+5), []byte{})
	f.Fuzz(func(t *testing.T, text, head []byte) {
		path := newLog(t)
		write(t, path, text)
		write(t, path+headSuffix, head)
		found, bad := 0, 0
		for _, err := range Read(path, Filter{}) {
			if err != nil {
				bad++
			} else {
				found++
			}
		}
		lines := bytes.Count(text, []byte("\n"))
		if len(text) > 0 && text[len(text)-1] != '\n' {
			lines++
		}
		r := verify(t, path)
		if found+bad != lines || r.Entries != found {
			t.Fatalf("%d entries, %d verified, %d errors, %d lines", found, r.Entries, bad, lines)
		}
		if err := testLog(path).Append(testEntry(1)); err != nil {
			t.Fatal(err)
		}
		// A last line that lacked nothing but its end is an entry now.
		if after := verify(t, path); after.Entries != found+1 && after.Entries != found+2 || !r.Mild && after.Mild {
			t.Fatalf("%v\n%v", r, after)
		}
	})
}
