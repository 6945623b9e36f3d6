//go:build unix

package launch

import "testing"

func TestLargest(t *testing.T) {
	name, size := largest([]string{"A=1", "BIG=12345", "LONGNAME=12"})
	if name != "BIG" || size != 5 {
		t.Errorf("%s with %d", name, size)
	}
}
