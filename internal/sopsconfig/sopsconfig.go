// Package sopsconfig reads a .sops.yaml for what envcrypt's policy can say of it: which
// files are encrypted to whom, and the names that people write beside keys. What it cannot
// say (KMS, PGP, rules for parts of a file) is listed and not obeyed.
//
// It is bytes in: no file is looked for here, and no error quotes what it could not read.
package sopsconfig

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"envcrypt/recipients"

	"go.yaml.in/yaml/v3"
)

// FileName is what sops calls its configuration.
const FileName = ".sops.yaml"

// Config is what a .sops.yaml says.
type Config struct {
	Rules []Rule
	// Destinations is the line of destination_rules, 0 without. They say where to publish.
	Destinations int

	names map[recipients.Key]string
}

// Rule is one of creation_rules.
type Rule struct {
	Line    int
	Pattern string // its path_regex; "" for every path

	// Groups are the age keys. A file opens with any key of a single group, or with one
	// of each of Quorum of several. A group may be empty if Foreign is not.
	Groups [][]recipients.Key
	Quorum int // 1 with a single group

	Foreign []string // SOPS's names of the keys that are not age's
	Partial []string // the settings that leave some values in the clear
	Shared  bool     // a key stands in more than one group

	path *regexp.Regexp
}

// Error is a mistake in a .sops.yaml. It holds nothing of the text.
type Error struct {
	Line    int // from 1; 0 where no line is to blame
	Problem string
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return e.Problem
	}
	return fmt.Sprintf("line %d: %s", e.Line, e.Problem)
}

// Parse reads a .sops.yaml. Every error is an [*Error] for the first mistake found; what
// looks like a private key is one, wherever it stands.
func Parse(text []byte) (*Config, error) {
	number := 0
	for line := range bytes.Lines(text) {
		if number++; recipients.LooksPrivate(string(line)) {
			return nil, &Error{number, "a private key, which everybody who has the file can read: make a new one, and put the public key here"}
		}
	}
	var doc yaml.Node
	if err := yaml.NewDecoder(bytes.NewReader(text)).Decode(&doc); err != nil && !errors.Is(err, io.EOF) {
		return nil, &Error{lineOf(err), "this is not YAML"}
	}
	p := &parser{config: &Config{names: make(map[recipients.Key]string)}}
	if len(doc.Content) == 1 {
		p.file(doc.Content[0])
	}
	if p.err != nil {
		return nil, p.err
	}
	return p.config, nil
}

// lineOf finds the line in an error of the YAML parser, whose text may quote the file.
func lineOf(err error) (line int) {
	if n, _ := fmt.Sscanf(err.Error(), "yaml: line %d:", &line); n == 0 {
		return 0
	}
	return line
}

// RuleFor returns the rule that sops takes for a file: the first that covers its path, which
// is relative to the directory of the .sops.yaml and has slashes. Nil if there is none.
func (c *Config) RuleFor(path string) *Rule {
	i := slices.IndexFunc(c.Rules, func(r Rule) bool { return r.path == nil || r.path.MatchString(path) })
	if i < 0 {
		return nil
	}
	return &c.Rules[i]
}

// Name returns what a comment or an anchor calls a key, made a valid member name, or "".
func (c *Config) Name(key recipients.Key) string { return c.names[key] }

// parser goes on after a mistake, and keeps the first.
type parser struct {
	config *Config
	nodes  int
	err    *Error
}

func (p *parser) fail(line int, format string, args ...any) {
	if p.err == nil {
		p.err = &Error{line, fmt.Sprintf(format, args...)}
	}
}

// The limits of what aliases can blow up, and of how deep they can nest.
const (
	nodesLimit = 200_000
	depthLimit = 20
)

// visit counts a node and follows its alias. It returns nil where there is too much.
func (p *parser) visit(n *yaml.Node, depth int) *yaml.Node {
	if n == nil || p.err != nil {
		return nil
	}
	if p.nodes++; p.nodes > nodesLimit || depth > depthLimit {
		p.fail(n.Line, "too much, or nested too deep")
		return nil
	}
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func (p *parser) file(root *yaml.Node) {
	if root.Kind != yaml.MappingNode {
		p.fail(root.Line, "not a mapping with creation_rules")
		return
	}
	for i := 0; i < len(root.Content); i += 2 {
		if key := root.Content[i]; key.Value == "destination_rules" {
			p.config.Destinations = key.Line
		}
	}
	for _, n := range p.list(p.get(root, "creation_rules", 0), "creation_rules", 0) {
		at := n.Line
		if n = p.visit(n, 0); n != nil && n.Kind != yaml.MappingNode {
			p.fail(at, "a rule of creation_rules is not a mapping")
		} else if n != nil {
			p.rule(n, at)
		}
	}
	p.nameKeys(root)
}

// get returns what a mapping has under a name, also through a merge ("<<").
func (p *parser) get(mapping *yaml.Node, name string, depth int) (found *yaml.Node) {
	if p.visit(mapping, depth) == nil {
		return nil
	}
	var merged *yaml.Node
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		switch key := mapping.Content[i]; {
		case key.Value == name && found != nil:
			p.fail(key.Line, "%s stands twice", name)
		case key.Value == name:
			found = mapping.Content[i+1]
		case key.Tag == "!!merge":
			merged = mapping.Content[i+1]
		}
	}
	if found != nil || merged == nil {
		return found
	}
	from := []*yaml.Node{merged}
	if merged.Kind == yaml.SequenceNode {
		from = merged.Content
	}
	for _, n := range from {
		if n = p.visit(n, depth+1); n != nil && n.Kind == yaml.MappingNode && found == nil {
			found = p.get(n, name, depth+1)
		}
	}
	return found
}

