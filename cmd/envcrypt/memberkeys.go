package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"envcrypt/recipients"

	"golang.org/x/crypto/ssh"
)

// keysSizeLimit bounds what is read of public keys from one place.
const keysSizeLimit = 1 << 20

// memberKeys are public keys, and comments that say where they are from.
type memberKeys struct {
	texts   []string
	origins []string
}

// A publicKeyError says why an argument gives no public key. It has nothing of what could
// not be read.
type publicKeyError struct {
	problem, fix string
}

func (e *publicKeyError) Error() string { return e.problem }

// errPrivate refuses a private key on a command line.
var errPrivate = &publicKeyError{
	problem: "a private key where a public one belongs",
	fix:     "other users of the machine could see it on the command line: make a new one with \"envcrypt keygen\"",
}

// refusePrivate refuses arguments of which one is a private key, and hides them.
func refusePrivate(args []string) error {
	if !slices.ContainsFunc(args, recipients.LooksPrivate) {
		return nil
	}
	hidePrivate()
	return errPrivate
}

// memberKeys reads the public keys that arguments are or name.
func (a *app) memberKeys(args []string) (*memberKeys, error) {
	keys := new(memberKeys)
	piped := false
	for i, arg := range args {
		site, isSite := parseKeySite(arg)
		switch {
		case isSite && !validUser(site.user):
			return nil, usagef("argument %d: after %s: the name of a user belongs", i+1, site.name)
		case isSite:
			keys.origins = append(keys.origins, fmt.Sprintf("the keys of %s, %s", site.page(), a.now().UTC().Format("2006-01-02")))
		case looksPublic(arg):
			if err := a.takeKeys(keys, fmt.Sprintf("argument %d", i+1), arg); err != nil {
				return nil, err
			}
			continue
		}
		from := arg
		if isSite {
			from = site.file
		}
		if from == "" || from == "-" {
			if piped {
				return nil, usagef("standard input can be named once")
			}
			piped = true
		}
		name, text, err := a.keysText(from, site)
		if err != nil {
			return nil, err
		}
		if err := a.takeKeys(keys, name, text); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

// keySite is a user of a site that publishes users' keys.
type keySite struct {
	name, user, file string
}

// parseKeySite reads github:USER, gitlab:USER, or one of them with =FILE.
func parseKeySite(arg string) (s keySite, ok bool) {
	name, rest, found := strings.Cut(arg, ":")
	if !found || name != "github" && name != "gitlab" {
		return s, false
	}
	user, file, _ := strings.Cut(rest, "=")
	return keySite{name, user, file}, true
}

func (s keySite) page() string { return s.name + ".com/" + s.user }

// validUser tells what can be a user of GitHub or GitLab, and stand in a URL.
func validUser(s string) bool {
	const longest = 100
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."
	return s != "" && len(s) <= longest && s[0] != '-' && s[0] != '.' && strings.Trim(s, allowed) == ""
}

// looksPublic tells a public key, of whatever kind, from the name of a file.
func looksPublic(arg string) bool {
	kind, _, hasBlank := strings.Cut(arg, " ")
	return strings.HasPrefix(arg, "age1") || hasBlank && (strings.HasPrefix(kind, "ssh-") || strings.HasPrefix(kind, "sk-") || strings.HasPrefix(kind, "ecdsa-"))
}

// keysText reads the text that has public keys: of a file, or of standard input for "" and
// "-".
func (a *app) keysText(from string, site keySite) (name, text string, err error) {
	if from == "" || from == "-" {
		text, ok, err := a.pipedText(keysSizeLimit)
		switch {
		case err != nil:
			return "", "", err
		case site.name != "" && strings.TrimSpace(text) == "":
			return "", "", &publicKeyError{
				problem: fmt.Sprintf("%s:%s: envcrypt opens no network connection, and standard input has no keys", site.name, site.user),
				fix:     fmt.Sprintf("download https://%s.keys, and pipe it in or name the file: %s:%s=FILE", site.page(), site.name, site.user),
			}
		case !ok:
			return "", "", usagef("standard input has no keys: it is neither a pipe nor a file")
		}
		return "standard input", text, nil
	}
	switch from {
	case "ssh-ed25519", "ssh-rsa":
		return "", "", usagef("quote an SSH key, which is several words: '%s AAAA...'", from)
	}
	data, err := readFileBytes(from)
	if errors.Is(err, os.ErrNotExist) || len(data) > keysSizeLimit {
		return "", "", &publicKeyError{ // which is not shown: it may be anything
			problem: "an argument is neither a public key nor a file of them",
			fix:     "keys are age1..., 'ssh-ed25519 AAAA...' and 'ssh-rsa AAAA...', in quotes, or a file of them",
		}
	}
	return showName(from), string(data), err
}

// pipedText reads standard input; ok is false for a terminal or a device such as /dev/null.
func (a *app) pipedText(limit int64) (text string, ok bool, err error) {
	info, err := a.stdin.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice != 0 {
		return "", false, nil
	}
	data, err := readLimited(a.stdin, limit)
	if err != nil {
		return "", false, fmt.Errorf("reading standard input: %w", err)
	}
	return string(data), true, nil
}

// takeKeys takes the public keys out of a text: a key on each line, as they stand in
// authorized_keys or in a file of age recipients. Keys of a kind that age cannot use are
// left out, and warned of.
func (a *app) takeKeys(keys *memberKeys, name, text string) error {
	if recipients.LooksPrivate(text) {
		return &publicKeyError{
			problem: name + ": a private key where a public one belongs",
			fix:     "name the file that has the public key: that of id_ed25519 is id_ed25519.pub",
		}
	}
	found := false
	var unusable []string
	n := 0
	for line := range strings.Lines(text) {
		n++
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		key, kind, err := parseKeyLine(line)
		switch {
		case err != nil && kind == "":
			return &publicKeyError{problem: fmt.Sprintf("%s: line %d: %v", name, n, err)}
		case err != nil:
			unusable = append(unusable, kind)
			continue
		}
		found = true
		if !slices.Contains(keys.texts, key) {
			keys.texts = append(keys.texts, key)
		}
	}
	switch {
	case !found && unusable == nil:
		return &publicKeyError{problem: name + ": it has no key"}
	case !found:
		return &publicKeyError{
			problem: fmt.Sprintf("%s: none of its keys can be used: %s", name, listed(unusable)),
			fix:     "age knows its own keys, ssh-ed25519, and ssh-rsa of 2048 bits or more; \"envcrypt join\" makes one of age's",
		}
	}
	for _, kind := range once(unusable) {
		a.warningf("%s: left out a key that age cannot use: %s", name, kind)
	}
	return nil
}

// parseKeyLine reads a line with one public key. With an error, kind is what it is if it
// is a key all the same.
func parseKeyLine(line string) (text, kind string, err error) {
	key, err := recipients.ParseKey(line)
	if err == nil {
		return key.String(), "", nil
	}
	public, _, _, rest, sshErr := ssh.ParseAuthorizedKey([]byte(line))
	if sshErr != nil || len(rest) > 0 {
		return "", "", err
	}
	if key, err = recipients.ParseKey(sshText(public)); err == nil { // which stood behind options
		return key.String(), "", nil
	}
	if kind = public.Type(); kind == ssh.KeyAlgoRSA {
		kind = "ssh-rsa of fewer than 2048 bits"
	}
	return "", kind, err
}

// sshText is a public key as authorized_keys has it.
func sshText(key ssh.PublicKey) string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
}
