package conformance

import (
	"bytes"
	"crypto/sha256"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

var seed = flag.Uint64("seed", uint64(time.Now().UnixNano()), "repeat the random documents of an earlier run")

// The programs, as the pinned modules give them.
var sopsProgram, ageProgram string

func TestMain(m *testing.M) {
	flag.Parse()
	fmt.Printf("random documents of -seed=%d\n", *seed)
	var err error
	if sopsProgram, err = build("github.com/getsops/sops/v3/cmd/sops"); err == nil {
		ageProgram, err = build("filippo.io/age/cmd/age")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// build compiles a program of a pinned module, unless it lies in the cache.
func build(pkg string) (string, error) {
	sums, err := os.ReadFile("go.sum")
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	id := sha256.Sum256(fmt.Appendf(sums, "%s", runtime.Version()))
	dir := filepath.Join(cache, "envcrypt-conformance", fmt.Sprintf("%x", id[:8]))
	program := filepath.Join(dir, filepath.Base(pkg))
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	fmt.Printf("building %s\n", pkg)
	tmp := fmt.Sprintf("%s.%d", program, os.Getpid())
	if out, err := exec.Command("go", "build", "-o", tmp, pkg).CombinedOutput(); err != nil {
		return "", fmt.Errorf("building %s: %w\n%s", pkg, err, out)
	}
	return program, os.Rename(tmp, program)
}

// newRand returns randomness of the run's seed that no other test draws from.
func newRand(t *testing.T) *rand.Rand {
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("to repeat: go test -run '^%s$' -seed=%d", t.Name(), *seed)
		}
	})
	name := sha256.Sum256([]byte(t.Name()))
	return rand.New(rand.NewPCG(*seed, uint64(name[0])<<8|uint64(name[1])))
}

// box is a directory with a SOPS file and somebody who holds a key.
type box struct {
	dir    string
	reader *keyPair
	env    []string // beside the reader's key
}

func newBox(t *testing.T, reader *keyPair) *box { return &box{dir: t.TempDir(), reader: reader} }

func (b *box) path(name string) string { return filepath.Join(b.dir, name) }

func (b *box) write(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(b.path(name), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (b *box) read(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(b.path(name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// sops runs the sops program and returns its standard output.
func (b *box) sops(t *testing.T, args ...string) []byte {
	t.Helper()
	out, err := b.trySops(args...)
	if err != nil {
		t.Fatalf("sops %s: %v", strings.Join(args, " "), err)
	}
	return out
}

func (b *box) trySops(args ...string) ([]byte, error) {
	key := filepath.Join(b.dir, ".key")
	if err := os.WriteFile(key, []byte(b.reader.secret), 0o600); err != nil {
		return nil, err
	}
	variable := "SOPS_AGE_KEY_FILE"
	if b.reader.ssh {
		variable = "SOPS_AGE_SSH_PRIVATE_KEY_FILE"
	}
	cmd := exec.Command(sopsProgram, args...)
	cmd.Dir = b.dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + b.dir, "SOPS_DISABLE_VERSION_CHECK=1", variable + "=" + key}, b.env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, &stderr)
	}
	return out, err
}