// list returns what stands in a sequence, nothing for an absent one.
func (p *parser) list(n *yaml.Node, name string, depth int) []*yaml.Node {
	if n = p.visit(n, depth); n == nil || n.Tag == "!!null" {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		p.fail(n.Line, "%s is not a list", name)
		return nil
	}
	return n.Content
}

func (p *parser) text(mapping *yaml.Node, name string) (text string, line int) {
	n := p.visit(p.get(mapping, name, 0), 0)
	switch {
	case n == nil:
		return "", 0
	case n.Kind != yaml.ScalarNode:
		p.fail(n.Line, "%s is not a text", name)
		return "", 0
	case n.Tag == "!!null":
		return "", 0
	}
	return n.Value, n.Line
}

// What a rule can say beside age keys: its own names of other keys, and, in a group, theirs.
var (
	foreignOfRule  = []string{"kms", "pgp", "gcp_kms", "azure_keyvault", "hc_vault_transit_uri", "hckms"}
	foreignOfGroup = []string{"kms", "pgp", "gcp_kms", "azure_keyvault", "hc_vault", "hckms"}
	partial        = []string{
		"encrypted_regex", "unencrypted_regex", "encrypted_suffix", "unencrypted_suffix",
		"encrypted_comment_regex", "unencrypted_comment_regex",
	}
)

func (p *parser) rule(n *yaml.Node, line int) {
	r := Rule{Line: line, Quorum: 1}
	var at int
	if r.Pattern, at = p.text(n, "path_regex"); r.Pattern != "" {
		var err error
		if r.path, err = regexp.Compile(r.Pattern); err != nil {
			p.fail(at, "path_regex is not a regular expression (RE2)")
		}
	}
	for _, name := range partial {
		if text, _ := p.text(n, name); text != "" {
			r.Partial = append(r.Partial, name)
		}
	}
	groups := p.list(p.get(n, "key_groups", 0), "key_groups", 0)
	if len(groups) == 0 {
		r.Groups = [][]recipients.Key{p.keys(p.get(n, "age", 0), 0)}
		r.foreign(p, n, foreignOfRule)
	}
	for _, g := range groups { // beside which sops heeds no other keys
		r.Groups = append(r.Groups, p.group(&r, g, 0))
	}
	r.Quorum = p.threshold(n, len(r.Groups))
	r.Shared = shared(r.Groups)
	p.config.Rules = append(p.config.Rules, r)
}

// group reads one of key_groups, with the groups that it merges.
func (p *parser) group(r *Rule, n *yaml.Node, depth int) []recipients.Key {
	at := n.Line
	if n = p.visit(n, depth); n == nil {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		p.fail(at, "a group of key_groups is not a mapping")
		return nil
	}
	keys := p.keys(p.get(n, "age", depth), depth)
	r.foreign(p, n, foreignOfGroup)
	for _, m := range p.list(p.get(n, "merge", depth), "merge", depth) {
		for _, key := range p.group(r, m, depth+1) {
			if !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
		}
	}
	return keys
}

func (r *Rule) foreign(p *parser, n *yaml.Node, names []string) {
	for _, name := range names {
		v := p.visit(p.get(n, name, 0), 0)
		given := v != nil && v.Tag != "!!null" && (v.Value != "" || len(v.Content) > 0)
		if given && !slices.Contains(r.Foreign, name) {
			r.Foreign = append(r.Foreign, name)
		}
	}
}

// threshold returns how many of n groups it takes: all, unless the rule says so.
func (p *parser) threshold(rule *yaml.Node, n int) int {
	if n == 1 {
		return 1
	}
	text, line := p.text(rule, "shamir_threshold")
	if text == "" || text == "0" {
		return n
	}
	var k int
	if _, err := fmt.Sscanf(text, "%d", &k); err != nil || k < 2 || k > n {
		p.fail(line, "shamir_threshold is not between 2 and the number of key_groups")
	}
	return k
}

// shared tells whether a key stands in several groups.
func shared(groups [][]recipients.Key) bool {
	in := make(map[recipients.Key]int)
	for i, g := range groups {
		for _, key := range g {
			if first, ok := in[key]; ok && first != i {
				return true
			}
			in[key] = i
		}
	}
	return false
}

// keys reads age keys: a text with commas between them, or a list of such texts.
func (p *parser) keys(n *yaml.Node, depth int) (keys []recipients.Key) {
	add := func(key recipients.Key) {
		if !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	line := 0
	if n != nil {
		line = n.Line
	}
	switch n = p.visit(n, depth); {
	case n == nil || n.Tag == "!!null":
	case n.Kind == yaml.SequenceNode:
		for _, item := range n.Content {
			for _, key := range p.keys(item, depth+1) {
				add(key)
			}
		}
	case n.Kind == yaml.ScalarNode:
		for _, text := range splitKeys(n.Value) {
			key, err := recipients.ParseKey(text)
			if err != nil {
				p.fail(line, "an age key: %v", err)
				return nil
			}
			add(key)
		}
	default:
		p.fail(line, "age is neither a text nor a list")
	}
	return keys
}

func splitKeys(text string) (keys []string) {
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			keys = append(keys, part)
		}
	}
	return keys
}
