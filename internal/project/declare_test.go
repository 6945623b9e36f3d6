package project

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

const declarations = `version = 1
[members.a]
keys = ["<A>"]
[members.b]
keys = ["<B>"]
[members.c]
keys = ["<C>"]
[groups]
ops = ["a"]
security = ["b"]
[vars]
LOG_LEVEL = "info"
PORT = 0x10
RATIO = 0.50
DEBUG = false
[environments.base]
readers = ["a"]
[environments.staging]
readers = ["a"]
inherits = "base"
vars = { LOG_LEVEL = "debug" }
disable = ["production-hosts"]
[[environments.staging.deny]]
key = "DATABASE_*"
host = "*.corp.internal"
message = "not here"
[[environments.staging.deny]]
name = "no-x"
value = "x{3}"
[environments.production]
reader_groups = [["ops"], ["security", "c"]]
quorum = 2
strict = true
kind = "production"
[keys.PASSWORD]
description = "of the database"
required = ["staging", "production"]
type = "string"
pattern = "[a-z]+"
min_length = 12
unique = true
promote = false
rotate = "30d"
generate = "hex"
example = "abc"
[keys.LEVEL]
required = true
type = "enum"
values = ["debug", "info"]
[check.ignore]
no-staging = "we have one"
[check.warn]
"same-value/staging/LEVEL" = "both are made up"
"overdue/*/PASSWORD" = "in June"
`

