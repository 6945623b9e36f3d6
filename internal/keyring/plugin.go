package keyring

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"envcrypt/crypt"
	"envcrypt/internal/environ"
	"envcrypt/internal/tomltree"

	"filippo.io/age"
	"filippo.io/age/plugin"
)

// AllowPlugin tells whether the user allows one of age's plugins to run, in
// their own configuration, which no repository can change. After a yes, this
// process's environment holds no identity that the plugin could inherit.
func (k *Keyring) AllowPlugin(name string) bool {
	if k.hide == nil || !slices.Contains(k.plugins(), name) {
		return false
	}
	k.hide()
	return true
}

// UI is how plugins talk to the user. It is never nil.
func (k *Keyring) UI() *plugin.ClientUI { return k.options.UI }

// allowedPlugins reads the user's list. Where it cannot be read, nothing is
// allowed.
func allowedPlugins(env []string) []string {
	path := environ.Config(env, "config.toml")
	if path == "" {
		return nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	config, err := tomltree.Parse(text)
	if err != nil {
		return nil
	}
	names, _ := config.Get("plugins").Strings()
	return names
}

// parsePlugin makes an identity that runs age-plugin-NAME, if that is allowed.
func (k *Keyring) parsePlugin(s string) (crypt.Identity, error) {
	name, _, err := plugin.ParseIdentity(s)
	if err != nil {
		return crypt.Identity{}, errMalformed
	}
	if !k.AllowPlugin(name) {
		return crypt.Identity{}, fmt.Errorf("the plugin %s is not allowed: list it under plugins in %s's config.toml", name, environ.Program)
	}
	id, err := plugin.NewIdentity(s, k.options.UI)
	if err != nil {
		return crypt.Identity{}, errMalformed
	}
	return crypt.Identity{
		Identity: &failing{Identity: id},
		Matches:  func(r string) bool { return strings.HasPrefix(r, "age1"+name+"1") },
	}, nil
}

// failing marks the errors of an identity that runs a program: they are the
// identity's own and say nothing about the file. Files that are opened at the
// same time wait for each other's answer.
type failing struct {
	age.Identity
	mu sync.Mutex
}

func (f *failing) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	key, err := f.Identity.Unwrap(stanzas)
	if err != nil && !errors.Is(err, age.ErrIncorrectIdentity) {
		err = &crypt.IdentityError{Err: err}
	}
	return key, err
}
