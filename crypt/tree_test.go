package crypt

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// vector says what Open makes of a file that sops v3.13.3 wrote.
type vector struct {
	Values     [][2]string `json:"values"`
	Unverified []string    `json:"unverified"` // their names, "" for a comment
	Comments   []string    `json:"comments"`
	Error      string      `json:"error"`
}

var formats = map[string]Format{".env": Dotenv, ".yaml": YAML, ".json": JSON}

func TestSOPSVectors(t *testing.T) {
	p := fixture(t)
	names, err := filepath.Glob("testdata/sops/*.want.json")
	if err != nil || len(names) != 14 {
		t.Fatalf("%d vectors: %v", len(names), err)
	}
	for _, name := range names {
		file := strings.TrimSuffix(name, ".want.json")
		t.Run(filepath.Base(file), func(t *testing.T) {
			var want vector
			dec := json.NewDecoder(bytes.NewReader(mustRead(t, name)))
			dec.DisallowUnknownFields()
			if err := dec.Decode(&want); err != nil {
				t.Fatal(err)
			}
			f := formats[filepath.Ext(file)]
			d, err := Open(mustRead(t, file), Options{Format: f}, ids(p))
			if want.Error != "" {
				if e := refusal[*DamagedError](t, d == nil, err); e.Error() != want.Error {
					t.Errorf("got %v", e)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want.check(t, d)
			o := Options{Format: f, Environment: "staging"}
			e := refusal[error](t, true, mustFail(Open(mustRead(t, file), o, ids(p))))
			if s, ok := e.(*SealError); !ok || s.State != SealMissing {
				t.Errorf("with an environment: %v", e)
			}
			resealed := mustOpen(t, mustSeal(t, d, "staging", p), staging, p)
			if got := fmt.Sprint(pairs(resealed)); got != fmt.Sprint(pairs(d)) {
				t.Errorf("sealed, it became %s", got)
			}
		})
	}
}

func (want vector) check(t *testing.T, d *Document) {
	var values [][2]string
	for k, v := range d.All() {
		values = append(values, [2]string{k, v})
	}
	var comments, unverified []string
	for _, it := range d.Items() {
		if it.Kind == Comment {
			comments = append(comments, it.Comment)
		}
	}
	for _, u := range d.Unverified() {
		unverified = append(unverified, u.Key)
	}
	if got := (vector{Values: values, Unverified: unverified, Comments: comments}); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func mustFail(_ *Document, err error) error { return err }

func mustRead(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestReadPlain(t *testing.T) {
	tests := []struct {
		format   Format
		in, want string // want begins with "!" for an error
	}{
		{JSON, `{"a":{"b":"x","c":{"d":1}},"e":true,"f":null,"g":1.50,"h":"","i":-7,"j":1e21}`, "[a_b=x a_c_d=1 e=true f= g=1.5 h= i=-7 j=1E+21]"},
		{JSON, `{}`, "[]"},
		{JSON, `{"a":{}}`, "[]"},
		{JSON, ``, "!not a JSON object"},
		{JSON, `[]`, "!not a JSON object"},
		{JSON, `"` + canary + `"`, "!not a JSON object"},
		{JSON, `{"a":"` + canary, "!not JSON that can be read"},
		{JSON, `{"a":}`, "!not JSON that can be read"},
		{JSON, `{"a" "` + canary + `"}`, "!not JSON that can be read"},
		{JSON, `{"a":"x"}` + canary, "!line 1: text after the JSON object"},
		{JSON, `{"a":"x"} {}`, "!line 1: text after the JSON object"},
		{JSON, "{\n\"a\":{\"b\":[\"" + canary + "\"]}}", `!line 2: "a.b": is a list, which variables cannot hold`},
		{JSON, "{\"a\":\"" + canary + "\",\n\"a\":\"" + canary + "\"}", "!line 2: a: stands twice"},
		{JSON, `{"a":{"b":"x"},"a_b":"` + canary + `"}`, "!a_b: becomes a_b, as a.b does"},
		{JSON, `{"a":{"b-c":"x"}}`, `!"a.b-c": is not a name that a variable can have`},
		{JSON, `{"":"x"}`, `!"": is not a name that a variable can have`},
		{JSON, `{"sops_x":"x"}`, `!sops_x: is not a name that a variable can have`},
		{JSON, `{"a":"` + canary + `\u0000"}`, "!a: its value holds a NUL byte, which no variable can"},
		{JSON, `{"a":1e999}`, "!a: is a number out of range"},
		{JSON, `{"a":99999999999999999999}`, "[a=1E+20]"},
		{JSON, `{"a":"x","sops":{"mac":"y"}}`, "!sops: is SOPS's own name: the file is encrypted"},
		{JSON, `{"sops":"y"}`, "!sops: is not an object"},
		{YAML, "a:\n  b: x # c\n  c: {d: 1}\ne: yes\nf: ~\ng: 1.50\nh: |\n  1\n  2\ni: 2001-02-03\nj: 'null'\n", "[a_b=x a_c_d=1 e=yes f= g=1.5 h=1\n2\n i=2001-02-03T00:00:00Z j=null]"},
		{YAML, "a: 0o17\nb: 0x1F\nc: .inf\nd: 1_000\n", "[a=15 b=31 c=+Inf d=1000]"},
		{YAML, "", "!not YAML that can be read"},
		{YAML, "- a\n", "!line 1: not a YAML mapping"},
		{YAML, canary + "\n", "!line 1: not a YAML mapping"},
		{YAML, "a: [" + canary + "\n", "!not YAML that can be read"},
		{YAML, "a: 1\n---\nb: 2\n", "!line 2: more than one YAML document in the file"},
		{YAML, "a: 1\n---\n[" + canary + "\n", "!more than one YAML document in the file"},
		{YAML, "a:\n  b:\n  - " + canary + "\n", `!line 3: "a.b": is a list, which variables cannot hold`},
		{YAML, "a: " + canary + "\na: " + canary + "\n", "!line 2: a: stands twice, first on line 1"},
		{YAML, "a: &x " + canary + "\nb: *x\n", "!line 2: YAML aliases are not supported"},
		{YAML, "1: " + canary + "\n", "!line 1: a name that is no string"},
		{YAML, "<<: {a: 1}\n", "!line 1: a name that is no string"},
		{YAML, "? [a]\n: 1\n", "!line 1: a name that is no string"},
		{YAML, "a: 18446744073709551615\n", "!line 1: a: has a type that SOPS does not know"},
		{YAML, "a: !!int " + canary + "\n", "!line 1: a: cannot be read"},
		{YAML, "sops: x\n", "!line 1: sops: is not a mapping"},
	}
	for _, tt := range tests {
		items, err := ReadPlain([]byte(tt.in), tt.format)
		problem, fails := strings.CutPrefix(tt.want, "!")
		if fails {
			if e := refusal[*DamagedError](t, items == nil, err); e.Error() != problem {
				t.Errorf("%q: got %v, want %s", tt.in, e, problem)
			}
			continue
		}
		got := []string{}
		for _, it := range items {
			got = append(got, it.Key+"="+it.Value)
		}
		if err != nil || fmt.Sprint(got) != tt.want {
			t.Errorf("%q: got %s, %v, want %s", tt.in, got, err, tt.want)
		}
	}
}

// However deep a file nests, it is refused, and soon.
func TestNesting(t *testing.T) {
	const deep = 1_000_000
	for name, tt := range map[string]struct {
		format Format
		in     string
	}{
		"JSON objects":       {JSON, strings.Repeat(`{"a":`, deep)},
		"JSON lists":         {JSON, `{"a":` + strings.Repeat("[", deep)},
		"JSON metadata":      {JSON, `{"sops":` + strings.Repeat("[", deep)},
		"JSON metadata both": {JSON, `{"sops":` + strings.Repeat(`[{"a":`, deep)},
		"JSON whole":         {JSON, strings.Repeat(`{"a":`, deep) + "1" + strings.Repeat("}", deep)},
		"YAML flow":          {YAML, strings.Repeat("{a: ", deep)},
		"YAML lists":         {YAML, "sops: " + strings.Repeat("[", deep)},
		"YAML flow whole":    {YAML, strings.Repeat("{a: ", 5000) + "1" + strings.Repeat("}", 5000)},
		"YAML metadata":      {YAML, "sops: " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000)},
	} {
		t.Run(name, func(t *testing.T) {
			items, err := ReadPlain([]byte(tt.in), tt.format)
			refusal[*DamagedError](t, items == nil, err)
		})
	}
	within := strings.Repeat(`{"a":`, treeDepthLimit) + `"x"` + strings.Repeat("}", treeDepthLimit)
	if items, err := ReadPlain([]byte(within), JSON); err != nil || len(items) != 1 {
		t.Errorf("at the limit: %v", err)
	}
}

// SOPS does not authenticate a value's type. Where there is no seal, whoever can
// write a file can turn "42" into "42.0", and that is all: no other change of
// type leaves the MAC whole.
func TestTypesWithoutSeal(t *testing.T) {
	p := fixture(t)
	good := string(mustRead(t, "testdata/sops/typed.yaml"))
	want := pairs(mustOpen(t, []byte(good), Options{Format: YAML}, p))
	allowed := map[string]bool{"db_port=5432.0": true, "list_size=7.0": true, "neg=-1.0": true, "db_deep_er=42.0": true,
		"db_whole=3": true, "db_tls=True": true, "db_off=False": true, "big=1000000000000000000000000000000": true}
	for _, name := range []string{"host", "port", "ratio", "whole", "tls", "since", "er", "list_size", "big", "neg", "multi"} {
		for _, typ := range []string{"str", "int", "float", "bool", "time", "bytes", "comment", "x"} {
			l := strings.Split(good, "\n")
			for i := range l {
				if before, after, ok := strings.Cut(l[i], ",type:"); ok && strings.HasPrefix(strings.TrimSpace(l[i]), name+":") {
					_, tail, _ := strings.Cut(after, "]")
					l[i] = before + ",type:" + typ + "]" + tail
				}
			}
			d, err := Open([]byte(strings.Join(l, "\n")), Options{Format: YAML}, ids(p))
			if err != nil {
				continue
			}
			for i, v := range pairs(d) {
				if v != want[i] && !allowed[v] {
					t.Errorf("%s as %s: %s became %s", name, typ, want[i], v)
				}
			}
		}
	}
}
