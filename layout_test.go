// Package envcrypt_test holds the repository to its layout: who may import whom,
// what may be linked into the program, and what no package does.
package envcrypt_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// imports says what each package may import beside the standard library. "/..."
// stands for a package and all below it.
var imports = map[string][]string{
	"envcrypt": {
		"envcrypt/crypt", "envcrypt/internal/audit", "envcrypt/internal/environ", "envcrypt/internal/keyring", "envcrypt/internal/project",
		"envcrypt/internal/vault",
	},
	"envcrypt/crypt":   {"filippo.io/age", "filippo.io/age/armor", "github.com/getsops/sops/v3/shamir", "go.yaml.in/yaml/v3"},
	"envcrypt/envfile": {},
	"envcrypt/recipients": {
		"envcrypt/internal/bech32", "envcrypt/internal/x25519", "filippo.io/age/...", "golang.org/x/crypto/ssh",
	},
	"envcrypt/internal/project": {
		"envcrypt/crypt", "envcrypt/envfile", "envcrypt/recipients", "envcrypt/internal/tomltree", "golang.org/x/sys/...",
	},
	"envcrypt/internal/vault": {
		"envcrypt/crypt", "envcrypt/recipients", "envcrypt/internal/guard", "envcrypt/internal/history", "envcrypt/internal/project",
		"filippo.io/age/...",
	},
	"envcrypt/internal/check": {
		"envcrypt/crypt", "envcrypt/recipients", "envcrypt/internal/guard", "envcrypt/internal/history", "envcrypt/internal/project",
		"envcrypt/internal/vault",
	},
	"envcrypt/internal/guard": {"envcrypt/internal/project"},
	"envcrypt/internal/keyring": {
		"envcrypt/crypt", "envcrypt/internal/environ", "envcrypt/internal/tomltree", "envcrypt/internal/x25519",
		"filippo.io/age/...", "github.com/google/shlex", "golang.org/x/crypto/ssh",
	},
	"envcrypt/internal/environ":    {},
	"envcrypt/internal/history":    {},
	"envcrypt/internal/sopsconfig": {"envcrypt/recipients", "go.yaml.in/yaml/v3"},
	"envcrypt/internal/audit":      {"envcrypt/internal/environ", "envcrypt/internal/project", "envcrypt/internal/tomltree", "golang.org/x/sys/..."},
	"envcrypt/internal/launch":     {"golang.org/x/sys/..."},
	"envcrypt/internal/scratch":    {"golang.org/x/sys/..."},
	"envcrypt/internal/bech32":     {},
	"envcrypt/internal/x25519":     {"envcrypt/internal/bech32", "filippo.io/age/...", "filippo.io/edwards25519/...", "golang.org/x/crypto/chacha20poly1305"},
	"envcrypt/internal/tomltree":   {"github.com/pelletier/go-toml/v2/unstable"},
	"envcrypt/cmd/envcrypt": {
		"envcrypt/crypt", "envcrypt/envfile", "envcrypt/recipients", "envcrypt/internal/...",
		"filippo.io/age/...", "github.com/urfave/cli/v2",
		"golang.org/x/crypto/ssh", "golang.org/x/sys/...", "golang.org/x/term",
	},
	"envcrypt/bench":      {"envcrypt/crypt", "filippo.io/age"},
	"envcrypt/bench/bare": {},
}

// innerImports is the rule for what lies in internal/ and has none of its own:
// project and what is below it.
var innerImports = []string{
	"envcrypt/crypt", "envcrypt/envfile", "envcrypt/recipients", "envcrypt/internal/project", "filippo.io/age/...",
}

// systems are those that the program is built for: each has files of its own.
var systems = []string{"linux", "darwin", "windows"}

func TestImports(t *testing.T) {
	for _, system := range systems {
		for _, p := range list(t, system, "./...") {
			if p.Standard || !ours(p.ImportPath) || len(p.GoFiles) == 0 {
				continue
			}
			allowed, known := imports[p.ImportPath]
			switch {
			case known:
			case matches("envcrypt/internal/...", p.ImportPath):
				allowed = innerImports
			default:
				t.Errorf("%s: say in layout_test.go what this package may import", p.ImportPath)
			}
			for _, path := range p.Imports {
				first, _, _ := strings.Cut(path, "/")
				standard := !strings.Contains(first, ".") && !ours(path)
				if !standard && !slices.ContainsFunc(allowed, func(pattern string) bool { return matches(pattern, path) }) {
					t.Errorf("%s imports %s (%s)", p.ImportPath, path, system)
				}
			}
		}
	}
}

// TestNobodyImportsCommands covers what only tests import, too.
func TestNobodyImportsCommands(t *testing.T) {
	for _, p := range list(t, "linux", "./...") {
		if !ours(p.ImportPath) || matches("envcrypt/cmd/...", p.ImportPath) {
			continue
		}
		for _, path := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			if matches("envcrypt/cmd/...", path) {
				t.Errorf("%s imports %s", p.ImportPath, path)
			}
		}
	}
}

// What would make the program large or slow to start.
var neverLinked = []string{
	"net/http", "crypto/tls", "log/slog",
	"cloud.google.com/...", "google.golang.org/...", "github.com/googleapis/...",
	"github.com/aws/...", "github.com/Azure/...", "github.com/AzureAD/...",
	"github.com/hashicorp/...", "github.com/huaweicloud/...",
}

