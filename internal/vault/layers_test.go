package vault

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"envcrypt/crypt"
)

func TestResolve(t *testing.T) {
	p := newPlace(t)
	text := p.bytes("envcrypt.toml") + `inherits = "development"
[environments.staging.vars]
B = "staging's var"
D = 5
[vars]
A = "var"
B = "var"
C = "var"
`
	if err := os.WriteFile(filepath.Join(p.dir, "envcrypt.toml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	v := p.vault(p.alice)
	p.mustSet(v, "E", "development's file")
	p.mustSet(v, "C", "development's file")
	p.mustSet(v, "D", "development's file")
	if err := v.Change("staging", "set", func(doc *crypt.Document) (bool, error) { return true, doc.Set("E", "staging's file") }); err != nil {
		t.Fatal(err)
	}
	env, err := v.Open("staging")
	if err != nil {
		t.Fatal(err)
	}
	got, err := v.Resolve(env, v.Open)
	want := []Value{
		{"A", "var", Origin{Plain: true}},
		{"B", "staging's var", Origin{"staging", true}},
		{"C", "development's file", Origin{Environment: "development"}},
		{"E", "staging's file", Origin{Environment: "staging"}},
		{"D", "5", Origin{"staging", true}},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	names, err := v.ResolveNames("staging")
	for i := range want {
		if !want[i].Origin.Plain {
			want[i].Value = ""
		}
	}
	if err != nil || !reflect.DeepEqual(names, want) {
		t.Errorf("got %+v, %v", names, err)
	}

	// What lies underneath is verified too.
	broken := errors.New("broken")
	if got, err := v.Resolve(env, func(string) (*Environment, error) { return nil, broken }); got != nil || err != broken {
		t.Errorf("got %+v, %v", got, err)
	}
	os.Remove(p.file("development"))
	var missing *MissingError
	if _, err := v.ResolveNames("staging"); !errors.As(err, &missing) {
		t.Errorf("got %v", err)
	}
}
