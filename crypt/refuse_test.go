package crypt

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

var staging = Options{Environment: "staging"}

func TestRefuseDamaged(t *testing.T) {
	p := newPerson(t)
	good := sample(t, "staging", p)
	mustOpen(t, good, staging, p)

	// Each edit is made to a sealed file and refused with this line and key.
	tests := []struct {
		name    string
		edit    func(l []string) []string
		line    int
		key     string
		problem string
	}{
		{"empty file", func(l []string) []string { return nil }, 0, "", "no SOPS metadata"},
		{"not encrypted", func(l []string) []string { return []string{"A=" + canary + "\n"} }, 0, "", "no SOPS metadata"},
		{"plain value", replace(3, "API_KEY="+canary+"\n"), 3, "API_KEY", "is not encrypted"},
		{"plain comment", replace(2, "# "+canary+"\n"), 2, "", "a comment that is not encrypted"},
		{"plain comment added", insert(4, "#"+canary+"\n"), 4, "", "a comment that is not encrypted"},
		{"duplicate", insert(8, "DEBUG="+canary+"\n"), 8, "DEBUG", "stands twice, first on line 7"},
		{"duplicate empty", insert(6, "EMPTY=\n"), 7, "EMPTY", "stands twice, first on line 6"},
		{"duplicate metadata", insert(8, "sops_mac="+canary+"\n"), 12, "sops_mac", "stands twice, first on line 8"},
		{"name with a dash", insert(3, "a-b="+canary+"\n"), 3, `"a-b"`, "not a name"},
		{"name with a digit first", insert(3, "1A="+canary+"\n"), 3, `"1A"`, "not a name"},
		{"name with a blank", insert(3, "export A="+canary+"\n"), 3, "", "not a name"},
		{"no name", insert(3, "="+canary+"\n"), 3, "", "not a name"},
		{"long name", insert(3, strings.Repeat("a.", 30)+"="+canary+"\n"), 3, "a name of 60 bytes", "not a name"},
		{"end of a base64 text", insert(3, canary+"==\n"), 3, "", "not a name"},
		{"piece of JSON", insert(3, `"password": "`+canary+`=="`+"\n"), 3, "", "not a name"},
		{"name in another script", insert(3, "Ä="+canary+"\n"), 3, "", "not a name"},
		{"name not UTF-8", insert(3, "A\xff="+canary+"\n"), 3, "", "the name is not valid UTF-8"},
		{"byte order mark", func(l []string) []string { l[0] = "\ufeff" + l[0]; return l }, 1, "", "not a name"},
		{"no equals sign", insert(3, canary+"\n"), 3, "", `missing "="`},
		{"NUL in a value", insert(3, "A="+canary+"\x00\n"), 3, "", "NUL byte"},
		{"NUL in a name", insert(3, "A\x00="+canary+"\n"), 3, "", "NUL byte"},
		{"NUL in a comment", insert(3, "#"+canary+"\x00\n"), 3, "", "NUL byte"},
		{"CRLF", func(l []string) []string {
			return strings.SplitAfter(strings.ReplaceAll(strings.Join(l, ""), "\n", "\r\n"), "\n")
		}, 1, "", "carriage return"},
		{"CRLF on one line", func(l []string) []string { l[4] = strings.TrimSuffix(l[4], "\n") + "\r\n"; return l }, 5, "", "carriage return"},
		{"conflict, ours", insert(3, "<<<<<<< HEAD\n"), 3, "", "conflict marker"},
		{"conflict, base", insert(3, "||||||| 1234567\n"), 3, "", "conflict marker"},
		{"conflict, middle", insert(3, "=======\n"), 3, "", "conflict marker"},
		{"conflict, theirs", insert(3, ">>>>>>> theirs\n"), 3, "", "conflict marker"},
		{"conflict with CRLF", insert(3, "=======\r\n"), 3, "", "conflict marker"},
		{"moved ciphertext", func(l []string) []string {
			_, a, _ := strings.Cut(l[2], "=")
			l[4] = "DB_URL=" + a
			return l
		}, 5, "DB_URL", "does not authenticate"},
		{"renamed", func(l []string) []string { l[2] = "X" + l[2]; return l }, 3, "XAPI_KEY", "does not authenticate"},
		{"comment as value", func(l []string) []string { l[2] = "API_KEY=" + l[1][1:]; return l }, 3, "API_KEY", "does not authenticate"},
		{"value as comment", func(l []string) []string { l[1] = "#" + strings.TrimPrefix(l[2], "API_KEY="); return l }, 2, "", "does not authenticate"},
		{"ciphertext cut", replace(3, "API_KEY=ENC[AES256_GCM,data:"+canary+"]\n"), 3, "API_KEY", "not a SOPS ciphertext"},
		{"ciphertext with a tail", func(l []string) []string { l[2] = strings.TrimSuffix(l[2], "\n") + canary + "\n"; return l }, 3, "API_KEY", "not a SOPS ciphertext"},
		{"ciphertext not base64", replace(3, "API_KEY=ENC[AES256_GCM,data:"+canary+"!,iv:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=,tag:AAAAAAAAAAAAAAAAAAAAAA==,type:str]\n"), 3, "API_KEY", "data is not base64"},
		{"short nonce", replace(3, "API_KEY=ENC[AES256_GCM,data:AAAA,iv:AAAA,tag:AAAAAAAAAAAAAAAAAAAAAA==,type:str]\n"), 3, "API_KEY", "nonce"},
		{"long nonce", replace(3, "API_KEY=ENC[AES256_GCM,data:AAAA,iv:"+strings.Repeat("A", 400)+",tag:AAAAAAAAAAAAAAAAAAAAAA==,type:str]\n"), 3, "API_KEY", "nonce"},
		{"short tag", replace(3, "API_KEY=ENC[AES256_GCM,data:AAAA,iv:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=,tag:AAAA,type:str]\n"), 3, "API_KEY", "tag"},
		{"long tag", replace(3, "API_KEY=ENC[AES256_GCM,data:AAAA,iv:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=,tag:"+strings.Repeat("A", 400)+",type:str]\n"), 3, "API_KEY", "tag"},
		{"unknown type", typed(3, "list"), 3, "API_KEY", "a type that no value can have"},
		{"value of type comment", typed(3, "comment"), 3, "API_KEY", "a type that no value can have"},
		{"comment of type str", typed(2, "str"), 2, "", "another type than comment"},
		{"type that does not fit", typed(3, "int"), 3, "API_KEY", "is no int"},
		{"type float that does not fit", typed(3, "float"), 3, "API_KEY", "is no float"},
		{"type bool that does not fit", typed(3, "bool"), 3, "API_KEY", "is no bool"},
		{"type time that does not fit", typed(3, "time"), 3, "API_KEY", "is no time"},
		{"MAC missing", without("sops_mac="), 8, "", "no MAC"},
		{"MAC empty", with("sops_mac=", ""), 8, "", "no MAC"},
		{"MAC of another", with("sops_mac=", canary), 0, "", "MAC does not authenticate"},
		{"MAC a value", func(l []string) []string {
			return with("sops_mac=", strings.TrimSpace(strings.TrimPrefix(l[2], "API_KEY=")))(l)
		}, 0, "", "MAC does not authenticate"},
		{"lastmodified missing", without("sops_lastmodified="), 8, "", "no lastmodified"},
		{"lastmodified no time", with("sops_lastmodified=", canary), 10, "sops_lastmodified", "cannot be read"},
		{"lastmodified another time", with("sops_lastmodified=", "2026-02-03T03:05:07Z"), 0, "", "MAC does not authenticate"},
		{"entry removed", func(l []string) []string { return slices.Delete(l, 4, 5) }, 0, "", "MAC does not match"},
		{"entries swapped", func(l []string) []string { l[2], l[4] = l[4], l[2]; return l }, 0, "", "MAC does not match"},
		{"value emptied", replace(3, "API_KEY=\n"), 0, "", "MAC does not match"},
		{"mac_only_encrypted", insert(8, "sops_mac_only_encrypted=true\n"), 0, "", "MAC does not match"},
		{"mac_only_encrypted no bool", insert(8, "sops_mac_only_encrypted="+canary+"\n"), 8, "sops_mac_only_encrypted", "cannot be read"},
		{"two rules", insert(8, "sops_encrypted_suffix=_X\n"), 0, "", "more than one rule"},
		{"bad regex", func(l []string) []string {
			return insert(8, "sops_encrypted_regex=(\n")(without("sops_unencrypted_suffix=")(l))
		}, 0, "", "does not compile"},
		{"no recipient", without("sops_age"), 8, "", "names no recipient"},
		{"hole in the recipients", func(l []string) []string {
			return strings.SplitAfter(strings.ReplaceAll(strings.Join(l, ""), "sops_age__list_0", "sops_age__list_1"), "\n")
		}, 8, "sops_age", "entry 0 of the recipients is incomplete"},
		{"recipient without a stanza", without("sops_age__list_0__map_enc="), 8, "sops_age", "entry 0 of the recipients is incomplete"},
		{"stanza without a recipient", without("sops_age__list_0__map_recipient="), 8, "sops_age", "entry 0 of the recipients is incomplete"},
		{"recipient twice", insert(8, "sops_age__list_00__map_recipient=age1x\n"), 10, "sops_age", "stands twice"},
		{"huge position", insert(8, "sops_age__list_10000__map_enc=x\n"), 8, "sops_age", "bad position"},
		{"negative position", insert(8, "sops_age__list_-1__map_enc=x\n"), 8, "sops_age", "bad position"},
		{"position no number", insert(8, "sops_age__list_x__map_enc=x\n"), 8, "sops_age", "bad position"},
		{"age no list", insert(8, "sops_age__map_enc=x\n"), 8, "sops_age", "not a list"},
		{"recipient with an escape", with("sops_age__list_0__map_recipient=", "age1\x1b[31m"+canary), 8, "sops_age", "no public key"},
		{"stanza damaged", with("sops_age__list_0__map_enc=", canary), 0, "", "cannot be unwrapped"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			data := []byte(strings.Join(tt.edit(lines(good)), ""))
			e := refused[*DamagedError](t, data, staging, p)
			if e.Line != tt.line || e.Key != tt.key || !strings.Contains(e.Problem, tt.problem) {
				t.Errorf("got line %d, key %q, problem %q; want line %d, key %q, problem %q", e.Line, e.Key, e.Problem, tt.line, tt.key, tt.problem)
			}
		})
	}
}

