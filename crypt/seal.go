package crypt

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	sealPrefix       = "envcrypt-seal "
	sealFormat       = sealPrefix + "v1 environment=%s keys=%s"
	sealNoncePurpose = "envcrypt-seal v1 nonce"
)

// sealText is what a seal states.
type sealText struct {
	environment string
	keys        string
}

func (s sealText) String() string { return fmt.Sprintf(sealFormat, s.environment, s.keys) }

func parseSealText(text string) (s sealText, ok bool) {
	rest, ok := strings.CutPrefix(text, sealPrefix+"v1 environment=")
	if !ok {
		return s, false
	}
	s.environment, s.keys, ok = strings.Cut(rest, " keys=")
	return s, ok
}

// sealKeys hashes the names for the seal, see the package's documentation.
func (d *Document) sealKeys() string {
	h := sha256.New()
	for _, it := range d.items {
		if it.kind != kindEntry {
			continue
		}
		h.Write([]byte(it.key))
		if it.value == "" {
			h.Write([]byte("="))
		}
		h.Write([]byte("\n"))
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// sealNonce binds the seal to every byte that follows it in the file. Being the
// output of a keyed hash over the plaintext too, it comes again only with the
// same plaintext, which is what GCM needs of a nonce.
func sealNonce(dataKey []byte, text string, rest []byte) []byte {
	derive := hmac.New(sha256.New, dataKey)
	derive.Write([]byte(sealNoncePurpose))
	h := hmac.New(sha256.New, derive.Sum(nil))
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(text))))
	h.Write([]byte(text))
	h.Write(rest)
	return h.Sum(nil)
}

// sealLine is the line that seals the bytes behind it.
func (c *valueCipher) sealLine(dataKey []byte, s sealText, rest []byte) string {
	nonce := sealNonce(dataKey, s.String(), rest)
	return "#" + c.sealWithNonce(s.String(), commentPath, typeComment, nonce) + "\n"
}

// readSeal takes the seal off the front of a file's leaves.
func (r *reader) readSeal(data []byte, leaves []leaf) ([]leaf, error) {
	if len(leaves) == 0 || leaves[0].kind != kindComment || leaves[0].line != 1 || !isEncrypted(leaves[0].text) {
		return leaves, nil
	}
	plain, typ, err := r.values.open(leaves[0].text, commentPath)
	if err != nil {
		return nil, damaged(1, "", "comment: %v", err)
	}
	seal, ok := parseSealText(plain)
	if !ok || typ != typeComment {
		return leaves, nil
	}
	r.seal, r.sealed, r.doc.seal = seal, true, seal
	return leaves[1:], nil
}

// checkPlace refuses a file that is sealed for another environment, or not
// sealed where it has to be, before anything else is looked at.
func (r *reader) checkPlace(o Options) error {
	switch {
	case o.Reseal || o.Environment == "":
		return nil
	case !r.sealed:
		return &SealError{State: SealMissing, Want: o.Environment}
	case r.seal.environment != o.Environment:
		return &SealError{State: SealMisplaced, Want: o.Environment, Environment: r.seal.environment}
	}
	return nil
}

// checkSeal compares the seal with the file, whose values have been verified.
func (r *reader) checkSeal(data []byte, o Options) error {
	d := r.doc
	if !r.sealed {
		d.state = SealMissing
		return nil
	}
	head := firstLine(data)
	line := r.values.sealLine(d.dataKey, r.seal, data[len(head):])
	d.dirty = r.seal.keys != d.sealKeys()
	switch {
	case d.dirty || !bytes.Equal(head, []byte(line)):
		d.state = SealStale
	case o.Environment != "" && r.seal.environment != o.Environment:
		d.state = SealMisplaced
	case r.typed != nil && !o.Reseal:
		return damaged(r.typed.line, flatName(r.typed.path), "has another type than str")
	default:
		d.state = SealValid
		return nil
	}
	if o.Reseal {
		if d.state == SealStale {
			d.distrustEmpties()
		}
		return nil
	}
	return &SealError{State: d.state, Want: o.Environment, Environment: r.seal.environment, KeysChanged: d.dirty}
}

// distrustEmpties withdraws the empty entries that a stale seal cannot vouch for.
func (d *Document) distrustEmpties() {
	for i := range d.items {
		if d.items[i].kind == kindEntry && d.items[i].value == "" {
			d.items[i].unverified = true
		}
	}
}

