package guard

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"strings"

	"envcrypt/internal/project"
)

const alphanumeric = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// Generate makes a new value: characters of an alphabet, each as likely as any other, or
// words of 16 bits each. The words are proquints (arXiv:0901.4016): five letters that can be
// read aloud, without a list of words in the program.
//
// It panics for an alphabet that [project.ParseGenerator] does not know.
func Generate(g project.Generator) string {
	switch g.Alphabet {
	case "hex":
		return hex.EncodeToString(random((g.Length + 1) / 2))[:g.Length]
	case "base64url":
		return base64.RawURLEncoding.EncodeToString(random(g.Length))[:g.Length]
	case "alphanumeric":
		return characters(g.Length)
	case "words":
		return words(g.Length)
	}
	panic("a generator without an alphabet")
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // which never fails
	return b
}

// characters draws from letters and digits. A byte that would favour some of them is drawn
// again.
func characters(n int) string {
	const fair = 256 / len(alphanumeric) * len(alphanumeric)
	text := make([]byte, 0, n)
	for len(text) < n {
		for _, b := range random(n - len(text)) {
			if int(b) < fair {
				text = append(text, alphanumeric[int(b)%len(alphanumeric)])
			}
		}
	}
	return string(text)
}

func words(n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = proquint(binary.BigEndian.Uint16(random(2)))
	}
	return strings.Join(all, "-")
}

// proquint spells 16 bits: four for a consonant, two for a vowel, in turn.
func proquint(bits uint16) string {
	const consonants, vowels = "bdfghjklmnprstvz", "aiou"
	return string([]byte{
		consonants[bits>>12], vowels[bits>>10&3], consonants[bits>>6&15], vowels[bits>>4&3], consonants[bits&15],
	})
}
