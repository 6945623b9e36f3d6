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

// stanza is one recipient's wrapping of the data key: an armored age file.
type stanza struct {
	recipient string
	armored   string
}

// unwrapDataKey returns the data key and the recipient for whom it was wrapped.
// It asks ids, in their order, for one that opens one of the stanzas.
// Identities behind the first that fits are never asked for, so a sequence can
// put off what is slow or interactive.
func unwrapDataKey(stanzas []stanza, ids iter.Seq[Identity]) (dataKey []byte, recipient string, err error) {
	none := &NoIdentityError{}
	for _, s := range stanzas {
		none.Recipients = append(none.Recipients, s.recipient)
	}
	for id := range ids {
		none.Tried++
		for _, s := range stanzas {
			if !id.fits(s.recipient) {
				continue
			}
			key, err := decryptStanza(s.armored, id)
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
			if len(key) != dataKeySize {
				return nil, "", damaged(0, "", "the data key wrapped for %s has %d bytes instead of %d", s.recipient, len(key), dataKeySize)
			}
			return key, s.recipient, nil
		}
	}
	return nil, "", none
}

// decryptStanza decrypts one armored age file.
func decryptStanza(armored string, id age.Identity) ([]byte, error) {
	r, err := age.Decrypt(armor.NewReader(strings.NewReader(armored)), id)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// wrapDataKey encrypts the data key to one recipient, as SOPS does.
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
