package crypt

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

const metadataPrefix = "sops_"

// linesLimit bounds the entries, comments and blank lines of one file, and so the
// memory that it can take.
const linesLimit = 500_000

// kind tells what a leaf of a document is.
type kind int

const (
	kindEntry kind = iota
	kindComment
	kindBlank
)

// leaf is one value, comment or blank line of a file as it stands there, before
// anything is decrypted.
type leaf struct {
	kind  kind
	line  int
	path  []string // of an entry: the names from the root; one in dotenv
	text  string   // ciphertext, or what stands in its place
	plain []byte   // of a value that is no string: the bytes SOPS's MAC takes
}

// scanDotenv splits a SOPS dotenv file as SOPS's own store does, and refuses
// what that store would read as something else than it looks like.
func scanDotenv(data []byte) (leaves []leaf, fields []field, err error) {
	seen := make(map[string]int)
	rest := string(data)
	for line := 1; rest != ""; line++ {
		if line > linesLimit {
			return nil, nil, damaged(line, "", "more than %d lines", linesLimit)
		}
		var text string
		text, rest, _ = strings.Cut(rest, "\n")
		switch {
		case text == "":
			leaves = append(leaves, leaf{kind: kindBlank, line: line})
			continue
		case isConflictMarker(text):
			return nil, nil, &DamagedError{Line: line, Problem: "git conflict marker: resolve the merge first", Cause: CauseConflict}
		case strings.IndexByte(text, 0) >= 0:
			return nil, nil, damaged(line, "", "NUL byte")
		case strings.HasSuffix(text, "\r"):
			return nil, nil, damaged(line, "", "carriage return at the end of the line: something converted the file's line endings")
		case text[0] == '#':
			leaves = append(leaves, leaf{kind: kindComment, line: line, text: text[1:]})
			continue
		}
		name, value, ok := strings.Cut(text, "=")
		if !ok {
			return nil, nil, damaged(line, "", `missing "="`)
		}
		if !utf8.ValidString(name) {
			return nil, nil, damaged(line, "", "the name is not valid UTF-8")
		}
		if first, dup := seen[name]; dup {
			return nil, nil, damaged(line, quoteName(name), "stands twice, first on line %d", first)
		}
		seen[name] = line
		if strings.HasPrefix(name, metadataPrefix) {
			fields = append(fields, field{path: metadataPath(name), value: strings.ReplaceAll(value, `\n`, "\n"), line: line})
			continue
		}
		if !ValidKey(name) {
			return nil, nil, damaged(line, shownName(name, value), "not a name that a variable can have")
		}
		if !isEncrypted(value) {
			value = strings.ReplaceAll(value, `\n`, "\n") // as SOPS reads plain text
		}
		leaves = append(leaves, leaf{line: line, path: []string{name}, text: value})
	}
	return trimBlanks(leaves), fields, nil
}

// trimBlanks drops blank lines at the end, which stand around the metadata.
func trimBlanks(leaves []leaf) []leaf {
	for len(leaves) > 0 && leaves[len(leaves)-1].kind == kindBlank {
		leaves = leaves[:len(leaves)-1]
	}
	return leaves
}

// metadataPath turns "sops_age__list_0__map_enc" into [age 0 enc].
func metadataPath(name string) []string {
	name = strings.TrimPrefix(name, metadataPrefix)
	name = strings.ReplaceAll(name, "__list_", "\x00")
	name = strings.ReplaceAll(name, "__map_", "\x00")
	return strings.Split(name, "\x00")
}

func isConflictMarker(line string) bool {
	for _, m := range []string{"<<<<<<<", "|||||||", "=======", ">>>>>>>"} {
		if rest, ok := strings.CutPrefix(line, m); ok && (rest == "" || rest[0] == ' ' || rest[0] == '\r') {
			return true
		}
	}
	return false
}

// ValidKey tells whether s can name a variable: ^[A-Za-z_][A-Za-z0-9_]*$, and
// not with the prefix "sops_", which SOPS keeps for its metadata.
func ValidKey(s string) bool {
	if s == "" || strings.HasPrefix(s, metadataPrefix) {
		return false
	}
	for i := range len(s) {
		c := s[i]
		letter := c == '_' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// shownName returns an invalid name where an error may show it, else "": a line
// that somebody pasted in can be part of a secret, such as the end of a base64
// text, which looks like a name with an empty value.
func shownName(name, value string) string {
	if name == "" || value == "" || value == "=" || !ValidKey("_"+strings.NewReplacer("-", "_", ".", "_").Replace(name)) {
		return ""
	}
	return quoteName(name)
}

// quoteName makes a name that is no valid key safe to show.
func quoteName(name string) string {
	const longest = 40
	if ValidKey(name) || strings.HasPrefix(name, metadataPrefix) && ValidKey(name[len(metadataPrefix):]) {
		return name
	}
	if len(name) > longest {
		return fmt.Sprintf("a name of %d bytes", len(name))
	}
	return strconv.Quote(name)
}

// firstLine returns data up to and including its first newline.
func firstLine(data []byte) []byte {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return data[:i+1]
	}
	return data
}
