package sopsconfig

import (
	"path"
	"slices"
	"strings"
)

// known returns the environment that a word names, "" for none.
func known(word string) string {
	switch word {
	case "dev", "devel", "develop", "development":
		return "development"
	case "stage", "staging", "stg":
		return "staging"
	case "prod", "production", "prd":
		return "production"
	case "test", "testing", "tests":
		return "test"
	case "preprod", "preproduction":
		return "preproduction"
	case "ci", "qa", "uat", "local", "preview", "sandbox", "demo", "integration":
		return word
	}
	return ""
}

// noise are the words of paths that say nothing of an environment.
var noise = []string{
	"env", "envs", "environment", "environments", "dotenv", "enc", "encrypted", "sops", "secret", "secrets", "config", "configs",
	"yaml", "yml", "json", "ini", "txt", "app", "apps", "service", "services", "deploy", "src",
}

// Environments derives from the paths of files which environment each belongs to: a known
// word in the file's name or in that of a directory above it, the innermost first, written
// out (prod is production), else what tells it from the others. A name is "" where nothing
// of a path can be one; several files can have the same.
//
// Paths are relative and have slashes.
func Environments(paths []string) []string {
	names := make([]string, len(paths))
	same := make(map[string][]int) // the paths whose names are not of known words
	for i, p := range paths {
		parts := split(p)
		if names[i] = knownIn(parts); names[i] != "" {
			continue
		}
		if names[i] = "default"; len(parts) > 0 {
			names[i] = clean(parts[len(parts)-1])
		}
		same[names[i]] = append(same[names[i]], i)
	}
	for _, group := range same {
		if len(group) > 1 {
			distinguish(paths, names, group)
		}
	}
	return names
}

// split returns the directories of a path and its name, each without noise, but for those
// of which nothing is left.
func split(p string) (parts []string) {
	for part := range strings.SplitSeq(strings.ToLower(p), "/") {
		words := strings.Split(strings.TrimLeft(part, "."), ".")
		words = slices.DeleteFunc(words, func(w string) bool { return w == "" || slices.Contains(noise, w) })
		if len(words) > 0 {
			parts = append(parts, strings.Join(words, "."))
		}
	}
	return parts
}

func knownIn(parts []string) string {
	for _, part := range slices.Backward(parts) {
		if name := knownWord(part); name != "" {
			return name
		}
	}
	return ""
}

// knownWord finds the one known word in a part of a path, "" if there are several: a
// test-production is neither test nor production.
func knownWord(part string) string {
	separator := func(r rune) bool { return strings.ContainsRune(".-_ ", r) }
	words := strings.FieldsFunc(part, separator)
	if len(words) > 1 && slices.ContainsFunc(words, func(w string) bool { return w == "pre" || w == "non" || w == "no" || w == "not" }) {
		return ""
	}
	found := ""
	for _, w := range words {
		name := known(w)
		if name != "" && found != "" && name != found {
			return ""
		}
		if name != "" {
			found = name
		}
	}
	return found
}

// distinguish names files that were named the same by the innermost directory in which they
// all differ, if there is one.
func distinguish(paths, names []string, group []int) {
	dirs := make([][]string, len(group))
	deepest := 0
	for i, at := range group {
		if dir := path.Dir(strings.ToLower(paths[at])); dir != "." {
			dirs[i] = strings.Split(dir, "/")
		}
		deepest = max(deepest, len(dirs[i]))
	}
	for up := 1; up <= deepest; up++ {
		level := make([]string, len(group))
		for i, dir := range dirs {
			if len(dir) >= up {
				level[i] = clean(dir[len(dir)-up])
			}
		}
		different := slices.Compact(slices.Sorted(slices.Values(level)))
		if len(different) == len(group) && different[0] != "" {
			for i, at := range group {
				names[at] = level[i]
			}
			return
		}
	}
}

// clean makes a valid name of a part of a path, "" if nothing of it is left.
func clean(part string) string {
	const longest = 32
	name := strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' {
			return r
		}
		return '-'
	}, strings.ToLower(part))
	name = strings.Trim(name, "-_")
	return strings.TrimRight(name[:min(len(name), longest)], "-_")
}
