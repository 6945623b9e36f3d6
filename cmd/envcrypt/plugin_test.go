//go:build linux

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"envcrypt/crypt"

	"filippo.io/age"
	"filippo.io/age/plugin"
	"github.com/rogpeppe/go-internal/testscript"
)

// plugins are programs of age's plugin protocol, as go build knows them.
var plugins = map[string]string{
	"batchpass": "filippo.io/age/cmd/age-plugin-batchpass",
	"burrow":    "envcrypt/internal/keyring/testdata/age-plugin-burrow",
}

// cmdPlugin builds plugins of age's into bin/, which it puts on the PATH: plugin
// NAME...
func cmdPlugin(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: plugin NAME...")
	}
	bin := ts.MkAbs("bin")
	for _, name := range args {
		out, err := exec.Command("go", "build", "-buildvcs=false", "-o", filepath.Join(bin, "age-plugin-"+name), plugins[name]).CombinedOutput()
		if err != nil {
			ts.Fatalf("building age-plugin-%s: %v\n%s", name, err, out)
		}
	}
	ts.Setenv("PATH", bin+string(os.PathListSeparator)+ts.Getenv("PATH"))
}

// cmdBurrow makes a private key of age-plugin-burrow's in NAME.key and sets $NAME
// to the public one: burrow NAME
func cmdBurrow(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: burrow NAME")
	}
	id, err := age.GenerateX25519Identity()
	ts.Check(err)
	out, err := exec.Command(filepath.Join(ts.MkAbs("bin"), "age-plugin-burrow"), id.String()).Output()
	ts.Check(err)
	private, public, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".key"), []byte(private+"\n"), 0o600))
	ts.Setenv(args[0], public)
}

// cmdBatchpass makes the private key of age-plugin-batchpass in batchpass.key, and
// seals a value in FILE for it: batchpass FILE PASSPHRASE KEY=VALUE
func cmdBatchpass(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: batchpass FILE PASSPHRASE KEY=VALUE")
	}
	ts.Check(os.WriteFile(ts.MkAbs("batchpass.key"), []byte(plugin.EncodeIdentity("batchpass", nil)), 0o600))
	to, err := age.NewScryptRecipient(args[1])
	ts.Check(err)
	to.SetWorkFactor(quickWorkFactor)
	doc := new(crypt.Document)
	key, value, _ := strings.Cut(args[2], "=")
	ts.Check(doc.Replace([]crypt.Item{{Key: key, Value: value}}))
	text := plugin.EncodeRecipient("batchpass", []byte("any"))
	data, err := crypt.Seal(doc, "staging", crypt.AnyOf(crypt.Recipient{Recipient: to, Text: text}), time.Now())
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o600))
}
