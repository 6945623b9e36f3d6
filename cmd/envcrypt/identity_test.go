//go:build linux

package main

import (
	"slices"
	"testing"
)

// The order of the design, which no script can show whole: /etc belongs to the
// machine.
func TestIdentityPlaces(t *testing.T) {
	a := &app{identityFiles: []string{"one", "two"}}
	a.env = []string{
		"HOME=/home/me", "XDG_CONFIG_HOME=/config",
		"SOPS_AGE_SSH_PRIVATE_KEY_FILE=ssh", "SOPS_AGE_KEY_CMD=command", "SOPS_AGE_KEY_FILE=keyfile", "SOPS_AGE_KEY=key",
		"CREDENTIALS_DIRECTORY=/credentials", "ENVCRYPT_IDENTITY_FILE=file", "ENVCRYPT_IDENTITY=text",
	}
	var got []string
	for _, p := range a.identityPlaces() {
		got = append(got, p.text+p.file+p.command)
		if explicit := len(got) <= 4 || len(got) >= 6 && len(got) <= 9; p.explicit != explicit {
			t.Errorf("%s: explicit is %v", p.label(), p.explicit)
		}
	}
	want := []string{
		"one", "two", "text", "file", "/credentials/envcrypt.identity", "key", "keyfile", "command", "ssh",
		"/config/envcrypt/identity.txt", "/etc/envcrypt/identity.txt", "/config/sops/age/keys.txt",
		"/home/me/.ssh/id_ed25519", "/home/me/.ssh/id_rsa",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestIdentityPlacesWithoutHome(t *testing.T) {
	a := new(app)
	for _, p := range a.identityPlaces() {
		if p.file != "/etc/envcrypt/identity.txt" {
			t.Errorf("%s is looked at", p.label())
		}
	}
}
