// Package keyring finds the user's identities: it knows the places where they may
// lie, loads each when it is needed, asks for a passphrase at most once, and
// decides whether a plugin of age's may run.
//
// The outside comes in as [Options]. The package asks nothing, prints nothing and
// does not look at the process environment. It never writes a private key; nothing
// of one gets into an error.
package keyring

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"sync"

	"envcrypt/crypt"
	"envcrypt/internal/environ"

	"filippo.io/age"
	"filippo.io/age/plugin"
)

// Options is what a [Keyring] has from the outside.
type Options struct {
	// Env is the process environment. Its variables name places, and say where
	// the user's home and configuration are.
	Env []string
	// Files are looked at before all other places.
	Files []string
	// AskPassphrase asks the user for the passphrase of a place. It returns an
	// error that wraps [ErrCannotAsk] if there is nobody to be asked; nil means the
	// same. Calls do not overlap.
	AskPassphrase func(place string) (string, error)
	// Warn is told of what was found where nobody said that it would be, and
	// cannot be used. It may be nil.
	Warn func(err error)
	// HideIdentities takes out of this process's own environment what can hold a
	// private key, because age's plugins inherit it. It is called before the first
	// plugin may run. Without it, none does.
	HideIdentities func()
	// UI is how plugins talk to the user; nil if they cannot.
	UI *plugin.ClientUI
}

// ErrCannotAsk says that there is nobody to be asked for a passphrase.
var ErrCannotAsk = errors.New("nobody can be asked")

// An Error refuses what a place holds.
type Error struct {
	Place   string // as a person knows it
	Problem string
	Exposed string // the file, if the problem is that others can read it
	Locked  bool   // whether the problem is that nobody can be asked for a passphrase
}

func (e *Error) Error() string { return e.Place + ": " + e.Problem }

// A Keyring yields the user's identities. Several goroutines may use it, and
// several vaults share it: an identity is loaded once, and a passphrase asked for
// once, for all of them.
type Keyring struct {
	options Options
	plugins func() []string // that the user allows
	hide    func()
	asking  sync.Mutex // one question at a time

	mu     sync.Mutex
	places []place
	tried  int              // how many places were loaded
	ready  []crypt.Identity // what they held
	locked []lockedIdentity // what needs a passphrase, asked for when all places were tried
	failed error            // ends the search
}

// lockedIdentity is one that a passphrase opens.
type lockedIdentity func() ([]crypt.Identity, error)

// New returns a keyring of the places where identities are looked for. It reads
// none of them yet.
func New(o Options) *Keyring {
	if o.UI == nil {
		o.UI = new(plugin.ClientUI)
	}
	k := &Keyring{options: o, places: places(o.Env, o.Files)}
	k.plugins = sync.OnceValue(func() []string { return allowedPlugins(o.Env) })
	if o.HideIdentities != nil {
		k.hide = sync.OnceFunc(o.HideIdentities)
	}
	return k
}

// DefaultFile is where the user's own identity is looked for and belongs, ""
// without a home.
func DefaultFile(env []string) string { return environ.Config(env, "identity.txt") }

// Identities yields what the places hold, in their order; those that need a
// passphrase come last. Whoever has used it must look at [Keyring.Err].
func (k *Keyring) Identities() iter.Seq[crypt.Identity] {
	return func(yield func(crypt.Identity) bool) {
		for i := 0; ; i++ {
			id, ok := k.at(i)
			if !ok || !yield(id) {
				return
			}
		}
	}
}

// Err is what ended the search before all places were tried, nil if nothing did:
// an [*Error], or what AskPassphrase returned.
func (k *Keyring) Err() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.failed
}

