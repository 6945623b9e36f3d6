// Package bech32 decodes the encoding of age's keys, BIP 173 without a limit on
// the length.
//
// age has this too, but not for others, and its parsers take 0.1 ms for a
// hybrid key, which a policy of twenty such keys could not afford in front of
// each exec.
package bech32

import "strings"

const (
	charset      = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
	checksumSize = 6
)

// Decode returns the prefix and the bytes of a string that is all lower or all
// upper case, the prefix in the string's case. It is not ok if the form or the
// checksum is wrong.
func Decode(s string) (prefix string, data []byte, ok bool) {
	lower := strings.ToLower(s)
	if s != lower && s != strings.ToUpper(s) {
		return "", nil, false
	}
	sep := strings.LastIndexByte(lower, '1')
	if sep < 1 || len(lower) < sep+1+checksumSize {
		return "", nil, false
	}
	sum := uint32(1)
	for i := range sep {
		if c := lower[i]; c < '!' || c > '~' {
			return "", nil, false
		}
		sum = polymod(sum, lower[i]>>5)
	}
	sum = polymod(sum, 0)
	for i := range sep {
		sum = polymod(sum, lower[i]&31)
	}
	payload := lower[sep+1:]
	data = make([]byte, 0, len(payload)*5/8)
	var bits, acc uint32
	for i := range len(payload) {
		v := strings.IndexByte(charset, payload[i])
		if v < 0 {
			return "", nil, false
		}
		sum = polymod(sum, byte(v))
		if i >= len(payload)-checksumSize {
			continue
		}
		acc, bits = acc<<5|uint32(v), bits+5
		if bits >= 8 {
			bits -= 8
			data = append(data, byte(acc>>bits))
			acc &= 1<<bits - 1
		}
	}
	if sum != 1 || bits >= 5 || acc != 0 {
		return "", nil, false
	}
	return s[:sep], data, true
}

func polymod(sum uint32, v byte) uint32 {
	top := sum >> 25
	sum = sum&0x1ffffff<<5 ^ uint32(v)
	sum ^= -(top & 1) & 0x3b6a57b2
	sum ^= -(top >> 1 & 1) & 0x26508e6d
	sum ^= -(top >> 2 & 1) & 0x1ea119fa
	sum ^= -(top >> 3 & 1) & 0x3d4233dd
	sum ^= -(top >> 4 & 1) & 0x2a1462b3
	return sum
}