func replace(n int, text string) func([]string) []string {
	return func(l []string) []string { l[n-1] = text; return l }
}

func insert(n int, text string) func([]string) []string {
	return func(l []string) []string { return slices.Insert(l, n-1, text) }
}

func without(prefix string) func([]string) []string {
	return func(l []string) []string {
		return slices.DeleteFunc(l, func(s string) bool { return strings.HasPrefix(s, prefix) })
	}
}

func with(prefix, value string) func([]string) []string {
	return func(l []string) []string {
		for i := range l {
			if strings.HasPrefix(l[i], prefix) {
				l[i] = prefix + value + "\n"
			}
		}
		return l
	}
}

func typed(n int, typ string) func([]string) []string {
	return func(l []string) []string {
		l[n-1] = l[n-1][:strings.LastIndex(l[n-1], ",type:")] + ",type:" + typ + "]\n"
		return l
	}
}

func TestRefuseUnsealed(t *testing.T) {
	p := newPerson(t)
	good := sample(t, "staging", p)
	unsealed := good[len(firstLine(good)):]
	e := refused[*SealError](t, unsealed, staging, p)
	if e.State != SealMissing || e.Want != "staging" || e.Environment != "" {
		t.Errorf("got %+v", e)
	}
	for _, first := range []string{"#\n", "\n", "# envcrypt-seal v1 environment=staging keys=x\n", "A=\n"} {
		if e := refused[*SealError](t, append([]byte(first), good...), staging, p); e.State != SealMissing {
			t.Errorf("%q before the seal: got %+v", first, e)
		}
	}
}

