// Package recipients says who an environment is encrypted to: public keys, the
// members and groups that own them, and the difference of two sets of them.
//
// Private keys and files are not here, and nothing here reads the process
// environment or runs a program; only a plugin's [age.Recipient], returned
// once its name was allowed, does so when it is used.
package recipients

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"envcrypt/internal/bech32"
	"envcrypt/internal/x25519"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"filippo.io/age/plugin"
	"golang.org/x/crypto/ssh"
)

// Kind is a kind of public key.
type Kind int

const (
	X25519     Kind = iota + 1 // age1…
	Hybrid                     // age1pq1…, post-quantum
	SSHEd25519                 // ssh-ed25519 AAAA…
	SSHRSA                     // ssh-rsa AAAA…, of 2048 bits or more
	Plugin                     // age1NAME1…
)

func (k Kind) String() string {
	switch k {
	case X25519:
		return "X25519"
	case Hybrid:
		return "hybrid"
	case SSHEd25519:
		return "ssh-ed25519"
	case SSHRSA:
		return "ssh-rsa"
	case Plugin:
		return "plugin"
	}
	return "none"
}

// Key is a valid public key, comparable so that it can be a map's key: two
// spellings of one key are equal. The zero Key is none.
type Key struct {
	text string
	kind Kind
}

const accepted = "age1… (age), age1pq1… (age, post-quantum), age1NAME1… (an age plugin), ssh-ed25519 AAAA… and ssh-rsa AAAA…"

// ParseKey reads a public key in the form that age and ssh print it. Blanks
// around it and an SSH comment are dropped.
//
// It returns a *[PrivateKeyError] for what looks like a private key. No error
// contains any of s.
//
// It is cheap enough to run for each key of a policy at each start. For that, a
// hybrid key is held to its encoding and checksum only; whether its numbers are
// a key of ML-KEM-768 is for [Key.Recipient] to find out.
func ParseKey(s string) (Key, error) {
	s = strings.TrimSpace(s)
	if LooksPrivate(s) {
		return Key{}, &PrivateKeyError{}
	}
	if strings.HasPrefix(s, "age1") {
		return parseAge(s)
	}
	if fields := strings.Fields(s); len(fields) > 1 && !strings.Contains(s, "\n") {
		switch fields[0] {
		case "ssh-ed25519":
			return parseSSH(SSHEd25519, fields[1])
		case "ssh-rsa":
			return parseSSH(SSHRSA, fields[1])
		}
	}
	return Key{}, errors.New("not a public key of a kind that can be used: " + accepted)
}

func parseAge(s string) (Key, error) {
	prefix, data, ok := bech32.Decode(s)
	if !ok {
		return Key{}, errors.New("malformed age key: its checksum does not fit, so a character is missing or wrong")
	}
	const x25519Size, hybridSize = 32, 1184 + 32 // of ML-KEM-768 and X25519
	key := Key{text: s}
	name, isPlugin := strings.CutPrefix(prefix, "age1")
	switch {
	case prefix == "age" && len(data) == x25519Size:
		key.kind = X25519
	case prefix == "age1pq" && len(data) == hybridSize:
		key.kind = Hybrid
	case isPlugin && prefix != "age1pq" && validPluginName(name):
		key.kind = Plugin
	default:
		return Key{}, errors.New("malformed age key: not of a known kind and length")
	}
	return key, nil
}

func validPluginName(name string) bool {
	return name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789+-._") == ""
}

func parseSSH(kind Kind, encoded string) (Key, error) {
	pk, err := parseSSHBlob(encoded)
	if err != nil || pk.Type() != kind.String() {
		return Key{}, fmt.Errorf("malformed %s key", kind)
	}
	if _, err := sshRecipient(kind, pk); err != nil {
		if kind == SSHRSA {
			return Key{}, errors.New("ssh-rsa key of fewer than 2048 bits")
		}
		return Key{}, errors.New("ssh-ed25519 key that is not a point of the curve")
	}
	return Key{text: pk.Type() + " " + base64.StdEncoding.EncodeToString(pk.Marshal()), kind: kind}, nil
}

func parseSSHBlob(encoded string) (ssh.PublicKey, error) {
	blob, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, err
	}
	return ssh.ParsePublicKey(blob)
}

func sshRecipient(kind Kind, pk ssh.PublicKey) (age.Recipient, error) {
	if kind == SSHRSA {
		return agessh.NewRSARecipient(pk)
	}
	return agessh.NewEd25519Recipient(pk)
}

// String returns the key's canonical text: what age and ssh print, with no
// comment.
func (k Key) String() string { return k.text }

// Kind returns the key's kind, 0 for the zero Key.
func (k Key) Kind() Kind { return k.kind }

// PluginName returns the NAME of a key of kind [Plugin], which age-plugin-NAME
// handles, and "" for every other kind.
func (k Key) PluginName() string {
	if k.kind != Plugin {
		return ""
	}
	return k.text[len("age1"):strings.LastIndexByte(k.text, '1')]
}

// Recipient returns what age encrypts to. That of a plugin runs a program and
// talks to the user through ui, so it is returned only if allowed, which may be
// nil, says yes to its name; otherwise the error is a *[PluginNotAllowedError].
// A hybrid recipient cannot be mixed with others: age refuses to.
func (k Key) Recipient(allowed func(name string) bool, ui *plugin.ClientUI) (age.Recipient, error) {
	switch k.kind {
	case X25519:
		return x25519.ParseRecipient(k.text)
	case Hybrid:
		return age.ParseHybridRecipient(k.text)
	case SSHEd25519, SSHRSA:
		_, encoded, _ := strings.Cut(k.text, " ")
		pk, err := parseSSHBlob(encoded)
		if err != nil {
			return nil, err
		}
		return sshRecipient(k.kind, pk)
	case Plugin:
		if name := k.PluginName(); allowed == nil || !allowed(name) {
			return nil, &PluginNotAllowedError{Name: name}
		}
		return plugin.NewRecipient(k.text, ui)
	}
	return nil, errors.New("no key")
}

// LooksPrivate reports whether s is or contains a private key of age, of a
// plugin or in PEM, whatever its letters' case: text that must not be shown.
func LooksPrivate(s string) bool {
	if !strings.Contains(s, "-") {
		return false
	}
	s = strings.ToUpper(s)
	return strings.Contains(s, "AGE-SECRET-KEY-") || strings.Contains(s, "AGE-PLUGIN-") ||
		strings.Contains(s, "-----BEGIN ") && strings.Contains(s, "PRIVATE KEY")
}

// PrivateKeyError says that a private key stands where a public one belongs. It
// does not hold the key.
type PrivateKeyError struct{}

func (*PrivateKeyError) Error() string { return "a private key where a public one belongs" }

// PluginNotAllowedError says that the user has not allowed a plugin to run.
type PluginNotAllowedError struct {
	Name string // the plugin's: the program is age-plugin-Name
}

func (e *PluginNotAllowedError) Error() string {
	return fmt.Sprintf("the age plugin %q is not allowed to run", e.Name)
}
