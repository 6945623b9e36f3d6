package guard

import (
	"slices"
	"strings"
	"testing"
)

// TestMarks: no provider's key gets past the quick look at a value.
func TestMarks(t *testing.T) {
	for _, shape := range keyShapes {
		if !mayBeKey("x "+shape.prefix+strings.Repeat("0", shape.least), shape.live) {
			t.Errorf("%s", shape.prefix)
		}
	}
	if mayBeKey("made-up value number 000001", true) || mayBeKey("made-up value number 000001", false) {
		t.Error("a text may be a key")
	}
}

// quickLaw: what the quick looks rule out, the long ones do not find.
func quickLaw(t *testing.T, value string) {
	t.Helper()
	for _, alone := range []bool{false, true} {
		hosts := findHosts(value, alone)
		if slices.ContainsFunc(hosts, isProductionHost) && !mayNameProduction(value) {
			t.Errorf("%q names a production host", value)
		}
		if slices.ContainsFunc(hosts, isLocalHost) && !mayNameLocal(value) {
			t.Errorf("%q names a local host", value)
		}
	}
}

func TestQuick(t *testing.T) {
	for _, value := range []string{
		"prod-db", "PROD", "http://a.prd2.x", "ｐｒｏｄ-db", "http://%70rod/x", `{"h":"\u0070rod-db:1"}`, "x PrOd-1:80 y", "p", "pr", "pro", "prd",
		"localhost", "0", " 0 ", "0.0.0.0", "127.0.0.1", "127.1", "::1", "[::]:80", "Server=.;Database=x", ".", "(local)", "host.docker.internal",
		"a,LOCALHOST", "tcp(127.0.0.1:3306)", "user@localhost", "gateway.docker.internal", "０.0.0.0",
	} {
		quickLaw(t, value)
	}
	if mayNameProduction("made-up value number 000001 of environment development") || mayNameLocal("made-up value number 000001") {
		t.Error("an ordinary text is looked at for long")
	}
}

func FuzzQuick(f *testing.F) {
	for _, seed := range []string{"postgres://u:p@prod-db:5432/x", "Server=.;x", "localhost", "0", "a b", "127.1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) { quickLaw(t, value) })
}
