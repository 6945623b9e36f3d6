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

// recipientsLimit bounds the stanzas of one file, in all of its groups.
const recipientsLimit = 10_000

// otherKinds are SOPS's names for keys that are not age's.
var otherKinds = [...]string{"pgp", "kms", "gcp_kms", "azure_kv", "hc_vault", "hckms"}

// metadata is what SOPS keeps beside the values.
type metadata struct {
	groups       []group
	quorum       int      // how many of the groups open the document: 1 where there is one
	other        []string // of otherKinds, those that the file names, and key_groups where nothing heeds them
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

// metadataParser collects the keys of a file, which SOPS keeps in either of two places.
type metadataParser struct {
	metadata
	single    group   // the keys that stand alone
	several   []group // those of key_groups
	threshold int
	stanzas   int // in all of them
}

// parseMetadata builds metadata from its leaves. Fields that SOPS ignores are
// ignored.
func parseMetadata(fields []field) (metadata, error) {
	if len(fields) == 0 {
		return metadata{}, &DamagedError{Problem: "no SOPS metadata: the file is not encrypted, or was cut off", Cause: CauseNotEncrypted}
	}
	var p metadataParser
	for _, f := range fields {
		if err := p.add(f); err != nil {
			return metadata{}, err
		}
	}
	if err := p.check(fields[0].line); err != nil {
		return metadata{}, err
	}
	return p.metadata, nil
}

func (p *metadataParser) add(f field) error {
	var err error
	switch name := f.path[0]; name {
	case "lastmodified":
		p.lastModified, err = time.Parse(time.RFC3339, f.value)
	case "mac":
		p.mac = f.value
	case "version":
		p.version = f.value
	case "mac_only_encrypted":
		p.macOnlyEncrypted, err = strconv.ParseBool(f.value)
	case "unencrypted_suffix":
		p.unencryptedSuffix = f.value
	case "encrypted_suffix":
		p.encryptedSuffix = f.value
	case "unencrypted_regex":
		p.unencryptedRegex = f.value
	case "encrypted_regex":
		p.encryptedRegex = f.value
	case "unencrypted_comment_regex":
		p.unencryptedComment = f.value
	case "encrypted_comment_regex":
		p.encryptedComment = f.value
	case "shamir_threshold":
		p.threshold, err = strconv.Atoi(f.value)
	case "key_groups":
		return p.addToGroup(f)
	default:
		return p.addKey(&p.single, f.path, f)
	}
	if err != nil {
		return damaged(f.line, "sops_"+f.path[0], "cannot be read")
	}
	return nil
}

// addToGroup takes a field of one of several groups, as in
// ["key_groups", "1", "age", "0", "recipient"].
func (p *metadataParser) addToGroup(f field) error {
	if len(f.path) == 1 { // "key_groups: null"
		return nil
	}
	i, err := strconv.Atoi(f.path[1])
	if err != nil || i < 0 || i >= groupsLimit {
		return damaged(f.line, "sops_key_groups", "has a bad position")
	}
	for len(p.several) <= i {
		p.several = append(p.several, group{})
	}
	if len(f.path) == 2 {
		return damaged(f.line, "sops_key_groups", "group %d is not a group of keys", i)
	}
	return p.addKey(&p.several[i], f.path[2:], f)
}

// addKey takes a field of a group's keys, where path is as in ["age", "0", "recipient"].
func (p *metadataParser) addKey(g *group, path []string, f field) error {
	switch kind := path[0]; {
	case len(path) == 1: // older tools write "age: null"
	case kind == "age":
		return p.addStanza(g, path[1:], f)
	case slices.Contains(otherKinds[:], kind) && !slices.Contains(g.other, kind):
		g.other = append(g.other, kind)
	}
	return nil
}

func (p *metadataParser) addStanza(g *group, path []string, f field) error {
	at := "sops_" + f.path[0]
	if len(path) != 2 {
		return damaged(f.line, at, "is not a list of recipients")
	}
	i, err := strconv.Atoi(path[0])
	if err != nil || i < 0 {
		return damaged(f.line, at, "has a bad position")
	}
	for len(g.stanzas) <= i {
		if p.stanzas++; p.stanzas > recipientsLimit {
			return damaged(f.line, at, "has a bad position")
		}
		g.stanzas = append(g.stanzas, stanza{})
	}
	s := &g.stanzas[i]
	switch name := path[1]; {
	case name == "recipient" && s.recipient == "":
		s.recipient = canonicalRecipient(f.value)
	case name == "enc" && s.armored == "":
		s.armored = f.value
	case name == "recipient" || name == "enc":
		return damaged(f.line, at, "entry %d of the recipients stands twice", i)
	}
	return nil
}

func (p *metadataParser) check(line int) error {
	if err := p.chooseGroups(line); err != nil {
		return err
	}
	switch {
	case p.lastModified.IsZero():
		return damaged(line, "", "the metadata has no lastmodified")
	case p.mac == "":
		return damaged(line, "", "the metadata has no MAC")
	}
	return nil
}

// chooseGroups settles which keys are the file's. Where any stand alone, SOPS does not
// look at its key groups.
func (p *metadataParser) chooseGroups(line int) error {
	alone := len(p.single.stanzas)+len(p.single.other) > 0
	switch {
	case alone:
		p.groups, p.quorum = []group{p.single}, 1
		if p.other = p.single.other; len(p.several) > 0 {
			p.other = append(p.other, "key_groups")
		}
	case len(p.several) > 0:
		p.groups, p.quorum = p.several, p.threshold
		for _, g := range p.groups {
			p.other = append(p.other, g.other...)
		}
		slices.Sort(p.other)
		p.other = slices.Compact(p.other)
	default:
		return damaged(line, "", "the metadata names no recipient")
	}
	if err := p.checkStanzas(line); err != nil {
		return err
	}
	if !alone {
		if err := p.checkQuorum(line); err != nil {
			return err
		}
	}
	usable := 0
	for _, g := range p.groups {
		if len(g.stanzas) > 0 {
			usable++
		}
	}
	if usable < p.quorum {
		return &UnsupportedError{Kinds: p.other}
	}
	return nil
}

func (m *metadata) checkStanzas(line int) error {
	at := "sops_age"
	if len(m.groups) > 1 {
		at = "sops_key_groups"
	}
	for _, g := range m.groups {
		for i, s := range g.stanzas {
			if s.recipient == "" || s.armored == "" {
				return damaged(line, at, "entry %d of the recipients is incomplete", i)
			}
			if strings.ContainsFunc(s.recipient, func(r rune) bool { return r < ' ' || r > '~' }) {
				return damaged(line, at, "entry %d of the recipients is no public key", i)
			}
		}
	}
	return nil
}

func (m *metadata) checkQuorum(line int) error {
	if n := len(m.groups); m.quorum < 2 || m.quorum > n {
		return damaged(line, "sops_shamir_threshold", "is not between 2 and the number of key groups, which is %d", n)
	}
	for i, g := range m.groups {
		if len(g.stanzas)+len(g.other) == 0 {
			return damaged(line, "sops_key_groups", "group %d has no keys", i)
		}
	}
	if i, j, found := overlap(m.recipientGroups()); found {
		return damaged(line, "sops_key_groups", "groups %d and %d share a recipient", i, j)
	}
	return nil
}

// recipients lists the recipients of all groups.
func (m *metadata) recipients() []string {
	return slices.Concat(m.recipientGroups()...)
}

func (m *metadata) recipientGroups() [][]string {
	groups := make([][]string, 0, len(m.groups))
	for i := range m.groups {
		groups = append(groups, m.groups[i].recipients())
	}
	return groups
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
	for i, g := range m.groups {
		prefix := "sops_"
		if m.quorum > 1 {
			prefix = fmt.Sprintf("sops_key_groups__list_%d__map_", i)
		}
		for j, s := range g.stanzas {
			b = fmt.Appendf(b, "%sage__list_%d__map_enc=%s\n", prefix, j, strings.ReplaceAll(s.armored, "\n", `\n`))
			b = fmt.Appendf(b, "%sage__list_%d__map_recipient=%s\n", prefix, j, s.recipient)
		}
	}
	b = fmt.Appendf(b, "sops_lastmodified=%s\n", m.lastModified.Format(time.RFC3339))
	b = fmt.Appendf(b, "sops_mac=%s\n", m.mac)
	if m.quorum > 1 {
		b = fmt.Appendf(b, "sops_shamir_threshold=%d\n", m.quorum)
	}
	b = fmt.Appendf(b, "sops_unencrypted_suffix=%s\n", m.unencryptedSuffix)
	b = fmt.Appendf(b, "sops_version=%s\n", m.version)
	return b
}
