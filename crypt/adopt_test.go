package crypt

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"
)

func sopsSample(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/sops/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestAdoptFile(t *testing.T) {
	p := fixture(t)
	data := sopsSample(t, "plain.env")
	sealed, d, err := Adopt(data, "staging", ids(p))
	if err != nil {
		t.Fatal(err)
	}
	head, body, _ := bytes.Cut(sealed, []byte("\n"))
	if !bytes.HasPrefix(head, []byte("#ENC[AES256_GCM,")) || !bytes.Equal(body, data) {
		t.Errorf("more than a first line was added:\n%s", sealed)
	}
	if keys := d.Keys(); !slices.Contains(keys, "EMPTY") || len(keys) != 5 {
		t.Errorf("keys: %v", keys)
	}
	if got := pairs(mustOpen(t, sealed, staging, p)); !slices.Equal(got, pairs(d)) {
		t.Errorf("opened: %q", got)
	}
	if e := refused[*SealError](t, sealed, Options{Environment: "production"}, p); e.State != SealMisplaced {
		t.Errorf("got %v", e)
	}
	again, _, err := Adopt(sealed, "staging", ids(p))
	if err != nil || !bytes.Equal(again, sealed) {
		t.Errorf("a second time: %v", err)
	}
	// The seal is over every byte behind it.
	changed := replaceOnce(t, sealed, "\nEMPTY=\n", "\nEMPTY=\nLD_PRELOAD=\n")
	if e := refused[*SealError](t, changed, staging, p); e.State != SealStale {
		t.Errorf("got %v", e)
	}
}

func TestAdoptThenNewDataKey(t *testing.T) {
	p := fixture(t)
	sealed, d, err := Adopt(sopsSample(t, "plain.env"), "staging", ids(p))
	if err != nil {
		t.Fatal(err)
	}
	old := slices.Clone(d.dataKey)
	d.NewDataKey()
	if bytes.Equal(mustOpen(t, mustSeal(t, d, "staging", p), staging, p).dataKey, old) {
		t.Error("the data key is the old one")
	}
	if !bytes.Equal(mustOpen(t, sealed, staging, p).dataKey, old) {
		t.Error("an adoption changed the data key")
	}
}

func TestAdoptRefuses(t *testing.T) {
	p := fixture(t)
	tests := []struct{ file, want string }{
		{"suffix.env", "line 2: NAME_unencrypted: is not encrypted"},
		{"encrypted_suffix.env", "line 1: a comment that is not encrypted"},
		{"mac_only_encrypted.env", "line 1: URL: is not encrypted"},
		{"unencrypted_regex.env", "is not encrypted"},
	}
	for _, tt := range tests {
		sealed, d, err := Adopt(sopsSample(t, tt.file), "staging", ids(p))
		e := refusal[*UnadoptableError](t, sealed == nil && d == nil, err)
		if !strings.Contains(e.Error(), tt.want) {
			t.Errorf("%s: got %v", tt.file, e)
		}
	}
}

func TestAdoptRefusesWhatIsWrong(t *testing.T) {
	p, stranger := fixture(t), newPerson(t)
	data := sopsSample(t, "plain.env")

	_, d, err := Adopt(data, "staging", ids(stranger))
	refusal[*NoIdentityError](t, d == nil, err)
	_, d, err = Adopt(replaceOnce(t, data, "\nEMPTY=\n", "\nEMPTY=x\n"), "staging", ids(p))
	refusal[*DamagedError](t, d == nil, err)
	lines := strings.SplitAfter(string(data), "\n")
	lines[1], lines[2] = lines[2], lines[1]
	_, d, err = Adopt([]byte(strings.Join(lines, "")), "staging", ids(p))
	if e := refusal[*DamagedError](t, d == nil, err); !strings.Contains(e.Error(), "MAC") {
		t.Errorf("reordered: %v", e)
	}
	_, d, err = Adopt(sample(t, "production", stranger), "staging", ids(stranger))
	if e := refusal[*SealError](t, d == nil, err); e.State != SealMisplaced || e.Environment != "production" {
		t.Errorf("another environment's: %v", e)
	}
	stale := otherTool(t, sample(t, "staging", stranger), stranger, func(d *Document) { _ = d.Set("NEW", "x") })
	_, d, err = Adopt(stale, "staging", ids(stranger))
	if e := refusal[*SealError](t, d == nil, err); e.State != SealStale {
		t.Errorf("stale: %v", e)
	}
}

// A number that sops set has a type, which a seal does not vouch for.
func TestAdoptRefusesTypes(t *testing.T) {
	p := newPerson(t)
	unsealed := strings.SplitAfterN(string(sample(t, "staging", p)), "\n", 2)[1]
	typed := strings.Replace(unsealed, "DEBUG=", "DEBUG=\x00", 1)
	before, after, _ := strings.Cut(typed, "DEBUG=\x00")
	value, rest, _ := strings.Cut(after, "\n")
	value = strings.Replace(value, ",type:str]", ",type:int]", 1)
	_, d, err := Adopt([]byte(before+"DEBUG="+value+"\n"+rest), "staging", ids(p))
	if e := refusal[*UnadoptableError](t, d == nil, err); e.Key != "DEBUG" || e.Line != 6 {
		t.Errorf("got %v", e)
	}
}
