package crypt

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What the metadata that we write says. The suffix holds a character that no
// key name may have: SOPS's default, "_unencrypted", would leave keys with that
// ending in the clear, and only a suffix of our own can take its place.
const (
	writtenVersion           = "3.13.3" // the sops whose semantics these are
	writtenUnencryptedSuffix = ".unencrypted"
	defaultUnencryptedSuffix = "_unencrypted"
)

// recipientsLimit bounds the stanzas of one file.
const recipientsLimit = 10_000

// otherKinds are SOPS's names for key groups that hold no age keys, in the
// order in which they are reported.
var otherKinds = [...]string{"key_groups", "pgp", "kms", "gcp_kms", "azure_kv", "hc_vault", "hckms"}

// metadata is what SOPS keeps beside the values.
type metadata struct {
	stanzas      []stanza
	other        []string // of otherKinds, those that the file names
	lastModified time.Time
	mac          string
	version      string

	macOnlyEncrypted                     bool
	unencryptedSuffix, encryptedSuffix   string
	unencryptedRegex, encryptedRegex     string
	unencryptedComment, encryptedComment string
}

// field is one leaf of the metadata with its path, as in
// ["age", "0", "recipient"].
type field struct {
	path  []string
	value string
	line  int
}

// parseMetadata builds metadata from its leaves. Fields that SOPS ignores are
// ignored.
func parseMetadata(fields []field) (metadata, error) {
	if len(fields) == 0 {
		return metadata{}, &DamagedError{Problem: "no SOPS metadata: the file is not encrypted, or was cut off", Cause: CauseNotEncrypted}
	}
	var m metadata
	for _, f := range fields {
		if err := m.add(f); err != nil {
			return metadata{}, err
		}
	}
	return m, m.check(fields[0].line)
}

func (m *metadata) add(f field) error {
	var err error
	switch name := f.path[0]; name {
	case "age":
		if len(f.path) > 1 { // older tools write "age: null"
			return m.addStanza(f)
		}
	case "lastmodified":
		m.lastModified, err = time.Parse(time.RFC3339, f.value)
	case "mac":
		m.mac = f.value
	case "version":
		m.version = f.value
	case "mac_only_encrypted":
		m.macOnlyEncrypted, err = strconv.ParseBool(f.value)
	case "unencrypted_suffix":
		m.unencryptedSuffix = f.value
	case "encrypted_suffix":
		m.encryptedSuffix = f.value
	case "unencrypted_regex":
		m.unencryptedRegex = f.value
	case "encrypted_regex":
		m.encryptedRegex = f.value
	case "unencrypted_comment_regex":
		m.unencryptedComment = f.value
	case "encrypted_comment_regex":
		m.encryptedComment = f.value
	default:
		if len(f.path) > 1 && slices.Contains(otherKinds[:], name) && !slices.Contains(m.other, name) {
			m.other = append(m.other, name)
		}
	}
	if err != nil {
		return damaged(f.line, "sops_"+f.path[0], "cannot be read")
	}
	return nil
}

func (m *metadata) addStanza(f field) error {
	if len(f.path) != 3 {
		return damaged(f.line, "sops_age", "is not a list of recipients")
	}
	i, err := strconv.Atoi(f.path[1])
	if err != nil || i < 0 || i >= recipientsLimit {
		return damaged(f.line, "sops_age", "has a bad position")
	}
	for len(m.stanzas) <= i {
		m.stanzas = append(m.stanzas, stanza{})
	}
	s := &m.stanzas[i]
	switch name := f.path[2]; {
	case name == "recipient" && s.recipient == "":
		s.recipient = canonicalRecipient(f.value)
	case name == "enc" && s.armored == "":
		s.armored = f.value
	case name == "recipient" || name == "enc":
		return damaged(f.line, "sops_age", "entry %d of the recipients stands twice", i)
	}
	return nil
}

func (m *metadata) check(line int) error {
	for i, s := range m.stanzas {
		if s.recipient == "" || s.armored == "" {
			return damaged(line, "sops_age", "entry %d of the recipients is incomplete", i)
		}
		if strings.ContainsFunc(s.recipient, func(r rune) bool { return r < ' ' || r > '~' }) {
			return damaged(line, "sops_age", "entry %d of the recipients is no public key", i)
		}
	}
	switch {
	case len(m.stanzas) == 0 && len(m.other) > 0:
		return &UnsupportedError{Kinds: m.other}
	case len(m.stanzas) == 0:
		return damaged(line, "", "the metadata names no recipient")
	case m.lastModified.IsZero():
		return damaged(line, "", "the metadata has no lastmodified")
	case m.mac == "":
		return damaged(line, "", "the metadata has no MAC")
	}
	return nil
}

// rules tells which leaves the metadata wants encrypted. Rules on comments are
// left out: under them a leaf is what it looks like.
func (m *metadata) rules() (encrypted func(path []string) bool, err error) {
	set := 0
	for _, s := range []string{m.unencryptedSuffix, m.encryptedSuffix, m.unencryptedRegex, m.encryptedRegex, m.unencryptedComment, m.encryptedComment} {
		if s != "" {
			set++
		}
	}
	suffix := func(s string) func([]string) bool {
		return func(path []string) bool {
			return slices.ContainsFunc(path, func(p string) bool { return strings.HasSuffix(p, s) })
		}
	}
	pattern := func(s string) (func([]string) bool, error) {
		re, err := regexp.Compile(s)
		if err != nil {
			return nil, damaged(0, "", "a regular expression of the metadata does not compile")
		}
		return func(path []string) bool { return slices.ContainsFunc(path, re.MatchString) }, nil
	}
	not := func(f func([]string) bool) func([]string) bool {
		return func(path []string) bool { return !f(path) }
	}
	switch {
	case set > 1:
		return nil, damaged(0, "", "the metadata has more than one rule for what is encrypted")
	case m.encryptedSuffix != "":
		return suffix(m.encryptedSuffix), nil
	case m.encryptedRegex != "":
		return pattern(m.encryptedRegex)
	case m.unencryptedRegex != "":
		matches, err := pattern(m.unencryptedRegex)
		if err != nil {
			return nil, err
		}
		return not(matches), nil
	case m.unencryptedSuffix != "":
		return not(suffix(m.unencryptedSuffix)), nil
	case set == 0:
		return not(suffix(defaultUnencryptedSuffix)), nil
	default:
		return nil, nil
	}
}

// appendDotenv writes the metadata as SOPS's dotenv store does: flattened, in
// the order of the names.
func (m *metadata) appendDotenv(b []byte) []byte {
	for i, s := range m.stanzas {
		b = fmt.Appendf(b, "sops_age__list_%d__map_enc=%s\n", i, strings.ReplaceAll(s.armored, "\n", `\n`))
		b = fmt.Appendf(b, "sops_age__list_%d__map_recipient=%s\n", i, s.recipient)
	}
	b = fmt.Appendf(b, "sops_lastmodified=%s\n", m.lastModified.Format(time.RFC3339))
	b = fmt.Appendf(b, "sops_mac=%s\n", m.mac)
	b = fmt.Appendf(b, "sops_unencrypted_suffix=%s\n", m.unencryptedSuffix)
	b = fmt.Appendf(b, "sops_version=%s\n", m.version)
	return b
}
