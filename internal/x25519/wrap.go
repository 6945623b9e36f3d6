package x25519

import (
	"crypto/ecdh"
	"crypto/rand"
	"crypto/subtle"

	"filippo.io/edwards25519"
	"filippo.io/edwards25519/field"
)

// ephemeral is a key that wraps one file key for one recipient. Package
// crypto/ecdh would make its public half with a multiplication that fits any
// point; the base point has tables, which are made when the first ephemeral is:
// nothing that only opens files pays for them.
//
// Everything here takes the same time whatever the secret is.
type ephemeral struct {
	secret [32]byte
	share  *ecdh.PublicKey
}

func newEphemeral() (*ephemeral, error) {
	var e ephemeral
	rand.Read(e.secret[:]) // which never fails
	scalar, err := new(edwards25519.Scalar).SetBytesWithClamping(e.secret[:])
	if err != nil {
		return nil, err
	}
	point := new(edwards25519.Point).ScalarBaseMult(scalar)
	e.share, err = ecdh.X25519().NewPublicKey(point.BytesMontgomery())
	return &e, err
}

// shared returns the secret that only the two of them know. It refuses points of
// low order.
func (e *ephemeral) shared(with *ecdh.PublicKey) ([]byte, error) {
	secret, err := multiply(e.secret, with.Bytes())
	if err != nil || subtle.ConstantTimeCompare(secret, make([]byte, len(secret))) == 1 {
		return nil, errRecipient
	}
	return secret, nil
}

// multiply is the function X25519 of RFC 7748, section 5, in its names.
func multiply(k [32]byte, u []byte) ([]byte, error) {
	const a24 = 121665
	k[0] &= 248
	k[31] = k[31]&127 | 64
	var x1, x2, z2, x3, z3 field.Element
	if _, err := x1.SetBytes(u); err != nil {
		return nil, err
	}
	x2.One()
	x3.Set(&x1)
	z3.One()
	swap := 0
	var a, aa, b, bb, e, c, d, da, cb field.Element
	for t := 254; t >= 0; t-- {
		bit := int(k[t/8]>>(t%8)) & 1
		swap ^= bit
		x2.Swap(&x3, swap)
		z2.Swap(&z3, swap)
		swap = bit

		a.Add(&x2, &z2)
		aa.Square(&a)
		b.Subtract(&x2, &z2)
		bb.Square(&b)
		e.Subtract(&aa, &bb)
		c.Add(&x3, &z3)
		d.Subtract(&x3, &z3)
		da.Multiply(&d, &a)
		cb.Multiply(&c, &b)
		x3.Square(x3.Add(&da, &cb))
		z3.Multiply(&x1, z3.Square(z3.Subtract(&da, &cb)))
		x2.Multiply(&aa, &bb)
		z2.Multiply(&e, z2.Add(&aa, z2.Mult32(&e, a24)))
	}
	x2.Swap(&x3, swap)
	z2.Swap(&z3, swap)
	return x2.Multiply(&x2, z2.Invert(&z2)).Bytes(), nil
}
