package envfile

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// nastyVars returns batches of variables, with those values first that are worst.
func nastyVars(batches, size int) [][]Var {
	worst := []string{
		"", " ", "\n", "\n\n", "'", `"`, "`", "$", `\`, `\\`, `\'`, `'\`, `"\`, `\"`, "'\"", "''", "a'", "'\n", "\"\n", "\n'", "' #", "\" #", "#", "# '", `# \`,
		"$(echo run)", "`echo run`", "${HOME}", "$'\\n'", "~", "~/a", "a:~", "{a,b}", "*", "!!", "-n", "a;b", "a&b", "a|b", "(a)", "=", "==", "'=", "K1=x",
		`C:\dir\`, `it's C:\dir`, `it's C:\new`, `it's \`, "it's \\\nb", "\r", "a\rb", "it's\r", "\x01", "\x7f", "it's \x01\x7f\\a", "é漢😀", "\u2028", "it's\u2028\"",
		"-----BEGIN KEY-----\nab+/==\n-----END KEY-----\n", `{"a": "b's", "c": "\n"}`, strings.Repeat("x'", 20_000),
	}
	r := rand.New(rand.NewPCG(5, 6))
	var all [][]Var
	for range batches {
		var vars []Var
		for i := range size {
			value := nasty(r)
			if len(worst) > 0 {
				value, worst = worst[0], worst[1:]
			}
			vars = append(vars, Var{key(i), value})
		}
		r.Shuffle(size, func(i, j int) { vars[i].Value, vars[j].Value = vars[j].Value, vars[i].Value })
		all = append(all, vars)
	}
	return all
}

// dotenvFile writes what Dotenv can express of vars into a file, and returns both.
func dotenvFile(t *testing.T, vars []Var) (string, []Var) {
	t.Helper()
	var kept []Var
	for _, v := range vars {
		_, err := Dotenv([]Var{v})
		impossible := strings.Contains(v.Value, "\r\n") || strings.ContainsRune(v.Value, '`') && strings.ContainsRune(v.Value, '\'') || conflict(v.Value) >= 0
		if _, refused := errors.AsType[*ExpressError](err); refused != impossible {
			t.Fatalf("%q: %v", v.Value, err)
		}
		if !impossible {
			kept = append(kept, v)
		}
	}
	text, err := Dotenv(kept)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "variables", varsOf(mustParse(t, string(text))), kept)
	return writeFile(t, text), kept
}

func writeFile(t *testing.T, text []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// sourced returns the environment after a shell has read a file.
func sourced(t *testing.T, shell, locale, file string) map[string]string {
	t.Helper()
	c := exec.Command(shell, "-c", `set -a; . "$1"; env -0`, shell, file)
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=" + locale}
	var stderr strings.Builder
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil || stderr.Len() > 0 {
		t.Fatalf("%s: %v: %s", shell, err, stderr.String())
	}
	read := map[string]string{}
	for v := range strings.SplitSeq(string(out), "\x00") {
		key, value, _ := strings.Cut(v, "=")
		read[key] = value
	}
	return read
}

func checkRead(t *testing.T, reader string, vars []Var, read map[string]string) {
	t.Helper()
	for _, v := range vars {
		if got, found := read[v.Key]; !found || got != v.Value {
			t.Errorf("%s reads %q as %q (found: %v)", reader, v.Value, got, found)
		}
	}
}

func TestBashReadsDotenv(t *testing.T) {
	for _, vars := range nastyVars(16, 300) {
		file, kept := dotenvFile(t, vars)
		for _, locale := range []string{"C", "C.UTF-8"} {
			checkRead(t, "bash", kept, sourced(t, "bash", locale, file))
		}
	}
}

func TestShellsReadShell(t *testing.T) {
	for _, vars := range nastyVars(16, 300) {
		vars[0].Value = "\xff\x80\x81\xc3'\xa9"
		text, err := Shell(vars)
		if err != nil {
			t.Fatal(err)
		}
		file := writeFile(t, text)
		for _, shell := range []string{"bash", "sh"} {
			checkRead(t, shell, vars, sourced(t, shell, "C.UTF-8", file))
		}
	}
}

// Node's dotenv turns every CR into LF, and removes no backslash in double quotes, where bash needs some.
func nodeReads(value string) bool {
	if strings.Contains(value, "\r") {
		return false
	}
	if !strings.Contains(value, "'") {
		return true
	}
	for _, after := range strings.Split(value, `\`)[1:] {
		if after == "" || after[0] < ' ' || strings.ContainsAny(after[:1], "nrt\x7f") {
			return false
		}
	}
	return !strings.ContainsAny(value, "\"$`")
}

func TestNodeReadsDotenv(t *testing.T) {
	const script = `const [module, file] = process.argv.slice(1);
const text = require("fs").readFileSync(file), {parse} = require(module);
console.log(JSON.stringify([parse(text), parse(text, {fast: true})]));`
	module := nodeDotenv(t)
	unread := 0
	for _, vars := range nastyVars(16, 300) {
		file, kept := dotenvFile(t, vars)
		out, err := exec.Command("node", "-e", script, module, file).Output()
		if err != nil {
			t.Fatalf("node: %v", err)
		}
		var parsers []map[string]string
		if err := json.Unmarshal(out, &parsers); err != nil {
			t.Fatal(err)
		}
		for _, read := range parsers {
			if len(read) != len(kept) {
				t.Errorf("node reads %d variables of %d", len(read), len(kept))
			}
			for _, v := range kept {
				if !nodeReads(v.Value) {
					unread++
					continue
				}
				checkRead(t, "node", []Var{v}, read)
			}
		}
	}
	if unread == 0 {
		t.Error("no value that node cannot read was tried beside the others")
	}
}

// nodeDotenv returns the directory of Node's dotenv, which is installed once into the user's cache.
func nodeDotenv(t *testing.T) string {
	t.Helper()
	const version = "18.0.10"
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("this test needs node and npm, to try what they read: %v", err)
		}
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	cache = filepath.Join(cache, "envcrypt-test")
	installed := filepath.Join(cache, "dotenv-"+version)
	module := filepath.Join(installed, "node_modules", "dotenv")
	if _, err := os.Stat(module); err == nil {
		return module
	}
	if err := os.MkdirAll(cache, 0o700); err != nil {
		t.Fatal(err)
	}
	temp, err := os.MkdirTemp(cache, "install-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(temp)
	c := exec.Command("npm", "install", "--prefix", temp, "--no-audit", "--no-fund", "--ignore-scripts", "dotenv@"+version)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("npm install dotenv: %v\n%s", err, out)
	}
	if err := os.Rename(temp, installed); err != nil {
		if _, statErr := os.Stat(module); statErr != nil { // somebody else's was not first
			t.Fatal(err)
		}
	}
	return module
}
