package crypt

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// What a YAML or JSON document may be: its parsed form takes many times its size.
const (
	treeSizeLimit  = 16 << 20
	treeDepthLimit = 100
	treePathLimit  = 1 << 10 // bytes of the names from the root to a value
	fieldsLimit    = 3 * recipientsLimit
)

const metadataRoot = "sops"

// tree collects the leaves of a YAML or JSON document in their order.
type tree struct {
	leaves []leaf
	fields []field
	seen   map[string]string // flattened name → dotted path
}

// scanTree reads a YAML or JSON document. Leaves under "sops" are metadata.
func scanTree(data []byte, f Format) ([]leaf, []field, error) {
	if len(data) > treeSizeLimit {
		return nil, nil, damaged(0, "", "a YAML or JSON file over %d MiB", treeSizeLimit>>20)
	}
	t := &tree{seen: make(map[string]string)}
	var err error
	if f == JSON {
		err = t.scanJSON(data)
	} else {
		err = t.scanYAML(data)
	}
	return t.leaves, t.fields, err
}

// leaf takes one scalar. text is a string's content; for any other type plain
// is what SOPS's MAC takes of it.
func (t *tree) leaf(path []string, line int, text string, plain []byte) error {
	size := 0
	for _, name := range path {
		size += len(name) + 1
	}
	if size > treePathLimit || len(t.fields) > fieldsLimit {
		return damaged(line, "", "names that are too long, or too many recipients")
	}
	path = append([]string(nil), path...)
	if path[0] == metadataRoot {
		t.fields = append(t.fields, field{path: path[1:], value: text, line: line})
		return nil
	}
	name := strings.Join(path, "_")
	dotted := strings.Join(path, ".")
	if !ValidKey(name) {
		return damaged(line, quoteName(dotted), "is not a name that a variable can have")
	}
	if first, dup := t.seen[name]; dup {
		return damaged(line, dotted, "becomes %s, as %s does", name, first)
	}
	t.seen[name] = dotted
	t.leaves = append(t.leaves, leaf{line: line, path: path, text: text, plain: plain})
	return nil
}

func (t *tree) refuseList(path []string, line int) error {
	return damaged(line, quoteName(strings.Join(path, ".")), "is a list, which variables cannot hold")
}

func (t *tree) scanYAML(data []byte) error {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	if err := dec.Decode(&doc); err != nil {
		return damaged(0, "", "not YAML that can be read")
	}
	if err := dec.Decode(&second); !errors.Is(err, io.EOF) {
		return damaged(second.Line, "", "more than one YAML document in the file")
	}
	if len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode {
		return damaged(doc.Line, "", "not a YAML mapping")
	}
	return t.yamlMapping(doc.Content[0], nil)
}

func (t *tree) yamlMapping(n *yaml.Node, path []string) error {
	names := make(map[string]int, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode || key.ShortTag() != "!!str" {
			return damaged(key.Line, "", "a name that is no string")
		}
		sub := append(path, key.Value)
		if first, dup := names[key.Value]; dup {
			return damaged(key.Line, quoteName(strings.Join(sub, ".")), "stands twice, first on line %d", first)
		}
		names[key.Value] = key.Line
		if err := t.yamlValue(value, sub); err != nil {
			return err
		}
	}
	return nil
}

func (t *tree) yamlValue(n *yaml.Node, path []string) error {
	if len(path) > treeDepthLimit {
		return damaged(n.Line, "", "nested too deep")
	}
	switch n.Kind {
	case yaml.MappingNode:
		return t.yamlMapping(n, path)
	case yaml.SequenceNode:
		if path[0] != metadataRoot {
			return t.refuseList(path, n.Line)
		}
		for i, item := range n.Content {
			if err := t.yamlValue(item, append(path, strconv.Itoa(i))); err != nil {
				return err
			}
		}
		return nil
	case yaml.ScalarNode:
		if path[0] == metadataRoot && len(path) == 1 {
			return damaged(n.Line, metadataRoot, "is not a mapping")
		}
		var v any
		if err := n.Decode(&v); err != nil {
			return damaged(n.Line, quoteName(strings.Join(path, ".")), "cannot be read")
		}
		return t.scalar(path, n.Line, v)
	default:
		return damaged(n.Line, "", "YAML aliases are not supported")
	}
}

