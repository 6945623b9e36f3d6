package launch

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// The protection is for a process's whole life, so a child of this test has it.
func TestNoCoreDump(t *testing.T) {
	const child = "ENVCRYPT_TEST_NODUMP"
	if os.Getenv(child) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestNoCoreDump$", "-test.v")
		cmd.Env = append(os.Environ(), child+"=1")
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "PASS: TestNoCoreDump") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	dumpable := func() int {
		n, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := dumpable(); n != 1 {
		t.Fatalf("dumpable is %d before", n)
	}
	restore := NoCoreDump()
	if n := dumpable(); n != 0 {
		t.Errorf("dumpable is %d: a crash would write the plaintext to disk", n)
	}
	restore()
	// A command that replaces this process is as others are.
	out, err := exec.CommandContext(t.Context(), "stat", "-c", "%u", "/proc/self/mem").Output()
	if want := strconv.Itoa(os.Getuid()) + "\n"; err != nil || string(out) != want {
		t.Errorf("a child's memory belongs to %q, %v", out, err)
	}
}
