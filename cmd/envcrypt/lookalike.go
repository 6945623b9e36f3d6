package main

import (
	"maps"
	"slices"
	"strings"

	"envcrypt/recipients"
)

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
