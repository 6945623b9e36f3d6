package main

import (
	"errors"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"envcrypt/crypt"
	"envcrypt/internal/launch"
	"envcrypt/recipients"

	"github.com/google/shlex"
)

// identityError refuses a place that was told to hold an identity.
type identityError struct {
	place   string
	problem string
	fix     string
}

func (e *identityError) Error() string { return e.place + ": " + e.problem }

// place is one of those where an identity may be.
type place struct {
	name     string // as a person knows it: a variable or a file
	explicit bool   // named by the user: if it fails, nothing else is tried
	text     string // the identity itself, or
	file     string // the file that holds it, or
	command  string // the command that prints it
	private  bool   // the system guards the file, whatever its mode says
	found    string // what came of it, once it was tried
}

// keyring yields the user's identities in the order in which the design looks
// for them, each loaded when it is asked for. Several goroutines may use it.
type keyring struct {
	places []place
	allow  func(plugin string) bool

	mu     sync.Mutex
	tried  int              // how many places were loaded
	ready  []crypt.Identity // what they held
	locked []lockedIdentity // what needs a passphrase, asked for when all places were tried
	failed error            // ends the search
	warn   func(format string, args ...any)
}

// foundRefused is what came of a place whose identity cannot be used.
const foundRefused = "refused"

// lockedIdentity is one that a passphrase opens.
type lockedIdentity func() ([]crypt.Identity, error)

func (a *app) newKeyring() *keyring {
	return &keyring{places: a.identityPlaces(), allow: a.pluginAllowed, warn: a.warningf}
}

// identityPlaces lists where identities are looked for.
func (a *app) identityPlaces() []place {
	var places []place
	add := func(p place) {
		if p.text != "" || p.file != "" || p.command != "" {
			places = append(places, p)
		}
	}
	for _, f := range a.identityFiles {
		add(place{name: f, file: f, explicit: true})
	}
	add(place{name: "ENVCRYPT_IDENTITY", text: a.getenv("ENVCRYPT_IDENTITY"), explicit: true})
	variableFile := func(name string) { add(place{name: name, file: a.getenv(name), explicit: true}) }
	variableFile("ENVCRYPT_IDENTITY_FILE")
	if dir := a.getenv("CREDENTIALS_DIRECTORY"); dir != "" {
		add(place{name: "systemd credential", file: filepath.Join(dir, "envcrypt.identity"), private: true})
	}
	add(place{name: "SOPS_AGE_KEY", text: a.getenv("SOPS_AGE_KEY"), explicit: true})
	variableFile("SOPS_AGE_KEY_FILE")
	add(place{name: "SOPS_AGE_KEY_CMD", command: a.getenv("SOPS_AGE_KEY_CMD"), explicit: true})
	variableFile("SOPS_AGE_SSH_PRIVATE_KEY_FILE")
	file := func(parts ...string) {
		if parts[0] != "" {
			add(place{file: filepath.Join(parts...)})
		}
	}
	file(a.identityFile())
	if runtime.GOOS != "windows" {
		file("/etc/envcrypt/identity.txt")
	}
	file(a.configHome(), "sops", "age", "keys.txt")
	if home := a.getenv("HOME"); runtime.GOOS == "darwin" && a.getenv("XDG_CONFIG_HOME") == "" {
		file(home, "Library", "Application Support", "sops", "age", "keys.txt")
	}
	file(a.home(), ".ssh", "id_ed25519")
	file(a.home(), ".ssh", "id_rsa")
	return places
}

func (a *app) getenv(name string) string {
	for i := len(a.env) - 1; i >= 0; i-- {
		if v, ok := strings.CutPrefix(a.env[i], name+"="); ok {
			return v
		}
	}
	return ""
}

func (a *app) home() string {
	if h := a.getenv("HOME"); h != "" {
		return h
	}
	return a.getenv("USERPROFILE")
}

// configHome is where the user's configuration lives, "" without a home.
func (a *app) configHome() string { return a.xdg("XDG_CONFIG_HOME", ".config") }

func (a *app) xdg(variable, below string) string {
	if dir := a.getenv(variable); filepath.IsAbs(dir) {
		return dir
	}
	if dir := a.getenv("APPDATA"); runtime.GOOS == "windows" && dir != "" {
		return dir
	}
	if a.home() == "" {
		return ""
	}
	return filepath.Join(a.home(), below)
}

