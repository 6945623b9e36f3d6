package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"envcrypt/internal/environ"
	"envcrypt/internal/keyring"
	"envcrypt/internal/launch"
	"envcrypt/recipients"

	"filippo.io/age/plugin"
)

func (a *app) newKeyring() *keyring.Keyring {
	return keyring.New(keyring.Options{
		Env:            a.env,
		Files:          a.identityFiles,
		AskPassphrase:  a.askPassphrase,
		Warn:           func(err error) { a.warningf("%v", err) },
		HideIdentities: hideIdentities,
		UI:             pluginUI(),
	})
}

// askPassphrase asks in the middle of whatever is going on.
func (a *app) askPassphrase(place string) (pass string, err error) {
	a.aside(func() { pass, err = askPassphrase(place) })
	return pass, err
}

// askPassphrase asks for the passphrase of a place that holds an identity.
func askPassphrase(place string) (string, error) {
	pass, err := askHidden("passphrase of " + place)
	var ask *noTerminalError
	if errors.As(err, &ask) {
		err = keyring.ErrCannotAsk
	}
	return pass, err
}

func pluginUI() *plugin.ClientUI {
	say := func(format string, v ...any) {
		fmt.Fprintf(os.Stderr, "%s: %s\n", programName, oneLine(fmt.Sprintf(format, v...)))
	}
	return plugin.NewTerminalUI(say, say)
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

func (a *app) getenv(name string) string { return environ.Get(a.env, name) }

// tale lists the places where identities were looked for, and what was there.
func tale(k *keyring.Keyring) string {
	var parts []string
	for _, f := range k.Findings() {
		parts = append(parts, fmt.Sprintf("%s (%s)", f.Place, found(f)))
	}
	if len(parts) == 0 {
		return "no place at all: there is no home directory"
	}
	return strings.Join(parts, "; ")
}

// found says what came of a place.
func found(f keyring.Finding) string {
	switch f.State {
	case keyring.Missing:
		return "not there"
	case keyring.Refused:
		return "refused"
	case keyring.Locked:
		return "needs a passphrase"
	case keyring.Open:
		return publicKeys(f.Identities, recipients.Short)
	}
	return "nothing"
}