// Seal encrypts the document to the given audience and returns the text of an
// environment file, sealed for environment. now becomes its lastmodified.
//
// Values and recipients that were there before keep their ciphertext. The data
// key is new and everything is encrypted afresh if one of the file's recipients
// is not among to, and wherever the old data key may be known to somebody else:
// the file's seal was not valid (sops keeps the data key when it removes a
// recipient), or it was for another environment. It is also new with any change of a
// quorum: the groups, their order and recipients, and how many it takes. YAML and JSON
// files have no seal. Unverified entries are left out. The document can go on being used
// and sealed again.
func Seal(d *Document, environment string, to Audience, now time.Time) ([]byte, error) {
	if err := to.check(); err != nil {
		return nil, err
	}
	d.items = slices.DeleteFunc(d.items, func(it item) bool { return it.unverified })
	if d.state != SealValid || d.seal.environment != environment {
		d.NewDataKey()
	}
	if err := d.encryptTo(to); err != nil {
		return nil, err
	}
	values, err := newValueCipher(d.dataKey)
	if err != nil {
		return nil, err
	}
	d.meta.other = nil
	d.meta.lastModified = now.UTC().Truncate(time.Second)
	d.meta.version = writtenVersion
	d.meta.unencryptedSuffix = writtenUnencryptedSuffix

	body := d.appendItems(nil, values)
	body = d.meta.appendDotenv(body)
	d.seal = sealText{environment: environment, keys: d.sealKeys()}
	d.state, d.dirty = SealValid, false
	return append([]byte(values.sealLine(d.dataKey, d.seal, body)), body...), nil
}

// encryptTo makes the data key, new or kept, and its wrappings.
func (d *Document) encryptTo(to Audience) error {
	if len(d.meta.other) > 0 || !d.meta.mayStay(to) {
		d.NewDataKey()
	}
	if d.dataKey == nil {
		d.dataKey = make([]byte, dataKeySize)
		rand.Read(d.dataKey)
	} else if to.Quorum > 1 {
		return nil // and the parts are whose they were
	}
	parts, err := splitDataKey(d.dataKey, len(to.Groups), to.Quorum)
	if err != nil {
		return err
	}
	kept := make(map[string]stanza)
	for _, g := range d.meta.groups {
		for _, s := range g.stanzas {
			kept[s.recipient] = s
		}
	}
	groups := make([]group, len(to.Groups))
	for i, recipients := range to.Groups {
		if groups[i].stanzas, err = wrapAll(parts[i], recipients, kept); err != nil {
			return err
		}
	}
	d.meta.groups, d.meta.quorum = groups, to.Quorum
	return nil
}

// mayStay tells whether nobody loses what they could open before: of a quorum nothing
// may change.
func (m *metadata) mayStay(to Audience) bool {
	if to.Quorum > 1 || m.quorum > 1 {
		return m.quorum == to.Quorum && sameGroups(m.groups, to)
	}
	return !slices.ContainsFunc(m.recipients(), func(text string) bool {
		return !slices.ContainsFunc(to.Groups[0], func(r Recipient) bool { return r.Text == text })
	})
}

// wrapAll wraps the data key, or a part of it, for those who have no stanza of it yet.
func wrapAll(part []byte, to []Recipient, kept map[string]stanza) ([]stanza, error) {
	stanzas := make([]stanza, 0, len(to))
	for _, r := range to {
		s, ok := kept[r.Text]
		if !ok {
			var err error
			if s, err = wrapDataKey(part, r); err != nil {
				return nil, err
			}
		}
		stanzas = append(stanzas, s)
	}
	return stanzas, nil
}

// appendItems writes the lines, encrypting those that have no ciphertext yet,
// and sets the MAC over the values.
func (d *Document) appendItems(b []byte, values *valueCipher) []byte {
	mac := sha512.New()
	for i := range d.items {
		it := &d.items[i]
		switch it.kind {
		case kindComment:
			if it.cipher == "" && it.value != "" {
				it.cipher = values.seal(it.value, commentPath, typeComment)
			}
			b = append(b, '#')
		case kindEntry:
			if it.cipher == "" && it.value != "" {
				it.cipher = values.seal(it.value, it.key+":", typeString)
			}
			mac.Write([]byte(it.value))
			b = append(append(b, it.key...), '=')
		}
		b = append(append(b, it.cipher...), '\n')
	}
	lastModified := d.meta.lastModified.Format(time.RFC3339)
	d.meta.mac = values.seal(fmt.Sprintf("%X", mac.Sum(nil)), lastModified, typeString)
	d.meta.macOnlyEncrypted = false
	return b
}