// identityFile is where keygen puts the user's identity, "" without a home.
func (a *app) identityFile() string {
	if a.configHome() == "" {
		return ""
	}
	return filepath.Join(a.configHome(), programName, "identity.txt")
}

// identities yields what the places hold; those that need a passphrase come
// last. Whoever has used it must look at err.
func (k *keyring) identities() iter.Seq[crypt.Identity] {
	return func(yield func(crypt.Identity) bool) {
		for i := 0; ; i++ {
			id, ok := k.at(i)
			if !ok || !yield(id) {
				return
			}
		}
	}
}

// err is what ended the search before all places were tried.
func (k *keyring) err() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.failed
}

func (k *keyring) at(i int) (crypt.Identity, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i >= len(k.ready) && k.failed == nil {
		switch {
		case k.tried < len(k.places):
			p := &k.places[k.tried]
			k.tried++
			k.load(p)
		case len(k.locked) > 0:
			ids, err := k.locked[0]()
			k.locked = k.locked[1:]
			k.ready = append(k.ready, ids...)
			k.failed = err
		default:
			return crypt.Identity{}, false
		}
	}
	if i >= len(k.ready) {
		return crypt.Identity{}, false
	}
	return k.ready[i], true
}

func (k *keyring) load(p *place) {
	text, err := p.read()
	if errors.Is(err, os.ErrNotExist) && !p.explicit {
		p.found = "not there"
		return
	}
	var ids []crypt.Identity
	var locked lockedIdentity
	if err == nil {
		ids, locked, err = parseIdentities(p, text, k.allow)
	}
	if err != nil {
		p.found = foundRefused
		var refused *identityError
		if !errors.As(err, &refused) {
			refused = &identityError{place: p.label(), problem: plainError(err)}
		}
		if p.explicit {
			k.failed = refused
		} else {
			k.warn("%v", refused)
		}
		return
	}
	if locked != nil {
		p.found = "needs a passphrase"
		k.locked = append(k.locked, locked)
		return
	}
	var publics []string
	for _, id := range ids {
		if id.Recipient != "" {
			publics = append(publics, recipients.Short(id.Recipient))
		}
	}
	p.found = strings.Join(publics, " ")
	k.ready = append(k.ready, ids...)
}

// publics are the public keys of the identities that were loaded.
func (k *keyring) publics() (texts []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, id := range k.ready {
		if id.Recipient != "" {
			texts = append(texts, id.Recipient)
		}
	}
	return texts
}

// refused tells whether a place held something that could not be used.
func (k *keyring) refused() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := range k.places {
		if k.places[i].found == foundRefused {
			return true
		}
	}
	return false
}

// label is how messages call the place.
func (p *place) label() string {
	switch {
	case p.name == "":
		return p.file
	case p.file != "" && p.file != p.name:
		return p.name + " (" + p.file + ")"
	}
	return p.name
}

const identityFileSizeLimit = 1 << 20

func (p *place) read() ([]byte, error) {
	switch {
	case p.text != "":
		return []byte(p.text), nil
	case p.command != "":
		return p.run()
	}
	f, err := openNonBlocking(p.file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, &identityError{place: p.label(), problem: "is a directory"}
	case info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 && !p.private && runtime.GOOS != "windows":
		return nil, &identityError{
			place:   p.label(),
			problem: fmt.Sprintf("its mode is %04o: others than its owner can read it", info.Mode().Perm()),
			fix:     "chmod 600 " + shellQuote(p.file),
		}
	case info.Size() > identityFileSizeLimit:
		return nil, &identityError{place: p.label(), problem: "too large for an identity"}
	}
	return readLimited(f, identityFileSizeLimit)
}

// run asks the user's own command for the identity, as sops does: its words are
// split, and no shell sees them.
func (p *place) run() ([]byte, error) {
	words, err := shlex.Split(p.command)
	if err != nil || len(words) == 0 {
		return nil, &identityError{place: p.name, problem: "is not a command"}
	}
	out, err := exec.Command(words[0], words[1:]...).Output()
	if err != nil {
		return nil, &identityError{place: p.name, problem: "the command failed: " + plainError(err)}
	}
	return out, nil
}

// plainError is an error's innermost text, without the path that the message
// around it names already.
func plainError(err error) string {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}

// withoutIdentities drops from env what no other program should see.
func withoutIdentities(env []string) []string {
	var kept []string
	for _, kv := range env {
		if name, _, _ := strings.Cut(kv, "="); !launch.HoldsIdentity(name) {
			kept = append(kept, kv)
		}
	}
	return kept
}
