//go:build linux

package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"os"
	"strings"

	"filippo.io/age"
	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/crypto/ssh"
)

// cmdKeypair makes a private key in NAME.key and sets $NAME to the public one:
//
//	keypair NAME age|pq|ed25519|rsa [PASSPHRASE]
func cmdKeypair(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: keypair NAME KIND [PASSPHRASE]")
	}
	name, kind, passphrase := args[0], args[1], strings.Join(args[2:], " ")
	var private, public string
	switch kind {
	case "age":
		id, err := age.GenerateX25519Identity()
		ts.Check(err)
		private, public = lockQuickly(ts, id.String()+"\n", passphrase), id.Recipient().String()
	case "pq":
		id, err := age.GenerateHybridIdentity()
		ts.Check(err)
		private, public = lockQuickly(ts, id.String()+"\n", passphrase), id.Recipient().String()
	case "ed25519":
		_, key, err := ed25519.GenerateKey(rand.Reader)
		ts.Check(err)
		private, public = sshPair(ts, key, passphrase)
	case "rsa":
		const bits = 2048
		key, err := rsa.GenerateKey(rand.Reader, bits)
		ts.Check(err)
		private, public = sshPair(ts, key, passphrase)
	default:
		ts.Fatalf("unknown kind of key %s", kind)
	}
	ts.Check(os.WriteFile(ts.MkAbs(name+".key"), []byte(private), 0o600))
	ts.Setenv(name, public)
}

// quickWorkFactor is what scrypt has to do where a test is about something else.
const quickWorkFactor = 10

func lockQuickly(ts *testscript.TestScript, text, passphrase string) string {
	if passphrase == "" {
		return text
	}
	to, err := age.NewScryptRecipient(passphrase)
	ts.Check(err)
	to.SetWorkFactor(quickWorkFactor)
	var out bytes.Buffer
	w, err := age.Encrypt(&out, to)
	ts.Check(err)
	_, err = w.Write([]byte(text))
	ts.Check(err)
	ts.Check(w.Close())
	return out.String()
}

func sshPair(ts *testscript.TestScript, key any, passphrase string) (private, public string) {
	signer, err := ssh.NewSignerFromKey(key)
	ts.Check(err)
	block := new(pem.Block)
	if passphrase == "" {
		block, err = ssh.MarshalPrivateKey(key, "")
	} else {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(key, "", []byte(passphrase))
	}
	ts.Check(err)
	return string(pem.EncodeToMemory(block)), strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey())))
}
