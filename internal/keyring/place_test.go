//go:build linux

package keyring

import (
	"slices"
	"testing"
)

// The order of the design, which no script can show whole: /etc belongs to the
// machine.
func TestPlaces(t *testing.T) {
	files := []string{"one", "two"}
	env := []string{
		"HOME=/home/me", "XDG_CONFIG_HOME=/config",
		"SOPS_AGE_SSH_PRIVATE_KEY_FILE=ssh", "SOPS_AGE_KEY_CMD=command", "SOPS_AGE_KEY_FILE=keyfile", "SOPS_AGE_KEY=key",
		"CREDENTIALS_DIRECTORY=/credentials", "ENVCRYPT_IDENTITY_FILE=file", "ENVCRYPT_IDENTITY=text",
	}
	var got []string
	for _, p := range places(env, files) {
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

func TestPlacesWithoutHome(t *testing.T) {
	for _, p := range places([]string{"CREDENTIALS_DIRECTORY=here", "XDG_CONFIG_HOME=here"}, nil) {
		if p.file != "/etc/envcrypt/identity.txt" {
			t.Errorf("%s is looked at", p.label())
		}
	}
}
