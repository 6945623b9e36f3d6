//go:build !unix

package launch

// NoCoreDump does nothing here: there are no core dumps.
func NoCoreDump() (restore func()) { return func() {} }
