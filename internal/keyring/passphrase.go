package keyring

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"io"
	"os"
	"strconv"
	"sync"

	"envcrypt/crypt"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"filippo.io/age/armor"
	"golang.org/x/crypto/ssh"
)

// maxScryptWorkFactor bounds what a passphrase-protected identity file can make
// this machine do. age and keygen write 18, which takes 256 MiB and about a
// second. Each step more doubles both: 20 leaves room for who wanted it slower, at
// 1 GiB, while age's own bound of 22 is 4 GiB, enough to have a small machine kill
// the program, or something else.
const maxScryptWorkFactor = 20

// IsAge tells whether text is an age file, armored or not.
func IsAge(text []byte) bool {
	return bytes.HasPrefix(text, []byte(armor.Header)) || bytes.HasPrefix(text, []byte("age-encryption.org/"))
}

func newAgeReader(text []byte) io.Reader {
	if bytes.HasPrefix(text, []byte(armor.Header)) {
		return armor.NewReader(bytes.NewReader(text))
	}
	return bytes.NewReader(text)
}

// header is an identity that opens nothing and remembers what it was tried on.
type header struct{ stanzas []*age.Stanza }

func (h *header) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	h.stanzas = stanzas
	return nil, age.ErrIncorrectIdentity
}

// checkScrypt refuses an age file that no passphrase opens, or not with a sane
// amount of work, before anybody is asked for it.
func checkScrypt(p *place, text []byte) error {
	var h header
	if _, err := age.Decrypt(newAgeReader(text), &h); h.stanzas == nil && err != nil {
		return p.problem("a damaged age file")
	}
	if len(h.stanzas) != 1 || h.stanzas[0].Type != "scrypt" || len(h.stanzas[0].Args) != 2 {
		return p.problem("an age file that is not encrypted with a passphrase")
	}
	factor, err := strconv.Atoi(h.stanzas[0].Args[1])
	if err != nil || factor < 1 {
		return p.problem("a damaged age file")
	}
	if factor > maxScryptWorkFactor {
		return p.problem("its scrypt work factor is %d, and %d is the most that is tried: it would take all of the memory", factor, maxScryptWorkFactor)
	}
	return nil
}

// unlock asks for the passphrase of an identity file and returns what is in it.
func (k *Keyring) unlock(p *place, text []byte) ([]crypt.Identity, error) {
	pass, err := k.ask(p)
	if err != nil {
		return nil, err
	}
	id, err := age.NewScryptIdentity(pass)
	if err != nil {
		return nil, p.problem("an empty passphrase")
	}
	id.SetMaxWorkFactor(maxScryptWorkFactor)
	plain, err := decryptAge(text, id)
	if err != nil {
		return nil, p.problem("the passphrase does not open it")
	}
	ids, locked, err := k.parse(p, plain)
	switch {
	case err != nil:
		return nil, p.refuse(err)
	case locked != nil:
		return nil, p.problem("a passphrase inside a passphrase")
	}
	return ids, nil
}

// ask asks for the passphrase of what a place holds.
func (k *Keyring) ask(p *place) (string, error) {
	pass, err := "", ErrCannotAsk
	if k.options.AskPassphrase != nil {
		k.asking.Lock()
		pass, err = k.options.AskPassphrase(p.label())
		k.asking.Unlock()
	}
	if errors.Is(err, ErrCannotAsk) {
		e := p.problem("needs a passphrase, and there is no terminal to ask for it")
		e.Locked = true
		return "", e
	}
	return pass, err
}

// lockedSSH is an SSH key that a passphrase protects. It is asked for when a file
// is encrypted to the key, and only once, whatever the answer was.
type lockedSSH struct {
	match  *agessh.EncryptedSSHIdentity // knows what is for the key, and cannot open it
	unlock func() (age.Identity, error)
}

func (l *lockedSSH) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	if _, err := l.match.Unwrap(stanzas); errors.Is(err, age.ErrIncorrectIdentity) {
		return nil, err
	}
	id, err := l.unlock()
	if err != nil {
		return nil, &crypt.IdentityError{Err: err}
	}
	return id.Unwrap(stanzas)
}

func (k *Keyring) parseLockedSSH(p *place, text []byte, public ssh.PublicKey) (crypt.Identity, error) {
	if public == nil {
		var err error
		if public, err = p.publicBeside(); err != nil {
			return crypt.Identity{}, err
		}
	}
	match, err := agessh.NewEncryptedSSHIdentity(public, text, func() ([]byte, error) { return nil, ErrCannotAsk })
	if err != nil {
		return crypt.Identity{}, errUnknownSSH
	}
	unlock := sync.OnceValues(func() (age.Identity, error) { return k.unlockSSH(p, text, public) })
	return crypt.Identity{Identity: &lockedSSH{match: match, unlock: unlock}, Recipient: sshText(public)}, nil
}

// unlockSSH asks for the passphrase of an SSH key, which must be that of public.
func (k *Keyring) unlockSSH(p *place, text []byte, public ssh.PublicKey) (age.Identity, error) {
	pass, err := k.ask(p)
	if err != nil {
		return nil, err
	}
	key, err := ssh.ParseRawPrivateKeyWithPassphrase(text, []byte(pass))
	if err != nil {
		return nil, p.problem("the passphrase does not open it")
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil || !bytes.Equal(signer.PublicKey().Marshal(), public.Marshal()) {
		return nil, p.problem("the public key beside it is another's")
	}
	switch key := key.(type) {
	case *rsa.PrivateKey:
		return agessh.NewRSAIdentity(key)
	case *ed25519.PrivateKey:
		return agessh.NewEd25519Identity(*key)
	case ed25519.PrivateKey:
		return agessh.NewEd25519Identity(key)
	}
	return nil, errUnknownSSH
}

// publicBeside reads the public key of an SSH key whose format is so old that it
// does not tell it while it is locked.
func (p *place) publicBeside() (ssh.PublicKey, error) {
	if p.file == "" {
		return nil, p.problem("an SSH key in a format that needs a file, with its public key beside it")
	}
	line, err := os.ReadFile(p.file + ".pub")
	if err == nil {
		var public ssh.PublicKey
		if public, _, _, _, err = ssh.ParseAuthorizedKey(line); err == nil {
			return public, nil
		}
	}
	return nil, p.problem("needs its public key beside it, in %s.pub", p.file)
}
