// Package x25519 has age's X25519 recipients and identities in two scalar
// multiplications where filippo.io/age takes four: x/crypto's curve25519, which
// it uses, computes a public key at every call and throws it away. That is
// 0.15 ms of every exec, and more than half of a rekey that takes somebody's
// access away, for which one of the two is that of the base point.
//
// What is written and accepted is exactly https://age-encryption.org/v1, and
// age's own test vectors and package are its judges. The file format around the
// stanzas stays age's.
package x25519

import (
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"errors"

	"envcrypt/internal/bech32"

	"filippo.io/age"
	"filippo.io/age/plugin"
	"golang.org/x/crypto/chacha20poly1305"
)

const (
	stanzaType  = "X25519"
	label       = "age-encryption.org/v1/X25519"
	fileKeySize = 16
)

var (
	errRecipient = errors.New("malformed age public key")
	errIdentity  = errors.New("malformed age private key")
	errStanza    = errors.New("malformed X25519 stanza")
)

// encoding is what age uses in headers, where it accepts nothing else.
func encoding() *base64.Encoding { return base64.RawStdEncoding.Strict() }

// Recipient is an "age1…" public key.
type Recipient struct{ public *ecdh.PublicKey }

// ParseRecipient reads a public key. No error contains any of s.
func ParseRecipient(s string) (*Recipient, error) {
	prefix, data, ok := bech32.Decode(s)
	if !ok || prefix != "age" {
		return nil, errRecipient
	}
	public, err := ecdh.X25519().NewPublicKey(data)
	if err != nil {
		return nil, errRecipient
	}
	return &Recipient{public: public}, nil
}

// Wrap implements [age.Recipient].
func (r *Recipient) Wrap(fileKey []byte) ([]*age.Stanza, error) {
	ephemeral, err := newEphemeral()
	if err != nil {
		return nil, err
	}
	shared, err := ephemeral.shared(r.public)
	if err != nil {
		return nil, err
	}
	aead, err := cipherFor(shared, ephemeral.share, r.public)
	if err != nil {
		return nil, err
	}
	body := aead.Seal(nil, zeroNonce(), fileKey, nil)
	return []*age.Stanza{{Type: stanzaType, Args: []string{encoding().EncodeToString(ephemeral.share.Bytes())}, Body: body}}, nil
}

// Identity is an "AGE-SECRET-KEY-1…" private key.
type Identity struct{ private *ecdh.PrivateKey }

// ParseIdentity reads a private key. No error contains any of s.
func ParseIdentity(s string) (*Identity, error) {
	prefix, data, ok := bech32.Decode(s)
	if !ok || prefix != "AGE-SECRET-KEY-" {
		return nil, errIdentity
	}
	private, err := ecdh.X25519().NewPrivateKey(data)
	if err != nil {
		return nil, errIdentity
	}
	return &Identity{private: private}, nil
}

// Recipient returns the text of the public half.
func (i *Identity) Recipient() string {
	text, err := plugin.EncodeX25519Recipient(i.private.PublicKey())
	if err != nil {
		panic("x25519: " + err.Error()) // for another curve's keys alone
	}
	return text
}

// Unwrap implements [age.Identity].
func (i *Identity) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	for _, s := range stanzas {
		fileKey, err := i.unwrap(s)
		if !errors.Is(err, age.ErrIncorrectIdentity) {
			return fileKey, err
		}
	}
	return nil, age.ErrIncorrectIdentity
}

func (i *Identity) unwrap(s *age.Stanza) ([]byte, error) {
	if s.Type != stanzaType {
		return nil, age.ErrIncorrectIdentity
	}
	if len(s.Args) != 1 || len(s.Body) != fileKeySize+chacha20poly1305.Overhead {
		return nil, errStanza
	}
	data, err := encoding().DecodeString(s.Args[0])
	if err != nil || encoding().EncodeToString(data) != s.Args[0] {
		return nil, errStanza
	}
	share, err := ecdh.X25519().NewPublicKey(data)
	if err != nil {
		return nil, errStanza
	}
	shared, err := i.private.ECDH(share) // which refuses points of low order
	if err != nil {
		return nil, errStanza
	}
	aead, err := cipherFor(shared, share, i.private.PublicKey())
	if err != nil {
		return nil, err
	}
	fileKey, err := aead.Open(nil, zeroNonce(), s.Body, nil)
	if err != nil {
		return nil, age.ErrIncorrectIdentity
	}
	return fileKey, nil
}

// cipherFor returns the cipher of the stanza that holds share. Its key is used
// once, with the zero nonce.
func cipherFor(shared []byte, share, public *ecdh.PublicKey) (cipher.AEAD, error) {
	salt := append(share.Bytes(), public.Bytes()...)
	key, err := hkdf.Key(sha256.New, shared, salt, label, chacha20poly1305.KeySize)
	if err != nil {
		return nil, err
	}
	return chacha20poly1305.New(key)
}

func zeroNonce() []byte { return make([]byte, chacha20poly1305.NonceSize) }
