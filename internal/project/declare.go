package project

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Var is a plain value of the policy: configuration that is no secret.
type Var struct {
	Name  string
	Value string // a number or a truth value as it stands in the policy
	Line  int    // in the policy, from 1
}

// Declaration is what [keys.NAME] says of a key, in every environment.
type Declaration struct {
	Name        string
	Description string
	Required    bool     // in every environment, or
	RequiredIn  []string // in these
	Type        Type     // "" for any text
	Values      []string // of an enum
	Pattern     string   // a regular expression (RE2) for the whole value; "" for none; nobody has compiled it yet
	MinLength   int      // in bytes
	Unique      bool     // no two environments have the same value
	Shared      bool     // unique = false: two environments may well have the same value
	NoPromotion bool     // never copied between environments
	Rotate      time.Duration
	Example     string
	Generate    Generator // what makes a new value
	Line        int       // in the policy, from 1
}

// IsRequired reports whether an environment must have the key.
func (d *Declaration) IsRequired(environment string) bool {
	return d.Required || slices.Contains(d.RequiredIn, environment)
}

// Type is a type of values.
type Type string

const (
	TypeString   Type = "string"
	TypeInt      Type = "int"
	TypeBool     Type = "bool"
	TypePort     Type = "port"
	TypeURL      Type = "url"
	TypeHost     Type = "host"
	TypeEmail    Type = "email"
	TypeEnum     Type = "enum" // one of the declaration's values
	TypeJSON     Type = "json"
	TypeBase64   Type = "base64"
	TypePEM      Type = "pem"
	TypeDuration Type = "duration"
)

var types = []Type{
	TypeString, TypeInt, TypeBool, TypePort, TypeURL, TypeHost, TypeEmail, TypeEnum, TypeJSON, TypeBase64, TypePEM, TypeDuration,
}

// Rule is one [[environments.NAME.deny]]: what the environment must not have. A value that
// meets all of its conditions is refused; those that are "" do not count.
type Rule struct {
	Name    string // what --allow calls it: given, or deny-1, deny-2, … by its place
	Key     string // a pattern of names, in which * is any text and ? any character
	Value   string // a regular expression (RE2) that is somewhere in the value; nobody has compiled it yet
	Host    string // a pattern of host names, as Key; it is looked for in URLs, DSNs and host:port
	Message string
	Line    int // in the policy, from 1
}

// Exception is one line of [check.ignore] or [check.warn].
type Exception struct {
	ID          string // of the finding
	Environment string // the only one that it is about, "" for any
	Key         string // the only one that it is about, "" for any
	Warn        bool   // it stays a warning; otherwise nothing is said
	Reason      string
	Line        int // in the policy, from 1
}

// Generator says how a new value is made: Length characters of an alphabet, or words.
type Generator struct {
	Alphabet string // hex, base64url, alphanumeric or words; "" for none
	Length   int
}

// alphabets are what a [Generator] can draw from.
var alphabets = []string{"hex", "base64url", "alphanumeric", "words"}

// ParseGenerator reads "ALPHABET" or "ALPHABET:LENGTH", such as "hex:64", and reports
// whether it is one. Lengths are of at least 128 bits.
func ParseGenerator(s string) (Generator, bool) {
	const lengthLimit = 4096
	defaults := map[string]int{"hex": 64, "base64url": 43, "alphanumeric": 43, "words": 12}
	least := map[string]int{"hex": 32, "base64url": 22, "alphanumeric": 22, "words": 8} // 128 bits
	alphabet, length, given := strings.Cut(s, ":")
	g := Generator{Alphabet: alphabet, Length: defaults[alphabet]}
	if given {
		n, err := strconv.Atoi(length)
		if err != nil {
			return Generator{}, false
		}
		g.Length = n
	}
	ok := slices.Contains(alphabets, alphabet) && g.Length >= least[alphabet] && g.Length <= lengthLimit
	if !ok {
		return Generator{}, false
	}
	return g, true
}

// ParseAge reads a length of time as people write it in a policy or on a command line: "30d",
// "2w", "36h", "90m". It reports whether it is one, and more than nothing.
func ParseAge(s string) (time.Duration, bool) {
	const day = 24 * time.Hour
	for _, unit := range []struct {
		name   string
		length time.Duration
	}{{"d", day}, {"w", 7 * day}} {
		if number, ok := strings.CutSuffix(s, unit.name); ok {
			const most = 100 * 366
			n, err := strconv.Atoi(number)
			if err != nil || n < 1 || n > most {
				return 0, false
			}
			return time.Duration(n) * unit.length, true
		}
	}
	d, err := time.ParseDuration(s)
	return d, err == nil && d > 0
}

// Declaration returns what the policy says of a key, nil for nothing.
func (p *Policy) Declaration(key string) *Declaration {
	i, ok := p.declared[key]
	if !ok {
		return nil
	}
	return &p.Keys[i]
}

// Layers returns an environment and those that it inherits from, the deepest first: what a
// later one says wins.
func (p *Policy) Layers(env string) ([]Environment, error) {
	var layers []Environment
	for name := env; name != ""; {
		e, err := p.Environment(name)
		if err != nil {
			return nil, err
		}
		layers = append(layers, e)
		name = e.Inherits
	}
	slices.Reverse(layers)
	return layers, nil
}
