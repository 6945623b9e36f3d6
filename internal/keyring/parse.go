package keyring

import (
	"bytes"
	"errors"
	"strings"

	"envcrypt/crypt"
	"envcrypt/internal/x25519"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"golang.org/x/crypto/ssh"
)

// parse reads what a place holds: lines of age identities, an SSH private key, or
// either of them behind a passphrase. Nothing of text ever gets into an error.
func (k *Keyring) parse(p *place, text []byte) ([]crypt.Identity, lockedIdentity, error) {
	switch {
	case IsAge(text):
		if err := checkScrypt(p, text); err != nil {
			return nil, nil, err
		}
		return nil, func() ([]crypt.Identity, error) { return k.unlock(p, text) }, nil
	case bytes.HasPrefix(bytes.TrimSpace(text), []byte("-----BEGIN")):
		return k.parseSSH(p, text)
	}
	ids, err := k.parseAgeLines(p, text)
	return ids, nil, err
}

func (k *Keyring) parseAgeLines(p *place, text []byte) ([]crypt.Identity, error) {
	var ids []crypt.Identity
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		for word := range strings.FieldsSeq(line) { // SOPS_AGE_KEY may hold several on a line
			id, err := k.parseAge(word)
			if err != nil {
				return nil, p.problem("line %d: %v", n, err)
			}
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil, p.problem("holds no private key")
	}
	return ids, nil
}

var errMalformed = errors.New("malformed private key")

func (k *Keyring) parseAge(s string) (crypt.Identity, error) {
	switch {
	case strings.HasPrefix(s, "AGE-SECRET-KEY-PQ-1"):
		id, err := age.ParseHybridIdentity(s)
		if err != nil {
			return crypt.Identity{}, errMalformed
		}
		return crypt.Identity{Identity: id, Recipient: id.Recipient().String()}, nil
	case strings.HasPrefix(s, "AGE-SECRET-KEY-1"):
		id, err := x25519.ParseIdentity(s)
		if err != nil {
			return crypt.Identity{}, errMalformed
		}
		return crypt.Identity{Identity: id, Recipient: id.Recipient()}, nil
	case strings.HasPrefix(s, "AGE-PLUGIN-"):
		return k.parsePlugin(s)
	case strings.HasPrefix(s, "age1"), strings.HasPrefix(s, "ssh-"):
		return crypt.Identity{}, errors.New("a public key where a private one belongs")
	}
	return crypt.Identity{}, errors.New("not a private key that age knows")
}

var errUnknownSSH = errors.New("an SSH key of a kind that age cannot use")

func (k *Keyring) parseSSH(p *place, text []byte) ([]crypt.Identity, lockedIdentity, error) {
	key, err := ssh.ParseRawPrivateKey(text)
	var locked *ssh.PassphraseMissingError
	if errors.As(err, &locked) {
		id, err := k.parseLockedSSH(p, text, locked.PublicKey)
		if err != nil {
			return nil, nil, err
		}
		return nil, func() ([]crypt.Identity, error) { return []crypt.Identity{id}, nil }, nil
	}
	if err != nil {
		return nil, nil, errMalformed
	}
	id, err := agessh.ParseIdentity(text)
	if err != nil {
		return nil, nil, errUnknownSSH
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		return nil, nil, errMalformed
	}
	return []crypt.Identity{{Identity: id, Recipient: sshText(signer.PublicKey())}}, nil, nil
}

func sshText(key ssh.PublicKey) string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
}
