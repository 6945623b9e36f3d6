package keyring

import (
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"

	"envcrypt/internal/environ"

	"github.com/google/shlex"
)

// place is one of those where an identity may be.
type place struct {
	name     string // as a person knows it: a variable or a file
	explicit bool   // named by the user: if it fails, nothing else is tried
	text     string // the identity itself, or
	file     string // the file that holds it, or
	command  string // the command that prints it
	private  bool   // the system guards the file, whatever its mode says
	found    Finding
}

// places lists where identities are looked for.
func places(env, files []string) (all []place) {
	add := func(p place) {
		if p.text != "" || p.file != "" || p.command != "" {
			all = append(all, p)
		}
	}
	for _, f := range files {
		add(place{name: f, file: f, explicit: true})
	}
	get := func(name string) string { return environ.Get(env, name) }
	variableFile := func(name string) { add(place{name: name, file: get(name), explicit: true}) }
	add(place{name: "ENVCRYPT_IDENTITY", text: get("ENVCRYPT_IDENTITY"), explicit: true})
	variableFile("ENVCRYPT_IDENTITY_FILE")
	if dir := get("CREDENTIALS_DIRECTORY"); filepath.IsAbs(dir) { // as systemd's is: a repository has no say in it
		add(place{name: "systemd credential", file: filepath.Join(dir, "envcrypt.identity"), private: true})
	}
	add(place{name: "SOPS_AGE_KEY", text: get("SOPS_AGE_KEY"), explicit: true})
	variableFile("SOPS_AGE_KEY_FILE")
	add(place{name: "SOPS_AGE_KEY_CMD", command: get("SOPS_AGE_KEY_CMD"), explicit: true})
	variableFile("SOPS_AGE_SSH_PRIVATE_KEY_FILE")
	for _, file := range ownFiles(env) {
		add(place{file: file})
	}
	return all
}

// ownFiles are the places that nobody has to name.
func ownFiles(env []string) (files []string) {
	below := func(dir string, parts ...string) {
		if dir != "" {
			files = append(files, filepath.Join(slices.Insert(parts, 0, dir)...))
		}
	}
	below(DefaultFile(env))
	if runtime.GOOS != "windows" {
		below("/etc/envcrypt/identity.txt")
	}
	below(environ.ConfigHome(env), "sops", "age", "keys.txt")
	if runtime.GOOS == "darwin" && environ.Get(env, "XDG_CONFIG_HOME") == "" {
		below(environ.Get(env, "HOME"), "Library", "Application Support", "sops", "age", "keys.txt")
	}
	below(environ.Home(env), ".ssh", "id_ed25519")
	below(environ.Home(env), ".ssh", "id_rsa")
	return files
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

// read returns what the place holds. A file that others can read is refused, as
// ssh does.
func (p *place) read(env []string) ([]byte, error) {
	switch {
	case p.text != "":
		return []byte(p.text), nil
	case p.command != "":
		return p.run(env)
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
		return nil, p.problem("is a directory")
	case info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 && !p.private && runtime.GOOS != "windows":
		e := p.problem("its mode is %04o: others than its owner can read it", info.Mode().Perm())
		e.Exposed = p.file
		return nil, e
	case info.Size() > identityFileSizeLimit:
		return nil, p.problem("too large for an identity")
	}
	text, err := io.ReadAll(io.LimitReader(f, identityFileSizeLimit+1))
	if err == nil && len(text) > identityFileSizeLimit {
		err = fmt.Errorf("more than %d bytes", identityFileSizeLimit)
	}
	return text, err
}

// run asks the user's own command for the identity, as sops does: its words are
// split, and no shell sees them.
func (p *place) run(env []string) ([]byte, error) {
	words, err := shlex.Split(p.command)
	if err != nil || len(words) == 0 {
		return nil, p.problem("is not a command")
	}
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Env = slices.Concat([]string{}, env) // never nil, which would mean this process's own
	out, err := cmd.Output()
	if err != nil {
		return nil, p.problem("the command failed: %s", plainError(err))
	}
	return out, nil
}