// sopsLinked are sops's packages that bring no cloud SDK with them.
var sopsLinked = []string{
	"github.com/getsops/sops/v3/age", "github.com/getsops/sops/v3/shamir",
	"github.com/getsops/sops/v3/keys", "github.com/getsops/sops/v3/cmd/sops/formats",
}

func TestLinked(t *testing.T) {
	for _, system := range systems {
		packages := list(t, system, "./cmd/envcrypt")
		if len(packages) < 100 {
			t.Fatalf("go list found %d packages only", len(packages))
		}
		for _, p := range packages {
			never := slices.ContainsFunc(neverLinked, func(pattern string) bool { return matches(pattern, p.ImportPath) })
			sops := matches("github.com/getsops/...", p.ImportPath) && !slices.Contains(sopsLinked, p.ImportPath)
			if never || sops {
				t.Errorf("%s is linked into the program (%s)", p.ImportPath, system)
			}
		}
	}
}

// outside is what only cmd reads and writes: below it, it comes in as arguments.
var outside = []string{
	"os.Getenv", "os.LookupEnv", "os.Environ", "os.ExpandEnv", "os.Setenv", "os.Unsetenv", "os.Args",
	"os.Stdin", "os.Stdout", "os.Stderr", "os.Exit", "os.UserHomeDir", "os.UserConfigDir", "os.UserCacheDir",
	"fmt.Print", "fmt.Printf", "fmt.Println", "log.Print", "log.Printf", "log.Println", "log.Fatal", "log.Fatalf", "log.Panic",
}

func TestOutsideStaysOut(t *testing.T) {
	for _, file := range sources(t) {
		command := strings.HasPrefix(file.path, "cmd/")
		ast.Inspect(file.syntax, func(n ast.Node) bool {
			selector, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			pkg, ok := selector.X.(*ast.Ident)
			if !ok {
				return true
			}
			name := pkg.Name + "." + selector.Sel.Name
			if !command && slices.Contains(outside, name) {
				t.Errorf("%s uses %s", file.at(n), name)
			}
			if command && name == "os.Exit" && filepath.Base(file.path) != "main.go" {
				t.Errorf("%s exits: only main does", file.at(n))
			}
			return true
		})
	}
}

// TestNothingRunsAtStart: what runs before main, runs in front of every command.
func TestNothingRunsAtStart(t *testing.T) {
	for _, file := range sources(t) {
		for _, d := range file.syntax.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s: func init", file.at(f))
			}
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.VAR {
				continue
			}
			ast.Inspect(g, func(n ast.Node) bool {
				if _, later := n.(*ast.FuncLit); later {
					return false
				}
				if s, ok := n.(*ast.SelectorExpr); ok {
					if pkg, ok := s.X.(*ast.Ident); ok && (pkg.Name == "regexp" && s.Sel.Name != "Regexp" || pkg.Name == "template") {
						t.Errorf("%s: %s.%s at start", file.at(n), pkg.Name, s.Sel.Name)
					}
				}
				return true
			})
		}
	}
}

// TestDangerousNamesAreDocumented: docs/exec.md lists what exec refuses.
func TestDangerousNamesAreDocumented(t *testing.T) {
	text, err := os.ReadFile("docs/exec.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := strings.Fields(string(text))
	checked := 0
	for _, file := range sources(t) {
		if file.path != "internal/launch/dangerous.go" {
			continue
		}
		ast.Inspect(file.syntax, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && strings.HasPrefix(lit.Value, "`\n") {
				for _, name := range strings.Fields(strings.Trim(lit.Value, "`")) {
					checked++
					if !slices.Contains(documented, name) {
						t.Errorf("docs/exec.md does not list %s", name)
					}
				}
			}
			return true
		})
	}
	if checked == 0 {
		t.Error("no names were found")
	}
}

type listed struct {
	ImportPath                         string
	Standard                           bool
	GoFiles                            []string
	Imports, TestImports, XTestImports []string
}

func list(t *testing.T, system, pattern string) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "-tags", "urfave_cli_no_docs",
		"-json=ImportPath,Standard,GoFiles,Imports,TestImports,XTestImports", pattern)
	cmd.Env = append(os.Environ(), "GOOS="+system, "CGO_ENABLED=0")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	var packages []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

func ours(path string) bool { return matches("envcrypt/...", path) }

func matches(pattern, path string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "/..."); ok {
		return path == prefix || strings.HasPrefix(path, prefix+"/")
	}
	return path == pattern
}

// source is a file of the product: no test, no benchmark, not the other module.
type source struct {
	path   string
	files  *token.FileSet
	syntax *ast.File
}

func (s source) at(n ast.Node) token.Position { return s.files.Position(n.Pos()) }

func sources(t *testing.T) []source {
	t.Helper()
	var found []source
	files := token.NewFileSet()
	for _, dir := range []string{"crypt", "envfile", "recipients", "internal", "cmd"} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() && d.Name() == "testdata" {
				return filepath.SkipDir // programs that tests build
			}
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			syntax, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
			found = append(found, source{filepath.ToSlash(path), files, syntax})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(found) == 0 {
		t.Fatal("no source was found")
	}
	return found
}