func TestRefuseMisplaced(t *testing.T) {
	p := newPerson(t)
	production := sample(t, "production", p)
	e := refused[*SealError](t, production, staging, p)
	if want := (SealError{State: SealMisplaced, Want: "staging", Environment: "production"}); *e != want {
		t.Errorf("got %+v", e)
	}
	d := mustOpen(t, production, Options{Environment: "staging", Reseal: true}, p)
	if state, env := d.SealState(); state != SealMisplaced || env != "production" {
		t.Errorf("got %v, %s", state, env)
	}
	if d := mustOpen(t, production, Options{}, p); len(d.Keys()) != 4 {
		t.Errorf("without an environment: %v", d.Keys())
	}

	// The seal of another environment does not authenticate in this file either.
	mixed := append(slices.Clone(firstLine(production)), sample(t, "staging", p)...)
	if e := refused[*DamagedError](t, mixed, staging, p); e.Line != 1 {
		t.Errorf("got %+v", e)
	}
}

func TestRefuseStale(t *testing.T) {
	p, q := newPerson(t), newPerson(t)
	tests := []struct {
		name   string
		change func(d *Document)
		keys   bool
	}{
		{"key added", func(d *Document) { d.Set("NEW", canary) }, true},
		{"empty key added", func(d *Document) { d.Set("LD_PRELOAD", "") }, true},
		{"key removed", func(d *Document) { d.Delete("DB_URL") }, true},
		{"empty key removed", func(d *Document) { d.Delete("EMPTY") }, true},
		{"keys reordered", func(d *Document) { d.items[1], d.items[3] = d.items[3], d.items[1] }, true},
		{"empty key moved", func(d *Document) { d.items[4], d.items[5] = d.items[5], d.items[4] }, true},
		{"empty key renamed", func(d *Document) { d.items[4].key = "LD_PRELOAD" }, true},
		{"key emptied", func(d *Document) { d.Set("DB_URL", ""); d.items[3].cipher = "" }, true},
		{"key filled", func(d *Document) { d.Set("EMPTY", canary) }, true},
		{"value changed", func(d *Document) { d.Set("DB_URL", canary) }, false},
		{"value encrypted afresh", func(d *Document) { d.items[1].cipher = "" }, false},
		{"comment removed", func(d *Document) { d.items = d.items[1:] }, false},
		{"comment added", func(d *Document) { d.items = append(d.items, item{kind: kindComment, value: "x"}) }, false},
		{"empty comment added", func(d *Document) { d.items = append(d.items, item{kind: kindComment}) }, false},
		{"blank removed", func(d *Document) { d.items = slices.Delete(d.items, 2, 3) }, false},
		{"blank added", func(d *Document) { d.items = slices.Insert(d.items, 2, item{kind: kindBlank}) }, false},
		{"nothing but the time", func(d *Document) { d.meta.lastModified = d.meta.lastModified.AddDate(0, 0, 1) }, false},
		{"recipient added", func(d *Document) {
			s, err := wrapDataKey(d.dataKey, q.recipient)
			if err != nil {
				t.Fatal(err)
			}
			d.meta.groups[0].stanzas = append(d.meta.groups[0].stanzas, s)
		}, false},
		{"recipient wrapped again", func(d *Document) { d.meta.groups[0].stanzas[0], _ = wrapDataKey(d.dataKey, p.recipient) }, false},
		{"version", func(d *Document) { d.meta.version = "3.99.0" }, false},
		{"suffix", func(d *Document) { d.meta.unencryptedSuffix = "_unencrypted" }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			data := otherTool(t, sample(t, "staging", p), p, tt.change)
			for _, o := range []Options{staging, {}} {
				e := refused[*SealError](t, data, o, p)
				if want := (SealError{State: SealStale, Want: o.Environment, Environment: "staging", KeysChanged: tt.keys}); *e != want {
					t.Errorf("got %+v, want %+v", *e, want)
				}
			}
			d := mustOpen(t, data, Options{Environment: "staging", Reseal: true}, p)
			if state, _ := d.SealState(); state != SealStale || d.SealKeysChanged() != tt.keys {
				t.Errorf("with Reseal: %v, %v", state, d.SealKeysChanged())
			}
			for _, v := range pairs(d) {
				if strings.HasSuffix(v, "=") {
					t.Errorf("a stale seal vouches for %s", v)
				}
			}
		})
	}
}

