package recipients

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
)

// Directory is a policy's members and groups. A name is a member or a group, never
// both, and a group's members are members; whoever fills a Directory sees to it.
type Directory struct {
	Members map[string][]Key
	Groups  map[string][]string
}

// Reader is one key that an environment is encrypted to, and the member it
// belongs to.
type Reader struct {
	Member string
	Key    Key
}

// Resolve returns the keys behind the names of members and groups, in the order of
// the names and of each group's members, each member and key once. It returns an
// *[UnknownReaderError] for a name that is neither.
func (d *Directory) Resolve(readers []string) ([]Reader, error) {
	var resolved []Reader
	members, keys := make(map[string]bool), make(map[Key]bool)
	add := func(name string) error {
		if _, ok := d.Members[name]; !ok {
			return &UnknownReaderError{Name: name}
		}
		if members[name] {
			return nil
		}
		members[name] = true
		for _, key := range d.Members[name] {
			if !keys[key] {
				keys[key] = true
				resolved = append(resolved, Reader{Member: name, Key: key})
			}
		}
		return nil
	}
	for _, reader := range readers {
		names, isGroup := d.Groups[reader]
		if !isGroup {
			names = []string{reader}
		}
		for _, name := range names {
			if err := add(name); err != nil {
				return nil, err
			}
		}
	}
	return resolved, nil
}

// UnknownReaderError names what is neither a member nor a group.
type UnknownReaderError struct {
	Name string
}

func (e *UnknownReaderError) Error() string {
	return fmt.Sprintf("%q is neither a member nor a group", e.Name)
}

// Diff compares the public keys that a file is encrypted to, as their texts stand
// in it, with the readers that a policy wants. It returns the readers that have no
// key in the file and, in canonical form, the keys in the file that are no reader's.
func Diff(have []string, want []Reader) (gained []Reader, lost []string) {
	present := make(map[string]bool, len(have))
	for _, text := range have {
		present[Canonical(text)] = true
	}
	for _, r := range want {
		if !present[r.Key.text] {
			gained = append(gained, r)
		}
	}
	for _, r := range want {
		delete(present, r.Key.text)
	}
	for _, text := range have {
		if text = Canonical(text); present[text] {
			delete(present, text)
			lost = append(lost, text)
		}
	}
	return gained, lost
}

// Canonical returns a public key's text as [Key.String] would, without checking it:
// blanks around it and an SSH comment are dropped. It is for comparing what stands
// in a file, which may be nothing that [ParseKey] accepts.
func Canonical(s string) string {
	s = strings.TrimSpace(s)
	if !strings.HasPrefix(s, "ssh-") {
		return s
	}
	fields := strings.Fields(s)
	return strings.Join(fields[:min(2, len(fields))], " ")
}

// Owner returns the member whose key text is, "" if it is nobody's.
func (d *Directory) Owner(text string) string {
	text = Canonical(text)
	owner := ""
	for name, keys := range d.Members {
		for _, key := range keys {
			if key.text == text && (owner == "" || name < owner) {
				owner = name
			}
		}
	}
	return owner
}

// Short cuts a public key to what a person can compare: of an SSH key, whose text begins
// and ends as its owner likes, the whole fingerprint that ssh-keygen -l shows.
func Short(text string) string {
	if kind, blob, ok := strings.Cut(text, " "); ok && strings.HasPrefix(kind, "ssh-") {
		if data, err := base64.StdEncoding.DecodeString(blob); err == nil {
			sum := sha256.Sum256(data)
			return kind + " SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
		}
	}
	const head, tail = 14, 6
	if len(text) <= head+tail+len("…") {
		return text
	}
	return text[:head] + "…" + text[len(text)-tail:]
}
