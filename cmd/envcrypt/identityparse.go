package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"envcrypt/crypt"
	"envcrypt/internal/launch"
	"envcrypt/internal/tomltree"
	"envcrypt/internal/x25519"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"filippo.io/age/plugin"
	"golang.org/x/crypto/ssh"
)

// parseIdentities reads what a place holds: lines of age identities, an SSH
// private key, or either of them behind a passphrase. Nothing of text ever gets
// into an error.
func parseIdentities(p *place, text []byte, allow func(string) bool) ([]crypt.Identity, lockedIdentity, error) {
	switch {
	case isAge(text):
		return nil, func() ([]crypt.Identity, error) { return unlockFile(p, text, allow) }, nil
	case bytes.HasPrefix(bytes.TrimSpace(text), []byte("-----BEGIN")):
		return parseSSH(p, text)
	}
	ids, err := parseAgeLines(p, text, allow)
	return ids, nil, err
}

func parseAgeLines(p *place, text []byte, allow func(string) bool) ([]crypt.Identity, error) {
	var ids []crypt.Identity
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		for word := range strings.FieldsSeq(line) { // SOPS_AGE_KEY may hold several on a line
			id, err := parseAgeIdentity(word, allow)
			if err != nil {
				return nil, &identityError{place: p.label(), problem: fmt.Sprintf("line %d: %v", n, err)}
			}
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil, &identityError{place: p.label(), problem: "holds no private key"}
	}
	return ids, nil
}

var errMalformed = errors.New("malformed private key")

func parseAgeIdentity(s string, allow func(string) bool) (crypt.Identity, error) {
	switch {
	case strings.HasPrefix(s, "AGE-SECRET-KEY-PQ-1"):
		id, err := age.ParseHybridIdentity(s)
		if err != nil {
			return crypt.Identity{}, errMalformed
		}
		return crypt.Identity{Identity: id, Recipient: id.Recipient().String()}, nil
	case strings.HasPrefix(s, "AGE-SECRET-KEY-1"):
		id, err := x25519.ParseIdentity(s)
		if err != nil {
			return crypt.Identity{}, errMalformed
		}
		return crypt.Identity{Identity: id, Recipient: id.Recipient()}, nil
	case strings.HasPrefix(s, "AGE-PLUGIN-"):
		return parsePluginIdentity(s, allow)
	case strings.HasPrefix(s, "age1"), strings.HasPrefix(s, "ssh-"):
		return crypt.Identity{}, errors.New("a public key where a private one belongs")
	}
	return crypt.Identity{}, errors.New("not a private key that age knows")
}

// parsePluginIdentity makes an identity that runs age-plugin-NAME, if the user's
// own configuration allows that.
func parsePluginIdentity(s string, allow func(string) bool) (crypt.Identity, error) {
	name, _, err := plugin.ParseIdentity(s)
	if err != nil {
		return crypt.Identity{}, errMalformed
	}
	if !allow(name) {
		return crypt.Identity{}, fmt.Errorf("the plugin %s is not allowed: list it under plugins in %s's config.toml", name, programName)
	}
	id, err := plugin.NewIdentity(s, pluginUI())
	if err != nil {
		return crypt.Identity{}, errMalformed
	}
	return crypt.Identity{
		Identity: &failing{Identity: id},
		Matches:  func(r string) bool { return strings.HasPrefix(r, "age1"+name+"1") },
	}, nil
}

func pluginUI() *plugin.ClientUI {
	say := func(format string, v ...any) { fmt.Fprintf(os.Stderr, programName+": "+format+"\n", v...) }
	return plugin.NewTerminalUI(say, say)
}

// failing marks the errors of an identity that runs or asks something: they are
// the identity's own and say nothing about the file. Files that are opened at
// the same time wait for each other's answer.
type failing struct {
	age.Identity
	mu    sync.Mutex
	cause error // what agessh makes a mere text of
}

func (f *failing) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	hideIdentities()
	key, err := f.Identity.Unwrap(stanzas)
	switch {
	case err == nil || errors.Is(err, age.ErrIncorrectIdentity):
		return key, err
	case f.cause != nil:
		err = f.cause
	}
	return nil, &crypt.IdentityError{Err: err}
}

// hideIdentities keeps private keys out of the environment of age's plugins,
// which inherit this process's.
func hideIdentities() {
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); launch.HoldsIdentity(name) {
			os.Unsetenv(name)
		}
	}
}