// What SOPS neither authenticates nor encrypts can change without a data key.
func TestRefuseStaleFromOutside(t *testing.T) {
	p, q := newPerson(t), newPerson(t)
	good := sample(t, "staging", p, q)
	tests := []struct {
		name string
		edit func(l []string) []string
		keys bool
	}{
		{"LD_PRELOAD added", insert(3, "LD_PRELOAD=\n"), true},
		{"empty removed", func(l []string) []string { return slices.Delete(l, 5, 6) }, true},
		{"empty renamed", replace(6, "LD_PRELOAD=\n"), true},
		{"comment removed", func(l []string) []string { return slices.Delete(l, 1, 2) }, false},
		{"comment moved", func(l []string) []string { l[1], l[2] = l[2], l[1]; return l }, false},
		{"empty comment added", insert(3, "#\n"), false},
		{"blank added", insert(3, "\n"), false},
		{"blank at the end", func(l []string) []string { return append(l, "\n\n") }, false},
		{"blank removed", func(l []string) []string { return slices.Delete(l, 3, 4) }, false},
		{"last newline removed", func(l []string) []string { l[len(l)-1] = strings.TrimSpace(l[len(l)-1]); return l }, false},
		{"recipient removed", func(l []string) []string { return without("sops_age__list_1")(l) }, false},
		{"recipient renamed", with("sops_age__list_1__map_recipient=", "age1attacker"), false},
		{"stanza replaced", with("sops_age__list_1__map_enc=", "x"), false},
		{"metadata added", func(l []string) []string { return append(l, "sops_x=y\n") }, false},
		{"metadata removed", func(l []string) []string { return without("sops_version=")(l) }, false},
		{"pgp added", func(l []string) []string { return append(l, "sops_pgp__list_0__map_fp=x\n") }, false},
		{"rule removed", func(l []string) []string { return without("sops_unencrypted_suffix=")(l) }, false},
		{"metadata reordered", func(l []string) []string { slices.Reverse(l[7:]); return l }, false},
		{"type bytes", typed(3, "bytes"), false},
		{"type int", typed(7, "int"), false},
		{"type float", typed(7, "float"), false},
	}
	mustOpen(t, good, staging, p)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			data := []byte(strings.Join(tt.edit(lines(good)), ""))
			e := refused[*SealError](t, data, staging, p)
			if e.State != SealStale || e.KeysChanged != tt.keys {
				t.Errorf("got %+v", *e)
			}
		})
	}
}