func (k *Keyring) at(i int) (crypt.Identity, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i >= len(k.ready) && k.failed == nil {
		switch {
		case k.tried < len(k.places):
			k.loadNext()
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

// loadNext tries the next place.
func (k *Keyring) loadNext() {
	p := &k.places[k.tried]
	k.tried++
	refused := k.load(p)
	switch {
	case refused == nil:
	case p.explicit:
		k.failed = refused
	case k.options.Warn != nil:
		k.options.Warn(refused)
	}
}

// load takes what a place holds, and notes what came of it.
func (k *Keyring) load(p *place) *Error {
	text, err := p.read(k.options.Env)
	if errors.Is(err, os.ErrNotExist) && !p.explicit {
		p.found.State = Missing
		return nil
	}
	var ids []crypt.Identity
	var locked lockedIdentity
	if err == nil {
		ids, locked, err = k.parse(p, text)
	}
	switch {
	case err != nil:
		refused := p.refuse(err)
		p.found.State, p.found.Err = Refused, refused
		return refused
	case locked != nil:
		p.found.State = Locked
		k.locked = append(k.locked, locked)
	default:
		p.found.State, p.found.Identities = Open, ids
		k.ready = append(k.ready, ids...)
	}
	return nil
}

// State is what came of a place.
type State int

const (
	Untried State = iota // something before it fitted, or failed
	Missing              // nothing is there
	Refused              // what is there cannot be used
	Locked               // it needs a passphrase
	Open                 // it holds identities
)

// A Finding is one place, and what came of it.
type Finding struct {
	Place      string // as a person knows it
	Explicit   bool   // whether the user named it
	State      State
	Identities []crypt.Identity // if it is [Open]
	Err        *Error           // if it is [Refused]
}

// Findings tells of each place what came of it so far.
func (k *Keyring) Findings() []Finding {
	k.mu.Lock()
	defer k.mu.Unlock()
	all := make([]Finding, len(k.places))
	for i := range k.places {
		all[i] = k.places[i].found
		all[i].Place, all[i].Explicit = k.places[i].label(), k.places[i].explicit
	}
	return all
}

// Survey looks at every place, also behind one that fails, and warns of nothing.
// From then on the keyring asks for no passphrase: it yields what it has found
// open.
func (k *Keyring) Survey() []Finding {
	k.mu.Lock()
	for ; k.tried < len(k.places); k.tried++ {
		_ = k.load(&k.places[k.tried]) // it is in the findings
	}
	k.failed, k.locked = nil, nil
	k.mu.Unlock()
	return k.Findings()
}

// Public tries the places, asks for no passphrase, and returns the first public
// key, "" if there is none. The error is [Keyring.Err].
func (k *Keyring) Public() (string, error) {
	k.mu.Lock()
	for k.tried < len(k.places) && k.failed == nil {
		k.loadNext()
	}
	err := k.failed
	k.mu.Unlock()
	for _, public := range k.Publics() {
		return public, err
	}
	return "", err
}

// Publics are the public keys of the identities that were loaded so far. That of
// a plugin's identity is not known.
func (k *Keyring) Publics() (texts []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, id := range k.ready {
		if id.Recipient != "" {
			texts = append(texts, id.Recipient)
		}
	}
	return texts
}

// Holds tells whether one of the identities that were loaded so far may be that
// of a recipient.
func (k *Keyring) Holds(recipient string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.ContainsFunc(k.ready, func(id crypt.Identity) bool {
		return id.Recipient == recipient || id.Matches != nil && id.Matches(recipient)
	})
}

// Decrypt decrypts an age file, armored or not, with the first identity that
// opens it. If none does, the error is [Keyring.Err], or an [*Error] that calls the
// file name.
func (k *Keyring) Decrypt(name string, text []byte) ([]byte, error) {
	for id := range k.Identities() {
		if plain, err := decryptAge(text, id); err == nil {
			return plain, nil
		}
	}
	if err := k.Err(); err != nil {
		return nil, err
	}
	return nil, &Error{Place: name, Problem: "none of your keys opens it"}
}

func decryptAge(text []byte, id age.Identity) ([]byte, error) {
	r, err := age.Decrypt(newAgeReader(text), id)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r) // which is shorter than text
}

// refuse makes an [*Error] of whatever is wrong with a place.
func (p *place) refuse(err error) *Error {
	var refused *Error
	if errors.As(err, &refused) {
		return refused
	}
	return p.problem("%s", plainError(err))
}

func (p *place) problem(format string, args ...any) *Error {
	return &Error{Place: p.label(), Problem: fmt.Sprintf(format, args...)}
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
