package main

import (
	"fmt"
	"strings"
)

// unifiedDiff is the difference of two texts as a patch that git applies, of a file with
// a path in the repository. It is right, and short where little differs, but not always
// the shortest.
func unifiedDiff(path, old, new string) string {
	a, b := strings.SplitAfter(old, "\n"), strings.SplitAfter(new, "\n")
	a, b = withoutEmptyEnd(a), withoutEmptyEnd(b)
	start := 0
	for start < len(a) && start < len(b) && a[start] == b[start] {
		start++
	}
	end := 0 // how many lines are the same at the end
	for end < len(a)-start && end < len(b)-start && a[len(a)-1-end] == b[len(b)-1-end] {
		end++
	}
	const context = 3
	before, after := min(start, context), min(end, context)
	var out strings.Builder
	fmt.Fprintf(&out, "--- a/%s\t\n+++ b/%s\t\n", path, path)
	from := start - before
	fmt.Fprintf(&out, "@@ -%s +%s @@\n", hunkRange(from, len(a)-end+after-from), hunkRange(from, len(b)-end+after-from))
	write := func(sign string, lines []string) {
		for _, line := range lines {
			out.WriteString(sign + line)
			if !strings.HasSuffix(line, "\n") {
				out.WriteString("\n\\ No newline at end of file\n")
			}
		}
	}
	write(" ", a[from:start])
	write("-", a[start:len(a)-end])
	write("+", b[start:len(b)-end])
	write(" ", a[len(a)-end:len(a)-end+after])
	return out.String()
}

func withoutEmptyEnd(lines []string) []string {
	if n := len(lines); n > 0 && lines[n-1] == "" {
		return lines[:n-1]
	}
	return lines
}

func hunkRange(start, n int) string {
	if n == 0 {
		return fmt.Sprintf("%d,0", start)
	}
	return fmt.Sprintf("%d,%d", start+1, n)
}
