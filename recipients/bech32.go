package recipients

import "strings"

// checkBech32 checks the form and checksum of a lower-case Bech32 string (BIP
// 173) and returns its human-readable prefix and the number of bytes encoded.
//
// age has this too, but not for others, and its parsers take 0.1 ms for a hybrid
// key, which a policy of twenty such keys could not afford in front of each exec.
func checkBech32(s string) (prefix string, size int, ok bool) {
	const charset, checksumSize = "qpzry9x8gf2tvdw0s3jn54khce6mua7l", 6
	sep := strings.LastIndexByte(s, '1')
	if sep < 1 || len(s) < sep+1+checksumSize {
		return "", 0, false
	}
	prefix, data := s[:sep], s[sep+1:]
	sum := uint32(1)
	for i := range len(prefix) {
		if c := prefix[i]; c < '!' || c > '~' || 'A' <= c && c <= 'Z' {
			return "", 0, false
		}
		sum = polymod(sum, prefix[i]>>5)
	}
	sum = polymod(sum, 0)
	for i := range len(prefix) {
		sum = polymod(sum, prefix[i]&31)
	}
	var last int // the last five bits of the payload
	for i := range len(data) {
		v := strings.IndexByte(charset, data[i])
		if v < 0 {
			return "", 0, false
		}
		sum = polymod(sum, byte(v))
		if i == len(data)-checksumSize-1 {
			last = v
		}
	}
	bits := 5 * (len(data) - checksumSize)
	padding := bits % 8
	if sum != 1 || padding >= 5 || last&(1<<padding-1) != 0 {
		return "", 0, false
	}
	return prefix, bits / 8, true
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
