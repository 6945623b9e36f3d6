package sopsconfig

import (
	"strings"

	"envcrypt/recipients"

	"go.yaml.in/yaml/v3"
)

// nameKeys finds what the whole file calls the keys, wherever they stand: people keep them
// in a list of their own, with anchors.
func (p *parser) nameKeys(n *yaml.Node) {
	if p.visit(n, 0) == nil {
		return
	}
	heading := hasHeading(n)
	for i, child := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			continue
		}
		switch {
		case child.Kind == yaml.ScalarNode:
			p.nameKey(child, child, !heading)
		case child.Kind == yaml.AliasNode && child.Alias.Kind == yaml.ScalarNode:
			p.nameKey(child.Alias, child, !heading)
		case child.Kind != yaml.AliasNode: // which is visited where it stands
			p.nameKeys(child)
		}
	}
}

// nameKey takes the name of a key's text, if it has one key: its anchor, the comment behind
// it where it is mentioned, or the one above. The first name stays.
func (p *parser) nameKey(text, mention *yaml.Node, above bool) {
	keys := splitKeys(text.Value)
	if len(keys) != 1 {
		return
	}
	key, err := recipients.ParseKey(keys[0])
	if err != nil || p.config.names[key] != "" {
		return
	}
	name := MemberName(text.Anchor)
	if name == "" {
		name = MemberName(comment(mention.LineComment))
	}
	if name == "" && above {
		name = MemberName(comment(mention.HeadComment))
	}
	if name == "" {
		if _, word, ok := strings.Cut(keys[0], " "); ok && strings.HasPrefix(keys[0], "ssh-") {
			_, word, _ = strings.Cut(word, " ")
			name = MemberName(word)
		}
	}
	if name != "" {
		p.config.names[key] = name
	}
}

// hasHeading tells of a list whose first entry alone has a comment above: it stands for all.
func hasHeading(n *yaml.Node) bool {
	if n.Kind != yaml.SequenceNode || len(n.Content) < 2 {
		return false
	}
	for _, item := range n.Content[1:] {
		if item.HeadComment != "" {
			return false
		}
	}
	return n.Content[0].HeadComment != ""
}

// comment returns a comment's last line, without its mark.
func comment(text string) string {
	if i := strings.LastIndexByte(text, '\n'); i >= 0 {
		text = text[i+1:]
	}
	return strings.TrimSpace(strings.TrimLeft(text, "# \t"))
}

// MemberName makes a valid member name of what a comment or a person says: "" if it says
// too much to be one.
func MemberName(text string) string {
	const words, longest = 3, 64
	text, _, _ = strings.Cut(text, "<") // of Alice <alice@example.com>
	fields := strings.Fields(text)
	if len(fields) == 0 || len(fields) > words || strings.HasPrefix(fields[0], "age1") {
		return ""
	}
	name := strings.Map(func(r rune) rune {
		if r < 0x80 && (strings.ContainsRune("-_.@", r) || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z') {
			return r
		}
		return -1
	}, strings.Join(fields, "-"))
	name = strings.TrimRight(strings.TrimLeft(name, "-_.@"), "-_.@")
	return name[:min(len(name), longest)]
}
