// Command bench measures envcrypt against the programs that people would use
// instead, in one run and in pairs (A B A B …), and says which bars it meets.
//
// It builds all programs itself: sops in the version that the conformance module
// pins. A command that fails ends the benchmark; a missed bar does only with
// -check. It prints Markdown: docs/performance.md is made of it.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"envcrypt/crypt"

	"filippo.io/age"
)

func main() {
	var b bench
	check := flag.Bool("check", false, "exit 1 if a bar is missed")
	only := flag.String("only", "exec,rules,audit,open,rekey,size", "which `PARTS` to measure")
	flag.IntVar(&b.execRounds, "exec-rounds", 200, "rounds of exec")
	flag.IntVar(&b.openRounds, "open-rounds", 21, "rounds of opening files")
	flag.IntVar(&b.rekeyRounds, "rekey-rounds", 5, "rounds of rekey")
	flag.IntVar(&b.environments, "environments", 1000, "environments to rekey")
	flag.IntVar(&b.updates, "updates", 100, "how many of them sops updates in a round")
	flag.Parse()
	err := b.run(strings.Split(*only, ","))
	if err == nil && *check && b.missed {
		err = fmt.Errorf("a bar was missed")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type bench struct {
	execRounds, openRounds, rekeyRounds int
	environments, updates               int

	envcrypt, sops, bare string // the programs
	dir                  string // where everything is made
	identity             *age.X25519Identity
	missed               bool
}

func (b *bench) run(parts []string) (err error) {
	if b.dir, err = os.MkdirTemp("", "envcrypt-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	if err := b.build(); err != nil {
		return err
	}
	if b.identity, err = age.GenerateX25519Identity(); err != nil {
		return err
	}
	if err := os.WriteFile(b.keyFile(), []byte(b.identity.String()+"\n"), 0o600); err != nil {
		return err
	}
	b.describe()
	for _, part := range parts {
		measure, ok := map[string]func() error{
			"exec": b.exec, "rules": b.rules, "audit": b.audit, "open": b.open, "rekey": b.rekey, "size": b.size,
		}[part]
		if !ok {
			return fmt.Errorf("no such part: %s", part)
		}
		if err := measure(); err != nil {
			return err
		}
	}
	fmt.Printf("\nLoad average at the end: %s\n", load())
	return nil
}

// build makes the programs: envcrypt as "make build" does, sops as "go install"
// does, which is how people get it.
func (b *bench) build() error {
	cache, err := os.UserCacheDir()
	if err != nil {
		return err
	}
	cache = filepath.Join(cache, "envcrypt-bench")
	build := func(dir, pkg string, flags ...string) (string, error) {
		out := filepath.Join(cache, filepath.Base(pkg))
		cmd := exec.Command("go", append(append([]string{"-C", dir, "build", "-o", out}, flags...), pkg)...)
		cmd.Env = os.Environ()
		if len(flags) > 0 {
			cmd.Env = append(cmd.Env, "CGO_ENABLED=0")
		}
		cmd.Stderr = os.Stderr
		return out, cmd.Run()
	}
	if b.envcrypt, err = build(".", "./cmd/envcrypt", "-tags", "urfave_cli_no_docs", "-trimpath", "-ldflags", "-s -w"); err != nil {
		return fmt.Errorf("building envcrypt: %w", err)
	}
	if b.bare, err = build(".", "./bench/bare", "-trimpath", "-ldflags", "-s -w"); err != nil {
		return fmt.Errorf("building bare: %w", err)
	}
	if b.sops, err = build("conformance", "github.com/getsops/sops/v3/cmd/sops"); err != nil {
		return fmt.Errorf("building sops: %w", err)
	}
	return nil
}

func (b *bench) keyFile() string { return filepath.Join(b.dir, "identity.txt") }

// environ is the whole environment of every command that is measured.
func (b *bench) environ() []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + b.dir, "SOPS_DISABLE_VERSION_CHECK=1",
		"ENVCRYPT_IDENTITY_FILE=" + b.keyFile(), "SOPS_AGE_KEY_FILE=" + b.keyFile(),
	}
}

// tool returns a command that runs in dir.
func (b *bench) tool(dir string, args ...string) program {
	return program{args: args, dir: dir, env: b.environ()}
}

func (b *bench) describe() {
	version := func(args ...string) string {
		out, _ := exec.Command(args[0], args[1:]...).Output()
		line, _, _ := strings.Cut(string(out), "\n")
		return line
	}
	fmt.Printf("Date: %s\n", time.Now().Format("2006-01-02"))
	fmt.Printf("Machine: %s/%s, %d cores, %s\n", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version())
	fmt.Printf("Programs: %s; %s\n", version(b.envcrypt, "version"), version(b.sops, "--version", "--disable-version-check"))
	fmt.Printf("Load average at the start: %s\n", load())
}

// load returns the system's load averages where the system tells.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(text))[:3], " ")
}

// bar says whether a bar was met.
func (b *bench) bar(met bool, format string, args ...any) {
	verdict := "met"
	if !met {
		verdict = "MISSED"
		b.missed = true
	}
	fmt.Printf("- %s: %s\n", verdict, fmt.Sprintf(format, args...))
}

// project makes a directory with a policy whose environments the bench's own key
// and others read.
func (b *bench) project(name string, environments []string, others ...*age.X25519Identity) (string, error) {
	dir := filepath.Join(b.dir, name)
	if err := os.MkdirAll(filepath.Join(dir, "secrets"), 0o755); err != nil {
		return "", err
	}
	return dir, writePolicy(dir, environments, append([]*age.X25519Identity{b.identity}, others...))
}

func writePolicy(dir string, environments []string, readers []*age.X25519Identity) error {
	var policy strings.Builder
	fmt.Fprintf(&policy, "version = 1\ndefault = %q\n\n[groups]\nall = [", environments[0])
	for i := range readers {
		fmt.Fprintf(&policy, "%q, ", fmt.Sprintf("m%d", i))
	}
	policy.WriteString("]\n\n")
	for i, r := range readers {
		fmt.Fprintf(&policy, "[members.m%d]\nkeys = [%q]\n\n", i, r.Recipient())
	}
	for _, env := range environments {
		fmt.Fprintf(&policy, "[environments.%s]\nreaders = [\"all\"]\n\n", env)
	}
	return os.WriteFile(filepath.Join(dir, "envcrypt.toml"), []byte(policy.String()), 0o644)
}

// seal makes an environment's file with so many keys.
func (b *bench) seal(dir, env string, keys int, others ...*age.X25519Identity) error {
	var doc crypt.Document
	items := make([]crypt.Item, keys)
	for i := range items {
		items[i] = crypt.Item{Key: fmt.Sprintf("KEY_%06d", i), Value: fmt.Sprintf("made-up value number %06d of environment %s", i, env)}
	}
	if err := doc.Replace(items); err != nil {
		return err
	}
	var to []crypt.Recipient
	for _, id := range append([]*age.X25519Identity{b.identity}, others...) {
		to = append(to, crypt.Recipient{Recipient: id.Recipient(), Text: id.Recipient().String()})
	}
	data, err := crypt.Seal(&doc, env, crypt.AnyOf(to...), time.Now())
	if err != nil {
		return err
	}
	return os.WriteFile(environmentFile(dir, env), data, 0o644)
}

func environmentFile(dir, env string) string { return filepath.Join(dir, "secrets", env+".env") }
