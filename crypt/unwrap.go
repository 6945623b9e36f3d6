package crypt

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"filippo.io/age"
	"filippo.io/age/armor"
)

// An Identity is a private key that may open a document.
type Identity struct {
	age.Identity
	// Recipient is its public half as a file names it: "age1…", or "ssh-ed25519
	// AAAA…" without a comment. An identity is tried on the stanza of that
	// recipient alone. Where it is "" (a plugin's), it is tried on every stanza
	// that Matches allows.
	Recipient string
	// Matches narrows down the recipients that an identity without a known
	// Recipient is tried on; nil for all of them.
	Matches func(recipient string) bool
}

func (id Identity) fits(recipient string) bool {
	if id.Recipient != "" {
		return id.Recipient == recipient
	}
	return id.Matches == nil || id.Matches(recipient)
}

// A Recipient is a public key that a document is encrypted to.
type Recipient struct {
	age.Recipient
	Text string // as it stands in the file; see [Identity].Recipient
}

// stanza is one recipient's wrapping of the data key, or of a part of it: an armored age file.
type stanza struct {
	recipient string
	armored   string
}

// unwrapDataKey returns the data key and the first recipient who opened a part of it.
// It asks ids, in their order, until they have opened as many groups as it takes. A part
// is tried only for groups that are not opened yet, and one identity opens one of them.
// Identities behind the last that is needed are never asked for, so a sequence can
// put off what is slow or interactive.
func unwrapDataKey(m *metadata, ids iter.Seq[Identity]) (dataKey []byte, recipient string, err error) {
	none := &NoIdentityError{
		Recipients: m.recipients(),
		Groups:     m.recipientGroups(),
		Quorum:     m.quorum,
		Opened:     make([]bool, len(m.groups)),
	}
	var parts [][]byte
	for id := range ids {
		none.Tried++
		for i, g := range m.groups {
			if none.Opened[i] {
				continue
			}
			part, by, err := g.open(id, partSize(m.quorum))
			if err != nil {
				return nil, "", err
			}
			if part == nil {
				continue
			}
			none.Opened[i] = true
			if recipient == "" {
				recipient = by
			}
			if parts = append(parts, part); len(parts) < m.quorum {
				break
			}
			dataKey, err = combineParts(parts)
			return dataKey, recipient, err
		}
	}
	return nil, "", none
}

// open returns the group's part of the data key and the recipient who opened it, or nil
// if id is none of them.
func (g *group) open(id Identity, size int) (part []byte, recipient string, err error) {
	for _, s := range g.stanzas {
		if !id.fits(s.recipient) {
			continue
		}
		part, err := decryptStanza(s.armored, id)
		if errors.Is(err, age.ErrIncorrectIdentity) {
			continue
		}
		var failed *IdentityError
		if errors.As(err, &failed) {
			return nil, "", failed
		}
		if err != nil {
			// age's errors quote what they could not read.
			return nil, "", damaged(0, "", "the data key wrapped for %s cannot be unwrapped", s.recipient)
		}
		if len(part) != size {
			return nil, "", damaged(0, "", "the data key wrapped for %s has %d bytes instead of %d", s.recipient, len(part), size)
		}
		return part, s.recipient, nil
	}
	return nil, "", nil
}

// decryptStanza decrypts one armored age file.
func decryptStanza(armored string, id age.Identity) ([]byte, error) {
	r, err := age.Decrypt(armor.NewReader(strings.NewReader(armored)), id)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// wrapDataKey encrypts the data key, or a part of it, to one recipient, as SOPS does.
func wrapDataKey(dataKey []byte, to Recipient) (stanza, error) {
	var buf bytes.Buffer
	a := armor.NewWriter(&buf)
	w, err := age.Encrypt(a, to.Recipient)
	if err == nil {
		_, err = w.Write(dataKey)
	}
	if err == nil {
		err = w.Close()
	}
	if err == nil {
		err = a.Close()
	}
	if err != nil {
		return stanza{}, fmt.Errorf("wrapping the data key for %s: %w", to.Text, err)
	}
	return stanza{recipient: to.Text, armored: buf.String()}, nil
}

// canonicalRecipient drops what a file may carry around a public key: blanks
// and the comment of an SSH key.
func canonicalRecipient(s string) string {
	f := strings.Fields(s)
	switch {
	case len(f) == 0:
		return ""
	case strings.HasPrefix(f[0], "ssh-") && len(f) > 1:
		return f[0] + " " + f[1]
	default:
		return f[0]
	}
}
