package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"envcrypt/recipients"
)

// doubtName asks whether a new name is meant that looks like others; "" if none does, other
// than those that do not count.
func doubtName(d *recipients.Directory, name string, but ...string) string {
	similar := except(lookAlikes(d, name), but)
	if len(similar) == 0 {
		return ""
	}
	return fmt.Sprintf("%s looks like %s, which is another: go on?", name, listed(similar))
}

func except(names, but []string) []string {
	return slices.DeleteFunc(names, func(s string) bool { return slices.Contains(but, s) })
}

// lookAlikes returns the members and groups whose names a person could take for a new one.
// Names are ASCII, so these are letters such as l and I, and the signs between them.
func lookAlikes(d *recipients.Directory, name string) (similar []string) {
	like := strings.NewReplacer("i", "l", "1", "l", "0", "o", "5", "s", "rn", "m", "vv", "w", "-", "", "_", "", ".", "", "@", "")
	look := func(s string) string { return like.Replace(strings.ToLower(s)) }
	for _, names := range [][]string{slices.Sorted(maps.Keys(d.Members)), slices.Sorted(maps.Keys(d.Groups))} {
		for _, other := range names {
			if other != name && look(other) == look(name) {
				similar = append(similar, other)
			}
		}
	}
	return similar
}