func TestDeclarations(t *testing.T) {
	text, _ := fillKeys(t, declarations)
	p, err := ParsePolicy("envcrypt.toml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	vars := []Var{{"LOG_LEVEL", "info", 12}, {"PORT", "16", 13}, {"RATIO", "0.50", 14}, {"DEBUG", "false", 15}}
	if !reflect.DeepEqual(p.Vars, vars) {
		t.Errorf("vars %+v", p.Vars)
	}
	staging := Environment{
		Name: "staging", Readers: []string{"a"}, Inherits: "base", Vars: []Var{{"LOG_LEVEL", "debug", 21}}, Disable: []string{"production-hosts"},
		Deny: []Rule{
			{Name: "deny-1", Key: "DATABASE_*", Host: "*.corp.internal", Message: "not here", Line: 23},
			{Name: "no-x", Value: "x{3}", Line: 27},
		},
	}
	if e, err := p.Environment("staging"); err != nil || !reflect.DeepEqual(e, staging) {
		t.Errorf("staging %+v, %v", e, err)
	}
	production := Environment{
		Name: "production", ReaderGroups: [][]string{{"ops"}, {"security", "c"}}, Quorum: 2, Strict: true, Kind: KindProduction,
	}
	if e, err := p.Environment("production"); err != nil || !reflect.DeepEqual(e, production) {
		t.Errorf("production %+v, %v", e, err)
	}
	if readers, err := p.Recipients("production"); err != nil || len(readers) != 3 || readers[2].Member != "c" {
		t.Errorf("recipients %v, %v", readers, err)
	}
	if groups, quorum, err := p.KeyGroups("production"); err != nil || quorum != 2 || len(groups) != 2 || len(groups[0]) != 1 || len(groups[1]) != 2 || groups[1][1].Member != "c" {
		t.Errorf("groups: %d of %v, %v", quorum, groups, err)
	}
	if groups, quorum, err := p.KeyGroups("staging"); err != nil || quorum != 1 || len(groups) != 1 || len(groups[0]) != 1 || groups[0][0].Member != "a" {
		t.Errorf("groups: %d of %v, %v", quorum, groups, err)
	}
	if groups, _, err := p.KeyGroups("nowhere"); groups != nil || !errors.As(err, new(*UnknownEnvironmentError)) {
		t.Errorf("groups: %v, %v", groups, err)
	}
	password := Declaration{
		Name: "PASSWORD", Description: "of the database", RequiredIn: []string{"staging", "production"}, Type: TypeString, Pattern: "[a-z]+",
		MinLength: 12, Unique: true, NoPromotion: true, Rotate: 30 * 24 * time.Hour, Generate: Generator{"hex", 64}, Example: "abc", Line: 35,
	}
	if d := p.Declaration("PASSWORD"); d == nil || !reflect.DeepEqual(*d, password) {
		t.Errorf("PASSWORD %+v", d)
	}
	level := p.Declaration("LEVEL")
	if level == nil || !level.IsRequired("base") || !reflect.DeepEqual(level.Values, []string{"debug", "info"}) {
		t.Errorf("LEVEL %+v", level)
	}
	if p.Declaration("OTHER") != nil {
		t.Error("a declaration of what is not declared")
	}
	exceptions := []Exception{
		{ID: "no-staging", Reason: "we have one", Line: 51},
		{ID: "same-value", Environment: "staging", Key: "LEVEL", Warn: true, Reason: "both are made up", Line: 53},
		{ID: "overdue", Key: "PASSWORD", Warn: true, Reason: "in June", Line: 54},
	}
	if !reflect.DeepEqual(p.Exceptions, exceptions) {
		t.Errorf("exceptions %+v", p.Exceptions)
	}
	layers, err := p.Layers("staging")
	if err != nil || len(layers) != 2 || layers[0].Name != "base" || layers[1].Name != "staging" {
		t.Errorf("layers %v, %v", layers, err)
	}
}

// TestDeclarationMistakes: each mistake is an error on the line that ends in "#!".
func TestDeclarationMistakes(t *testing.T) {
	const head = "version = 1\n[members.a]\nkeys = [\"<A>\"]\n[members.b]\nkeys = [\"<B>\"]\n[groups]\nops = [\"a\"]\nnone = []\n"
	const env = "[environments.dev]\nreaders = [\"a\"]\n"
	key := func(lines string) string { return head + env + "[keys.K]\n" + lines }
	deny := func(lines string) string { return head + env + "[[environments.dev.deny]] #!\n" + lines }
	group := func(lines string) string { return head + "[environments.dev]\n" + lines }
	for _, tt := range []struct{ name, text, want string }{
		{"vars a list", head + env + "[vars]\nA = [1] #!\n", "neither text nor a number"},
		{"vars a date", head + env + "[vars]\nA = 2026-01-01 #!\n", "neither text nor a number"},
		{"vars with a bad name", head + env + "[vars]\n\"hunter2-x\" = 1 #!\n", "not the name of a key"},
		{"vars with SOPS's prefix", head + env + "[vars]\nsops_mac = 1 #!\n", "not the name of a key"},
		{"vars with NUL", head + env + "[vars]\nA = \"\\u0000\" #!\n", "NUL"},
		{"vars no table", "vars = 1 #!\n" + head + env, "not a table"},
		{"vars of an environment", head + env + "[environments.dev.vars]\nA.B = 1 #!\n", "unknown key"},
		{"declared name", head + env + "[keys.\"a-b\"] #!\n", "name is not valid"},
		{"declaration no table", head + env + "[keys]\nK = 1 #!\n", "not a table"},
		{"unknown field", key("requird = true #!\n"), `unknown key "requird"`},
		{"type", key("type = \"integer\" #!\n"), "no type"},
		{"type no string", key("type = 1 #!\n"), "not a string"},
		{"enum without values", key("type = \"enum\" #!\n"), "without values"},
		{"values without enum", key("values = [\"a\"] #!\n"), "for an enum only"},
		{"value twice", key("type = \"enum\"\nvalues = [\"a\", \"a\"] #!\n"), "one twice"},
		{"required a string", key("required = \"dev\" #!\n"), "neither true nor false"},
		{"required in nowhere", key("required = [\"dev\",\n\"prod\"] #!\n"), "no environment"},
		{"min_length 0", key("min_length = 0 #!\n"), "no number of at least 1"},
		{"min_length text", key("min_length = \"8\" #!\n"), "no number of at least 1"},
		{"unique a string", key("unique = \"yes\" #!\n"), "neither true nor false"},
		{"unique and promote", key("unique = true\npromote = true #!\n"), "contradicts unique"},
		{"rotate", key("rotate = \"monthly\" #!\n"), "no length of time"},
		{"rotate negative", key("rotate = \"-3d\" #!\n"), "no length of time"},
		{"generate", key("generate = \"dice\" #!\n"), "no way to make a value"},
		{"generate too short", key("generate = \"hex:8\" #!\n"), "no way to make a value"},
		{"generate an int", key("type = \"int\"\ngenerate = \"hex\" #!\n"), "the type is another"},
		{"generate under min_length", key("min_length = 40\ngenerate = \"hex:32\" #!\n"), "fewer characters"},
		{"deny without a condition", deny("message = \"no\"\n"), "no condition"},
		{"deny with an unknown key", head + env + "[[environments.dev.deny]]\nkeys = \"A\" #!\n", `unknown key "keys"`},
		{"deny a table", head + env + "[environments.dev.deny] #!\nkey = \"A\"\n", "not a list of tables"},
		{"deny a list of strings", head + "[environments.dev]\nreaders = [\"a\"]\ndeny = [\"A\"] #!\n", "not a table"},
		{"deny with a built-in name", deny("name = \"live-keys\"\nkey = \"A\"\n"), "a name that it cannot have"},
		{"deny with a message of two lines", deny("key = \"A\"\nmessage = \"one\\ntwo\"\n"), "control character"},
		{"deny twice", head + env + "[[environments.dev.deny]]\nname = \"x\"\nkey = \"A\"\n[[environments.dev.deny]] #!\nname = \"x\"\nkey = \"B\"\n", "the name of another"},
		{"disable", head + env + "disable = [\"live-key\"] #!\n", "no built-in rule"},
		{"kind", head + env + "kind = \"prod\" #!\n", "no kind"},
		{"strict", head + env + "strict = 1 #!\n", "neither true nor false"},
		{"inherits nowhere", head + env + "inherits = \"prod\" #!\n", "which is no environment"},
		{"inherits itself", head + env + "inherits = \"dev\" #!\n", "in a circle"},
		{"a circle of two", head + env + "inherits = \"b\" #!\n[environments.b]\nreaders = [\"a\"]\ninherits = \"dev\"\n", "in a circle"},
		{"above a circle", head + env + "inherits = \"b\" #!\n[environments.b]\nreaders = [\"a\"]\ninherits = \"c\"\n[environments.c]\nreaders = [\"a\"]\ninherits = \"b\"\n", "in a circle"},
		{"quorum alone", group("readers = [\"a\"]\nquorum = 2 #!\n"), "for reader_groups"},
		{"reader_groups alone", group("reader_groups = [[\"a\"], [\"b\"]] #!\n"), "no quorum"},
		{"readers and reader_groups", group("readers = [\"a\"]\nreader_groups = [[\"a\"], [\"b\"]] #!\nquorum = 2\n"), "both readers and"},
		{"reader_groups a flat list", group("reader_groups = [\"a\", \"b\"] #!\nquorum = 2\n"), "not a list of lists"},
		{"quorum of 1", group("reader_groups = [[\"a\"], [\"b\"]]\nquorum = 1 #!\n"), "not between 2"},
		{"quorum of 3 in 2", group("reader_groups = [[\"a\"], [\"b\"]]\nquorum = 3 #!\n"), "not between 2"},
		{"a member in two groups", group("reader_groups = [[\"a\"], [\"b\", \"ops\"]] #!\nquorum = 2\n"), "in two reader_groups"},
		{"a name in two groups", group("reader_groups = [[\"ops\"], [\"ops\"]] #!\nquorum = 2\n"), "two reader_groups"},
		{"an empty group", group("reader_groups = [[\"a\"], []] #!\nquorum = 2\n"), "has no readers"},
		{"a group of nobody", group("reader_groups = [[\"a\"], [\"none\"]] #!\nquorum = 2\n"), "has no readers"},
		{"an unknown name in a group", group("reader_groups = [[\"a\"], [\"bob\"]] #!\nquorum = 2\n"), "unknown reader"},
		{"check of nothing", head + env + "[check]\nno-staging = \"x\" #!\n", "unknown key"},
		{"exception without a reason", head + env + "[check.ignore]\nno-staging = \"\" #!\n", "needs a reason"},
		{"exception of no environment", head + env + "[check.warn]\n\"x/prod\" = \"y\" #!\n", "names no environment"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text, _ := fillKeys(t, tt.text)
			_, err := ParsePolicy("envcrypt.toml", []byte(text))
			var mistake *PolicyError
			if !errors.As(err, &mistake) {
				t.Fatalf("got %v", err)
			}
			before, _, _ := strings.Cut(text, "#!")
			if line := strings.Count(before, "\n") + 1; mistake.Line != line {
				t.Errorf("line %d, want %d: %v", mistake.Line, line, err)
			}
			if !strings.Contains(mistake.Problem, tt.want) || mistake.Fix == "" || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %q, %q", mistake.Problem, mistake.Fix)
			}
		})
	}
}

func TestParseAge(t *testing.T) {
	for s, want := range map[string]time.Duration{
		"30d": 720 * time.Hour, "2w": 336 * time.Hour, "36h": 36 * time.Hour, "90m": 90 * time.Minute,
		"": 0, "d": 0, "0d": 0, "-1d": 0, "30": 0, "1.5d": 0, "99999999d": 0, "0s": 0, "-1h": 0,
	} {
		if got, ok := ParseAge(s); got != want && ok || ok != (want > 0) {
			t.Errorf("%q: %v, %v", s, got, ok)
		}
	}
}
