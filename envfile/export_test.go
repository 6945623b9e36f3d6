package envfile

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

var exportVars = []Var{
	{"B", ""}, {"A", "a b"}, {"yes", "no"}, {"NULL", "<a&b>"}, {"Y1", "it's"}, {"Q", `"\`},
	{"C", "\n\t\x7f\u0085\u00a0\u2028\ufeff\ufffe\U0001F600\U000E0001é"},
}

type exporter func([]Var) ([]byte, error)

func TestExports(t *testing.T) {
	for name, c := range map[string]struct {
		export exporter
		want   string
	}{
		"json": {JSON, `{
  "B": "",
  "A": "a b",
  "yes": "no",
  "NULL": "<a&b>",
  "Y1": "it's",
  "Q": "\"\\",
  "C": "\n\t` + "\x7f\u0085\u00a0" + `\u2028` + "\ufeff\ufffe\U0001F600\U000E0001é" + `"
}
`},
		"yaml": {YAML, `B: ""
A: "a b"
"yes": "no"
"NULL": "<a&b>"
Y1: "it's"
Q: "\"\\"
C: "\n\u0009\u007F\u0085\u00A0\u2028\uFEFF\uFFFE😀\U000E0001é"
`},
		"shell": {Shell, `export B=''
export A='a b'
export yes='no'
export NULL='<a&b>'
export Y1='it'\''s'
export Q='"\'
export C='` + exportVars[6].Value + "'\n"},
		"dotenv": {Dotenv, `B=
A='a b'
yes=no
NULL='<a&b>'
Y1="it's"
Q='"\'` + nodeGuard + `
C='` + exportVars[6].Value + "'\n"},
		"keys": {func(vars []Var) ([]byte, error) { return Keys(vars), nil }, "B\nA\nyes\nNULL\nY1\nQ\nC\n"},
	} {
		got, err := c.export(exportVars)
		if err != nil || string(got) != c.want {
			t.Errorf("%s:\n got %q, %v\nwant %q", name, got, err, c.want)
		}
	}
}

func TestExportsOfNothing(t *testing.T) {
	for want, exports := range map[string][]exporter{"{}\n": {JSON, YAML}, "": {Dotenv, Shell}} {
		for _, export := range exports {
			if got, err := export(nil); err != nil || string(got) != want {
				t.Errorf("got %q, %v, want %q", got, err, want)
			}
		}
	}
}

func TestYAMLKeys(t *testing.T) {
	for _, word := range strings.Fields("y Y n N yes Yes YES no No NO on On ON off Off OFF true True TRUE false False FALSE null Null NULL nUlL a.b 1 ~ <<") {
		if got, err := YAML([]Var{{word, ""}}); err != nil || string(got) != `"`+word+"\": \"\"\n" {
			t.Errorf("%s: %q, %v", word, got, err)
		}
	}
	if got, err := YAML([]Var{{"YEP", ""}}); err != nil || string(got) != "YEP: \"\"\n" {
		t.Errorf("%q, %v", got, err)
	}
}

// What JSON and YAML parsers read is what was exported.
func TestJSONAndYAMLReadBack(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	vars := exportVars
	for i := range 2000 {
		vars = append(vars, Var{key(i), nasty(r)})
	}
	for block := rune(0); block < 0x11000; block += 256 {
		var value strings.Builder
		for c := max(block, 1); c < block+256 && (c < 0xd800 || c > 0xdfff); c++ {
			value.WriteRune(c)
		}
		vars = append(vars, Var{"U" + key(int(block)), value.String()})
	}
	for name, read := range map[string]func(any) error{
		"json": func(v any) error { return readBack(JSON, json.Unmarshal, vars, v) },
		"yaml": func(v any) error { return readBack(YAML, yaml.Unmarshal, vars, v) },
	} {
		got := map[string]string{}
		if err := read(&got); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(got) != len(vars) {
			t.Errorf("%s: %d keys of %d", name, len(got), len(vars))
		}
		for _, v := range vars {
			if got[v.Key] != v.Value {
				t.Errorf("%s: %q is read as %q", name, v.Value, got[v.Key])
			}
		}
	}
}

func readBack(export exporter, unmarshal func([]byte, any) error, vars []Var, v any) error {
	text, err := export(vars)
	if err != nil {
		return err
	}
	return unmarshal(text, v)
}

func TestExportsRefuse(t *testing.T) {
	exporters := map[string]exporter{"dotenv": Dotenv, "json": JSON, "yaml": YAML, "shell": Shell}
	for _, c := range []struct{ key, value, refusedBy string }{
		{"A", secret + "\x00", "dotenv json yaml shell"},
		{"A", secret + "\xff", "dotenv json yaml"},
		{"A\x00", secret, "dotenv json yaml shell"},
		{"A\xff", secret, "dotenv json yaml shell"},
		{"FIRST", secret, "dotenv json yaml shell"}, // twice
		{"A-B", secret, "dotenv shell"},
		{"A;id", secret, "dotenv shell"},
		{"", secret, "dotenv shell"},
		{"sops_a", secret, "dotenv"},
		{"A", secret + "\r\n", "dotenv"},
		{"A", secret + "'`", "dotenv"},
		{"A", secret + "\n<<<<<<< a\n=======\n>>>>>>> b", "dotenv"},
		{"A" + strings.Repeat("a", yamlKeyLimit), secret, "yaml"},
		{"A", secret + "\r`\"$\\", ""},
	} {
		for format, export := range exporters {
			got, err := export([]Var{{"FIRST", ""}, {c.key, c.value}})
			e, refused := errors.AsType[*ExpressError](err)
			if want := strings.Contains(c.refusedBy, format); refused != want || (err != nil) != want {
				t.Errorf("%s %q %q: %v", format, c.key, c.value, err)
			}
			if !refused {
				continue
			}
			if got != nil || e.Key != c.key || e.Format != format || e.Reason == "" {
				t.Errorf("%s %q: %q, %#v", format, c.key, got, e)
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the error quotes the value: %v", err)
			}
		}
	}
}
