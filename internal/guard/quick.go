package guard

import "strings"

// What is here tells quickly, of most values, that they cannot be what a built-in rule refuses:
// the rules stand in front of every exec, and look at every value. In doubt the answer is yes.

// mayNameProduction reports whether a value could name a production host.
func mayNameProduction(value string) bool {
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case isDisguise(c):
			return true
		case c != 'p' && c != 'P':
		case hasFold(value[i:], "prod"), hasFold(value[i:], "prd"):
			return true
		}
	}
	return false
}

// mayNameLocal reports whether a value could name the machine that it is used on: it has what
// stands around a host, or the name of such a one.
func mayNameLocal(value string) bool {
	if value = strings.TrimSpace(value); value == "0" || value == "." {
		return true
	}
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case isDisguise(c), strings.IndexByte("=/@[(:", c) >= 0:
			return true
		case c == 'l' || c == 'L':
			if hasFold(value[i:], "local") {
				return true
			}
		case c == 'i' || c == 'I':
			if hasFold(value[i:], "internal") {
				return true
			}
		case c == '0' || c == '1':
			if strings.HasPrefix(value[i:], "0.0.0.0") || strings.HasPrefix(value[i:], "127") {
				return true
			}
		}
	}
	return false
}

// isDisguise reports whether a byte can make a host look like something else: of a wide
// character, or of an escape in a URL, in JSON or in a DSN.
func isDisguise(c byte) bool { return c >= 0x80 || c == '%' || c == '\\' }

// hasFold reports whether s begins with a word in lower case, whatever the case in s.
func hasFold(s, word string) bool {
	return len(s) >= len(word) && strings.EqualFold(s[:len(word)], word)
}

// Each prefix of a provider's keys holds one of these.
var (
	liveMarks = [...]string{"live_", "production", "sq0", "FLW", "Mid-", "EZAK"}
	testMarks = [...]string{"test_", "sandbox", "sbox_", "sdbx_", "development", "FLW", "Mid-", "EZTK"}
)

// mayBeKey reports whether a value could hold a provider's live, or test, key.
func mayBeKey(value string, live bool) bool {
	marks := testMarks[:]
	if live {
		marks = liveMarks[:]
	}
	for _, mark := range marks {
		if strings.Contains(value, mark) {
			return true
		}
	}
	return false
}