// A value that the metadata's rules leave in the clear is refused all the same.
func TestRefusePlainUnderRules(t *testing.T) {
	p := newPerson(t)
	for _, rule := range []string{
		"sops_unencrypted_suffix=_KEY",
		"sops_unencrypted_regex=^API_",
		"sops_encrypted_suffix=_URL",
		"sops_encrypted_regex=^(DB_URL|DEBUG)$",
		"sops_unencrypted_comment_regex=x",
		"sops_encrypted_comment_regex=x",
		"sops_mac_only_encrypted=true\nsops_encrypted_suffix=_URL",
	} {
		name, _, _ := strings.Cut(rule, "=")
		t.Run(name, func(t *testing.T) {
			edit := func(value string) []byte {
				l := without("sops_unencrypted_suffix=")(lines(sample(t, "staging", p)))
				l[2] = "API_KEY=" + value + "\n"
				return []byte(strings.Join(append(l, rule+"\n"), ""))
			}
			e := refused[*DamagedError](t, edit(canary), staging, p)
			if e.Line != 3 || e.Key != "API_KEY" || e.Problem != "is not encrypted" {
				t.Errorf("got %+v", *e)
			}
			if err := refused[error](t, edit(""), staging, p); err == nil {
				t.Error("accepted as an empty value")
			}
		})
	}
}

