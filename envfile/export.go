package envfile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	dotenv = "dotenv"
	shell  = "shell"
)

// Var is one variable of an export.
type Var struct{ Key, Value string }

// nodeGuard follows a value whose last character is a backslash. Node's dotenv takes that for an escape of the closing
// quote and looks for another, over as many lines as it takes. It comes back when the next quote of that kind ends no line,
// so the comment has one of each that doesn't.
const nodeGuard = ` # here node's "dotenv" would read on`

// Dotenv writes one entry per variable, in the given order, so that Parse and bash ("set -a; . file") read the same
// values back. Node's dotenv does, too, except for a value that has a CR, or a single quote together with one of
// " $ or with a backslash that would be an escape; it then reads that one value differently, and no other.
//
// The error is an *ExpressError: for a key that is outside the pattern, reserved or there twice, for NUL and invalid
// UTF-8, and for a value with CR LF, with both a backtick and a single quote, or with a whole git conflict. Bash cannot
// assign to its own read-only variables, such as UID.
func Dotenv(vars []Var) ([]byte, error) {
	if err := check(vars, dotenv); err != nil {
		return nil, err
	}
	var text []byte
	for _, v := range vars {
		value, impossible := quote(v.Value)
		if impossible != "" {
			return nil, &ExpressError{v.Key, dotenv, impossible}
		}
		text = append(text, v.Key+"="+value...)
		if strings.HasSuffix(v.Value, `\`) {
			text = append(text, nodeGuard...)
		}
		text = append(text, '\n')
	}
	return text, nil
}

// Shell writes an export command per variable for any POSIX shell, with the value in single quotes. The error is an
// *ExpressError: for a key that is outside the pattern or there twice, and for NUL.
func Shell(vars []Var) ([]byte, error) {
	if err := check(vars, shell); err != nil {
		return nil, err
	}
	var text []byte
	for _, v := range vars {
		text = append(text, "export "+v.Key+"='"+strings.ReplaceAll(v.Value, "'", `'\''`)+"'\n"...)
	}
	return text, nil
}

// JSON writes one object of strings in the given order, indented by two blanks. The error is an *ExpressError: for
// NUL, invalid UTF-8, and a key that is there twice.
func JSON(vars []Var) ([]byte, error) {
	if err := check(vars, "json"); err != nil {
		return nil, err
	}
	if len(vars) == 0 {
		return []byte("{}\n"), nil
	}
	text := []byte("{\n")
	for i, v := range vars {
		if i > 0 {
			text = append(text, ",\n"...)
		}
		text = append(text, "  "+jsonString(v.Key)+": "+jsonString(v.Value)...)
	}
	return append(text, "\n}\n"...), nil
}

func jsonString(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		panic(err) // a string into memory
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// yamlKeyLimit is YAML's own, in characters, for a key on the line of its value.
const yamlKeyLimit = 1024

// YAML writes one mapping in the given order. Values are always strings in double quotes; a key is in quotes if YAML 1.1
// would take it for something else than a string. The error is an *ExpressError: for NUL, invalid UTF-8, and a key that is
// there twice or is longer than YAML allows.
func YAML(vars []Var) ([]byte, error) {
	if err := check(vars, "yaml"); err != nil {
		return nil, err
	}
	if len(vars) == 0 {
		return []byte("{}\n"), nil
	}
	var text []byte
	for _, v := range vars {
		key := v.Key
		if !ValidKey(key) || isYAMLWord(key) {
			key = yamlString(key)
		}
		if utf8.RuneCountInString(key) > yamlKeyLimit {
			return nil, &ExpressError{v.Key, "yaml", "its name is too long"}
		}
		text = append(text, key+": "+yamlString(v.Value)+"\n"...)
	}
	return text, nil
}

// isYAMLWord reports whether YAML 1.1 reads word as a boolean or null.
func isYAMLWord(word string) bool {
	switch strings.ToLower(word) {
	case "y", "n", "yes", "no", "on", "off", "true", "false", "null":
		return true
	}
	return false
}

func yamlString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08X`, r)
		default:
			fmt.Fprintf(&b, `\u%04X`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// Keys writes one key per line, in the given order.
func Keys(vars []Var) []byte {
	var text []byte
	for _, v := range vars {
		text = append(text, v.Key+"\n"...)
	}
	return text
}

// check finds what a format cannot express whatever the quotes.
func check(vars []Var, format string) error {
	seen := make(map[string]bool, len(vars))
	for _, v := range vars {
		var reason string
		switch named := format == dotenv || format == shell; {
		case named && !ValidKey(v.Key):
			reason = string(InvalidKey)
		case format == dotenv && strings.HasPrefix(v.Key, reservedPrefix):
			reason = string(ReservedKey)
		case seen[v.Key]:
			reason = string(DuplicateKey)
		case strings.Contains(v.Key+v.Value, "\x00"):
			reason = string(NULByte)
		case format != shell && !(utf8.ValidString(v.Key) && utf8.ValidString(v.Value)):
			reason = string(InvalidUTF8)
		}
		if reason != "" {
			return &ExpressError{v.Key, format, reason}
		}
		seen[v.Key] = true
	}
	return nil
}
