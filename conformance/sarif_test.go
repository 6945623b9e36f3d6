package conformance

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
	"github.com/xeipuuv/gojsonschema"
)

// messy is a policy with much that check finds.
const messy = `
[vars]
DB_PASSWORD = "Tr0ub4dor-and-3"

[environments.production.vars]
RATE = "many"

[keys.NEEDED]
required = ["production"]
[keys.UNUSED]
[keys.SHARED]
unique = true
[keys.RATE]
type = "int"
[keys.BROKEN]
pattern = "[a"

[check.warn]
"wrong-type/production/RATE" = "until the next release; 100 % sure, \"quoted\" <b> ä"

[[environments.staging.deny]]
key = "LIVE"
message = "is 50 % of: a::rule, \"quoted\" <b> ä"
`

// TestSARIF holds what check prints for code scanning against the schema of SARIF 2.1.0.
func TestSARIF(t *testing.T) {
	p := newProject(t, newX25519())
	clean := validSARIF(t, p, 0)
	if len(clean.Runs) != 1 || len(clean.Runs[0].Results) != 0 {
		t.Errorf("a clean project has findings: %v", clean.Runs[0].Results)
	}

	for _, cmd := range [][]string{{"init", "-q"}, {"add", "-f", "sub dir/ü,1%.env"}} {
		if cmd[0] == "add" {
			if err := os.Mkdir(p.path("sub dir"), 0o755); err != nil {
				t.Fatal(err)
			}
			p.write(t, "sub dir/ü,1%.env", []byte("PLAIN=hunter2\n"))
		}
		git := exec.Command("git", cmd...)
		git.Dir = p.dir
		if out, err := git.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", cmd, err, out)
		}
	}
	p.envcrypt(t, "set", "SHARED=hunter2-shared", "LIVE=hunter2", "DB=postgres://u:hunter2@db/x")
	p.envcrypt(t, "set", "-e", "staging", "SHARED=hunter2-shared", "LIVE=hunter2-2")
	policy := string(p.read(t, "envcrypt.toml"))
	p.write(t, "envcrypt.toml", []byte(policy+messy))
	if err := os.Chmod(p.path("envcrypt.toml"), 0o666); err != nil {
		t.Fatal(err)
	}
	production := p.read(t, "secrets/production.env")
	p.write(t, "secrets/production.env", p.read(t, "secrets/development.env"))
	report := validSARIF(t, p, 5)
	p.write(t, "secrets/production.env", production)
	more := validSARIF(t, p, 5)

	found := make(map[string]bool)
	for _, r := range append(report.Runs[0].Results, more.Runs[0].Results...) {
		found[*r.RuleID] = true
		if r.RuleIndex < 0 || *report.Runs[0].Tool.Driver.Rules[r.RuleIndex].ID != *r.RuleID {
			t.Errorf("%s has the index of another rule", *r.RuleID)
		}
	}
	for _, id := range []string{
		"required-missing", "wrong-type", "denied-value", "same-value", "not-trusted", "secret-in-vars", "bad-declaration", "undeclared-key",
		"unused-declaration", "plaintext-tracked", "writable-policy",
	} {
		if !found[id] {
			t.Errorf("the project has no finding of %s", id)
		}
	}
}

// validSARIF runs check and returns its report, which it holds against the schema.
func validSARIF(t *testing.T, p *project, code int) *sarif.Report {
	t.Helper()
	cmd := exec.Command(p.program, "check", "--format", "sarif")
	cmd.Dir = p.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.dir, "ENVCRYPT_IDENTITY_FILE=" + p.path("me.key")}
	out, _ := cmd.Output()
	if got := cmd.ProcessState.ExitCode(); got != code {
		t.Fatalf("exit %d instead of %d", got, code)
	}
	if strings.Contains(string(out), "hunter2") {
		t.Errorf("a value is in the report")
	}
	result, err := gojsonschema.Validate(gojsonschema.NewStringLoader(sarifSchema(t)), gojsonschema.NewBytesLoader(out))
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range result.Errors() {
		t.Errorf("%s", problem)
	}
	report, err := sarif.FromBytes(out)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// sarifSchema is the schema that go-sarif carries along. Its own Validate asks about a copy of
// a report, which lacks what it does not know, and has empty lists that nobody wrote.
func sarifSchema(t *testing.T) string {
	t.Helper()
	dir, err := exec.Command("go", "list", "-f", "{{.Dir}}", "github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif").Output()
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(strings.TrimSpace(string(dir)), "schema.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range file.Decls {
		if d, ok := d.(*ast.GenDecl); ok && d.Tok == token.CONST {
			schema, err := strconv.Unquote(d.Specs[0].(*ast.ValueSpec).Values[0].(*ast.BasicLit).Value)
			if err != nil || !strings.Contains(schema, "Version 2.1.0 JSON Schema") {
				t.Fatalf("this is not the schema: %v", err)
			}
			return schema
		}
	}
	t.Fatal("there is no schema")
	return ""
}
