package crypt

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"
)

// The sizes that SOPS gives to what it encrypts, in bytes.
const (
	dataKeySize = 32
	nonceSize   = 32
	tagSize     = 16
)

const (
	encPrefix   = "ENC[AES256_GCM,data:"
	typeString  = "str"
	typeComment = "comment"
)

var base64Strict = base64.StdEncoding.Strict()

// isEncrypted tells whether text claims to be a SOPS ciphertext. Whether it is
// one, only decrypting it tells.
func isEncrypted(text string) bool { return strings.HasPrefix(text, encPrefix) }

// valueCipher encrypts and decrypts single values as SOPS does: AES-256-GCM
// with a 32-byte nonce and the value's path as additional data.
type valueCipher struct {
	aead    cipher.AEAD
	scratch []byte
}

func newValueCipher(dataKey []byte) (*valueCipher, error) {
	block, err := aes.NewCipher(dataKey)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithNonceSize(block, nonceSize)
	if err != nil {
		return nil, err
	}
	return &valueCipher{aead: aead}, nil
}

// open returns the plaintext of an ENC[…] text and the type it states. The type
// is not authenticated by SOPS: callers accept only what they expect.
func (c *valueCipher) open(text, additional string) (plain, typ string, err error) {
	data, nonce, tag, typ, ok := cutEncrypted(text)
	if !ok {
		return "", "", fmt.Errorf("not a SOPS ciphertext")
	}
	if base64.StdEncoding.DecodedLen(len(nonce)) > nonceSize+2 || base64.StdEncoding.DecodedLen(len(tag)) > tagSize+2 {
		return "", "", fmt.Errorf("its nonce or tag is too long")
	}
	var iv [nonceSize + 2]byte
	n, err := base64Strict.Decode(iv[:], []byte(nonce))
	if err != nil || n != nonceSize {
		return "", "", fmt.Errorf("its nonce is not %d bytes of base64", nonceSize)
	}
	if need := base64.StdEncoding.DecodedLen(len(data)) + tagSize + 2; cap(c.scratch) < need {
		c.scratch = make([]byte, 2*need)
	}
	buf := c.scratch[:cap(c.scratch)]
	n, err = base64Strict.Decode(buf, []byte(data))
	if err != nil {
		return "", "", fmt.Errorf("its data is not base64")
	}
	t, err := base64Strict.Decode(buf[n:], []byte(tag))
	if err != nil || t != tagSize {
		return "", "", fmt.Errorf("its tag is not %d bytes of base64", tagSize)
	}
	out, err := c.aead.Open(buf[:0], iv[:nonceSize], buf[:n+t], []byte(additional))
	if err != nil {
		return "", "", fmt.Errorf("does not authenticate: changed, moved or encrypted with another data key")
	}
	return string(out), typ, nil
}

// seal encrypts plain under a random nonce.
func (c *valueCipher) seal(plain, additional, typ string) string {
	var nonce [nonceSize]byte
	rand.Read(nonce[:])
	return c.sealWithNonce(plain, additional, typ, nonce[:])
}

func (c *valueCipher) sealWithNonce(plain, additional, typ string, nonce []byte) string {
	out := c.aead.Seal(nil, nonce, []byte(plain), []byte(additional))
	data, tag := out[:len(out)-tagSize], out[len(out)-tagSize:]
	b := make([]byte, 0, len(encPrefix)+base64.StdEncoding.EncodedLen(len(data))+100)
	b = append(b, encPrefix...)
	b = base64.StdEncoding.AppendEncode(b, data)
	b = append(b, ",iv:"...)
	b = base64.StdEncoding.AppendEncode(b, nonce)
	b = append(b, ",tag:"...)
	b = base64.StdEncoding.AppendEncode(b, tag)
	b = append(b, ",type:"...)
	b = append(b, typ...)
	b = append(b, ']')
	return string(b)
}

// cutEncrypted takes "ENC[AES256_GCM,data:…,iv:…,tag:…,type:…]" apart.
func cutEncrypted(text string) (data, nonce, tag, typ string, ok bool) {
	rest, ok := strings.CutPrefix(text, encPrefix)
	if !ok {
		return
	}
	if rest, ok = strings.CutSuffix(rest, "]"); !ok {
		return
	}
	if data, rest, ok = strings.Cut(rest, ",iv:"); !ok {
		return
	}
	if nonce, rest, ok = strings.Cut(rest, ",tag:"); !ok {
		return
	}
	tag, typ, ok = strings.Cut(rest, ",type:")
	return
}