// scalar takes a decoded scalar of any type.
func (t *tree) scalar(path []string, line int, v any) error {
	switch v := v.(type) {
	case string:
		return t.leaf(path, line, v, nil)
	case nil: // which SOPS neither encrypts nor hashes, like an empty string
		return t.leaf(path, line, "", nil)
	case bool, int, float64, time.Time:
		text, plain := scalarText(v)
		return t.leaf(path, line, text, []byte(plain))
	default:
		return damaged(line, quoteName(strings.Join(path, ".")), "has a type that SOPS does not know")
	}
}

// scalarText returns what sops prints for a typed scalar and what its MAC takes
// of it.
func scalarText(v any) (shown, mac string) {
	switch v := v.(type) {
	case bool:
		if v {
			return "true", "True"
		}
		return "false", "False"
	case int:
		s := strconv.Itoa(v)
		return s, s
	case float64:
		shown = strconv.FormatFloat(v, 'G', -1, 64)
		if !strings.ContainsAny(shown, ".E") {
			shown = strconv.FormatFloat(v, 'f', 1, 64)
		}
		return shown, strconv.FormatFloat(v, 'f', -1, 64)
	case time.Time:
		b, _ := v.MarshalText()
		return v.Format(time.RFC3339), string(b)
	default:
		panic(fmt.Sprintf("crypt: scalar of type %T", v))
	}
}

func (t *tree) scanJSON(data []byte) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	tok, err := dec.Token()
	if err != nil || tok != json.Delim('{') {
		return damaged(0, "", "not a JSON object")
	}
	if err := t.jsonObject(dec, data, nil); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return damaged(lineAt(data, dec), "", "text after the JSON object")
	}
	return nil
}

func lineAt(data []byte, dec *json.Decoder) int {
	return 1 + bytes.Count(data[:dec.InputOffset()], []byte("\n"))
}

func (t *tree) jsonObject(dec *json.Decoder, data []byte, path []string) error {
	names := make(map[string]bool)
	for {
		tok, err := dec.Token()
		if err != nil {
			return damaged(0, "", "not JSON that can be read")
		}
		if tok == json.Delim('}') {
			return nil
		}
		name := tok.(string) // the decoder lets nothing else stand here
		sub := append(path, name)
		if names[name] {
			return damaged(lineAt(data, dec), quoteName(strings.Join(sub, ".")), "stands twice")
		}
		names[name] = true
		if err := t.jsonValue(dec, data, sub); err != nil {
			return err
		}
	}
}

func (t *tree) jsonValue(dec *json.Decoder, data []byte, path []string) error {
	tok, err := dec.Token()
	if err != nil {
		return damaged(0, "", "not JSON that can be read")
	}
	const line = 0 // the decoder knows offsets alone, and counting lines for each is quadratic
	switch tok := tok.(type) {
	case json.Delim:
		switch {
		case len(path) > treeDepthLimit:
			return damaged(lineAt(data, dec), "", "nested too deep")
		case tok == '{':
			return t.jsonObject(dec, data, path)
		case path[0] != metadataRoot:
			return t.refuseList(path, lineAt(data, dec))
		}
		for i := 0; dec.More(); i++ {
			if err := t.jsonValue(dec, data, append(path, strconv.Itoa(i))); err != nil {
				return err
			}
		}
		_, err := dec.Token()
		if err != nil {
			return damaged(0, "", "not JSON that can be read")
		}
		return nil
	case json.Number:
		if i, err := tok.Int64(); err == nil {
			return t.scalar(path, line, int(i))
		}
		f, err := tok.Float64()
		if err != nil {
			return damaged(0, quoteName(strings.Join(path, ".")), "is a number out of range")
		}
		return t.scalar(path, line, f)
	default:
		if path[0] == metadataRoot && len(path) == 1 {
			return damaged(0, metadataRoot, "is not an object")
		}
		return t.scalar(path, line, tok)
	}
}