// Even a seal that fits does not make another type than str acceptable.
func TestRefuseTypeUnderFittingSeal(t *testing.T) {
	p := newPerson(t)
	for _, typ := range []string{"int", "float", "bytes"} {
		data := insider(t, []byte(strings.Join(typed(7, typ)(lines(sample(t, "staging", p))), "")), p)
		e := refused[*DamagedError](t, data, staging, p)
		if e.Line != 7 || e.Key != "DEBUG" || e.Problem != "has another type than str" {
			t.Errorf("%s: got %+v", typ, *e)
		}
	}
}

func TestRefuseNULUnderFittingSeal(t *testing.T) {
	p := newPerson(t)
	data := otherTool(t, sample(t, "staging", p), p, func(d *Document) {
		d.items[1].value, d.items[1].cipher = canary+"\x00", ""
	})
	e := refused[*DamagedError](t, data, staging, p)
	if e.Line != 3 || e.Key != "API_KEY" {
		t.Errorf("got %+v", *e)
	}
}

func TestRefuseOtherKeys(t *testing.T) {
	p := newPerson(t)
	for kind, field := range map[string]string{
		"pgp":      "sops_pgp__list_0__map_fp",
		"kms":      "sops_kms__list_0__map_arn",
		"gcp_kms":  "sops_gcp_kms__list_0__map_resource_id",
		"azure_kv": "sops_azure_kv__list_0__map_name",
		"hc_vault": "sops_hc_vault__list_0__map_key_name",
		"hckms":    "sops_hckms__list_0__map_key_id",
	} {
		l := append(without("sops_age")(lines(sample(t, "staging", p))), field+"="+canary+"\n")
		e := refused[*UnsupportedError](t, []byte(strings.Join(l, "")), staging, p)
		if !reflect.DeepEqual(e.Kinds, []string{kind}) {
			t.Errorf("%s: got %v", kind, e.Kinds)
		}
		s, err := Inspect([]byte(strings.Join(l, "")), Dotenv)
		refusal[*UnsupportedError](t, s == nil, err)
	}
}

// Beside age keys, others are reported, and a sealed file never has them.
func TestOtherKeysBesideAge(t *testing.T) {
	p := newPerson(t)
	unsealed := lines(sample(t, "staging", p))[1:]
	unsealed = append(unsealed, "sops_pgp__list_0__map_fp=x\n", "sops_kms__list_0__map_arn=x\n")
	d := mustOpen(t, []byte(strings.Join(unsealed, "")), Options{}, p)
	if got := fmt.Sprint(d.OtherKinds()); got != "[pgp kms]" {
		t.Errorf("got %s", got)
	}
	data := mustSeal(t, d, "staging", p)
	if strings.Contains(string(data), "pgp") || len(mustOpen(t, data, staging, p).OtherKinds()) != 0 {
		t.Error("a sealed file keeps a pgp key")
	}
}

func TestRefuseIdentity(t *testing.T) {
	p, q, stranger := newPerson(t), newPerson(t), newPerson(t)
	data := sample(t, "staging", p, q)
	e := refused[*NoIdentityError](t, data, staging, stranger, stranger)
	if e.Tried != 2 || !slices.Equal(e.Recipients, []string{p.recipient.Text, q.recipient.Text}) {
		t.Errorf("got %+v", *e)
	}
	if e := refused[*NoIdentityError](t, data, staging); e.Tried != 0 {
		t.Errorf("got %+v", *e)
	}
	// A stanza for somebody else under this recipient's name.
	mixed := replaceOnce(t, data, "_recipient="+p.recipient.Text, "_recipient="+stranger.recipient.Text)
	refused[*NoIdentityError](t, mixed, staging, stranger)
}

func TestRefuseDataKeySize(t *testing.T) {
	p := newPerson(t)
	for _, size := range []int{0, 16, 31, 33, 64} {
		s, err := wrapDataKey(make([]byte, size), p.recipient)
		if err != nil {
			t.Fatal(err)
		}
		l := with("sops_age__list_0__map_enc=", strings.ReplaceAll(s.armored, "\n", `\n`))(lines(sample(t, "staging", p)))
		e := refused[*DamagedError](t, []byte(strings.Join(l, "")), staging, p)
		if !strings.Contains(e.Problem, fmt.Sprintf("%d bytes", size)) {
			t.Errorf("got %+v", *e)
		}
	}
}