// pluginAllowed looks a plugin up in the user's configuration, which no
// repository can change.
func (a *app) pluginAllowed(name string) bool {
	if a.configHome() == "" {
		return false
	}
	text, err := os.ReadFile(filepath.Join(a.configHome(), programName, "config.toml"))
	if err != nil {
		return false
	}
	config, err := tomltree.Parse(text)
	if err != nil {
		return false
	}
	plugins, _ := config.Get("plugins").Strings()
	return slices.Contains(plugins, name)
}

func parseSSH(p *place, text []byte) ([]crypt.Identity, lockedIdentity, error) {
	key, err := ssh.ParseRawPrivateKey(text)
	var locked *ssh.PassphraseMissingError
	if errors.As(err, &locked) {
		id, err := lockedSSH(p, text, locked.PublicKey)
		if err != nil {
			return nil, nil, err
		}
		return nil, func() ([]crypt.Identity, error) { return []crypt.Identity{id}, nil }, nil
	}
	if err != nil {
		return nil, nil, &identityError{place: p.label(), problem: errMalformed.Error()}
	}
	id, err := agessh.ParseIdentity(text)
	if err != nil {
		return nil, nil, &identityError{place: p.label(), problem: "an SSH key of a kind that age cannot use"}
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		return nil, nil, &identityError{place: p.label(), problem: errMalformed.Error()}
	}
	return []crypt.Identity{{Identity: id, Recipient: sshText(signer.PublicKey())}}, nil, nil
}

func sshText(key ssh.PublicKey) string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
}

// lockedSSH makes an identity that asks for the key's passphrase when a file is
// encrypted to it, and only once.
func lockedSSH(p *place, text []byte, public ssh.PublicKey) (crypt.Identity, error) {
	if public == nil { // the older formats keep it in a file of its own
		line, err := os.ReadFile(p.file + ".pub")
		if err == nil {
			public, _, _, _, err = ssh.ParseAuthorizedKey(line)
		}
		if err != nil {
			return crypt.Identity{}, &identityError{place: p.label(), problem: "needs its public key beside it, in " + p.file + ".pub"}
		}
	}
	asking := new(failing)
	id, err := agessh.NewEncryptedSSHIdentity(public, text, func() ([]byte, error) {
		pass, err := askPassphrase(p)
		asking.cause = err
		return []byte(pass), err
	})
	if err != nil {
		return crypt.Identity{}, &identityError{place: p.label(), problem: "an SSH key of a kind that age cannot use"}
	}
	asking.Identity = id
	return crypt.Identity{Identity: asking, Recipient: sshText(public)}, nil
}

// askPassphrase asks for the passphrase of what a place holds.
func askPassphrase(p *place) (string, error) {
	pass, err := askHidden("passphrase of " + p.label())
	var ask *noTerminalError
	if errors.As(err, &ask) {
		return "", &identityError{place: p.label(), problem: "needs a passphrase, and there is no terminal to ask for it",
			fix: "use an identity without a passphrase here, such as one in ENVCRYPT_IDENTITY_FILE"}
	}
	return pass, err
}

// unlockFile asks for the passphrase of an identity file and returns what is in
// it.
func unlockFile(p *place, text []byte, allow func(string) bool) ([]crypt.Identity, error) {
	pass, err := askPassphrase(p)
	if err != nil {
		return nil, err
	}
	id, err := age.NewScryptIdentity(pass)
	if err != nil {
		return nil, &identityError{place: p.label(), problem: "an empty passphrase"}
	}
	plain, err := decryptAge(text, id)
	if err != nil {
		return nil, &identityError{place: p.label(), problem: "the passphrase does not open it"}
	}
	inner := *p
	ids, locked, err := parseIdentities(&inner, plain, allow)
	if err == nil && locked != nil {
		err = &identityError{place: p.label(), problem: "a passphrase inside a passphrase"}
	}
	return ids, err
}

// decryptAge decrypts an age file, armored or not.
func decryptAge(text []byte, ids ...age.Identity) ([]byte, error) {
	var src = newAgeReader(text)
	r, err := age.Decrypt(src, ids...)
	if err != nil {
		return nil, err
	}
	return readLimited(r, plaintextSizeLimit)
}
