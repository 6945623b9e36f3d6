package x25519

import (
	"bytes"
	"crypto/ecdh"
	"crypto/rand"
	"encoding/hex"
	"testing"
)

func fromHex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestMultiplyVectors: RFC 7748, section 5.2. The second point has a bit that must
// not count.
func TestMultiplyVectors(t *testing.T) {
	for _, v := range []struct{ k, u, want string }{
		{
			"a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
			"e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
			"c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
		},
		{
			"4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
			"e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
			"95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957",
		},
	} {
		got, err := multiply([32]byte(fromHex(t, v.k)), fromHex(t, v.u))
		if err != nil || !bytes.Equal(got, fromHex(t, v.want)) {
			t.Errorf("%x, %v; want %s", got, err, v.want)
		}
	}
}

// TestMultiplyAgain: the same section's thousand iterations.
func TestMultiplyAgain(t *testing.T) {
	k := [32]byte{9}
	u := k
	for range 1000 {
		r, err := multiply(k, u[:])
		if err != nil {
			t.Fatal(err)
		}
		u, k = k, [32]byte(r)
	}
	if want := "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51"; hex.EncodeToString(k[:]) != want {
		t.Errorf("%x, want %s", k, want)
	}
}

// TestAgainstECDH: the standard library agrees, on keys, on any 32 bytes as a point
// (half of which are on the curve's twist), and on points that are none of their own.
func TestAgainstECDH(t *testing.T) {
	edge := [][]byte{
		fromHex(t, "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"), // 3, not reduced
		fromHex(t, "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"),
		fromHex(t, "0900000000000000000000000000000000000000000000000000000000000080"), // the unused bit
		append([]byte{2}, make([]byte, 31)...),
	}
	for i := range 500 {
		e, err := newEphemeral()
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := ecdh.X25519().NewPrivateKey(e.secret[:])
		if err != nil || !e.share.Equal(theirs.PublicKey()) {
			t.Fatalf("the public half of an ephemeral key is another, %v", err)
		}
		point := make([]byte, 32)
		rand.Read(point)
		if i < len(edge) {
			point = edge[i]
		}
		with, err := ecdh.X25519().NewPublicKey(point)
		if err != nil {
			t.Fatal(err)
		}
		want, err := theirs.ECDH(with)
		got, ourErr := e.shared(with)
		if err != nil || ourErr != nil || !bytes.Equal(got, want) {
			t.Fatalf("with %x: %v, %v, or another secret", point, err, ourErr)
		}
	}
}

// TestLowOrder: the points of low order, as they can be written, have no secret.
func TestLowOrder(t *testing.T) {
	for _, s := range []string{
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
		"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	} {
		with, err := ecdh.X25519().NewPublicKey(fromHex(t, s))
		if err != nil {
			t.Fatal(err)
		}
		e, err := newEphemeral()
		if err != nil {
			t.Fatal(err)
		}
		if secret, err := e.shared(with); secret != nil || err == nil {
			t.Errorf("%s has a secret", s)
		}
		to := &Recipient{public: with}
		if stanzas, err := to.Wrap(make([]byte, fileKeySize)); stanzas != nil || err == nil {
			t.Errorf("%s is a recipient", s)
		}
	}
}
