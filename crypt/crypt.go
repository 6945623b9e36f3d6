// Package crypt opens and seals SOPS documents whose data key is wrapped by
// age: the format of https://github.com/getsops/sops, byte for byte, with
// envcrypt's seal on top.
//
// A document maps variable names to strings. [Open] reads SOPS's dotenv, YAML
// and JSON files and returns nothing but what has been verified: with every
// error there is no document. [Seal] writes dotenv.
//
// The seal is the file's first line, an encrypted SOPS comment:
//
//	envcrypt-seal v1 environment=<name> keys=<hash>
//
// where <hash> is the unpadded base64url SHA-256 of the names in their order,
// one per line, with "=" behind each whose value is empty. It says which
// environment the file belongs to and vouches for what SOPS leaves open: empty
// values, the names' order and number. Its nonce is no random number but an HMAC,
// under a key derived from the data key, of the seal's text and of every byte
// that follows in the file. So whatever another tool changes (a value, a
// comment, a recipient), the seal no longer fits and is stale, while SOPS tools
// see an ordinary comment.
//
// What is deliberately not here: files, environment variables, questions, the
// choice of recipients. SOPS key groups other than one of age keys are refused.
package crypt

import (
	"crypto/sha512"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"
)

// Format is the text format of a SOPS document.
type Format int

const (
	Dotenv Format = iota
	YAML
	JSON
)

// Options says what [Open] expects.
type Options struct {
	Format Format
	// Environment is the name that the seal must give. Where it is "", a file
	// that was never sealed opens too, without the entries that only a seal can
	// vouch for: see [Document.Unverified].
	Environment string
	// Reseal opens a file whatever its seal says, for a caller that shows a
	// person what is in it and seals it anew. [Document.SealState] tells how the
	// seal stands.
	Reseal bool
}

// Open verifies and decrypts a SOPS document with the first of ids that fits, or where
// it takes a quorum, the first of each group until there are enough.
//
// The errors are [*NoIdentityError], [*IdentityError], [*UnsupportedError],
// [*DamagedError] and [*SealError].
func Open(data []byte, o Options, ids iter.Seq[Identity]) (*Document, error) {
	leaves, meta, err := scan(data, o.Format)
	if err != nil {
		return nil, err
	}
	dataKey, recipient, err := unwrapDataKey(&meta, ids)
	if err != nil {
		return nil, err
	}
	return openWith(&Document{meta: meta, dataKey: dataKey, openedBy: recipient}, data, leaves, o)
}

// openWith verifies and decrypts the leaves of data into d, whose data key is known.
func openWith(d *Document, data []byte, leaves []leaf, o Options) (*Document, error) {
	values, err := newValueCipher(d.dataKey)
	if err != nil {
		return nil, err
	}
	r := reader{doc: d, values: values, meta: &d.meta}
	if leaves, err = r.readSeal(data, leaves); err != nil {
		return nil, err
	}
	if err := r.checkPlace(o); err != nil {
		return nil, err
	}
	if err := r.read(leaves, o); err != nil {
		return nil, err
	}
	if err := r.checkSeal(data, o); err != nil {
		return nil, err
	}
	return d, nil
}

func scan(data []byte, f Format) (leaves []leaf, m metadata, err error) {
	var fields []field
	if f == Dotenv {
		leaves, fields, err = scanDotenv(data)
	} else {
		leaves, fields, err = scanTree(data, f)
	}
	if err != nil {
		return nil, m, err
	}
	m, err = parseMetadata(fields)
	return leaves, m, err
}

// reader is the state of one [Open].
type reader struct {
	doc    *Document
	values *valueCipher
	meta   *metadata
	seal   sealText // what the seal states; zero without one
	sealed bool
	typed  *leaf // the first entry of another type than str
}

// read decrypts the leaves into the document and verifies SOPS's MAC.
func (r *reader) read(leaves []leaf, o Options) error {
	rule, err := r.meta.rules()
	if err != nil {
		return err
	}
	strict := o.Environment != "" && !o.Reseal
	mac := sha512.New()
	if r.meta.macOnlyEncrypted {
		mac.Write(macOnlyEncryptedStart[:])
	}
	r.doc.items = make([]item, 0, len(leaves))
	for _, l := range leaves {
		it := item{line: l.line}
		switch l.kind {
		case kindBlank:
			it.kind = kindBlank
		case kindComment:
			if it, err = r.comment(l, strict); err != nil {
				return err
			}
			if strings.HasPrefix(it.value, sealPrefix) {
				continue // a seal that another tool moved off the first line
			}
		default:
			encrypted := l.plain == nil && (isEncrypted(l.text) || l.text == "")
			if rule != nil && !strict {
				encrypted = rule(l.path)
			}
			var plain []byte
			if it, plain, err = r.entry(l, encrypted, strict); err != nil {
				return err
			}
			if encrypted || !r.meta.macOnlyEncrypted {
				mac.Write(plain)
			}
		}
		r.doc.items = append(r.doc.items, it)
	}
	return r.checkMAC(fmt.Sprintf("%X", mac.Sum(nil)))
}

// macOnlyEncryptedStart is what SOPS hashes first under mac_only_encrypted, so
// that the two kinds of MAC never agree: the SHA-256 of "sops".
var macOnlyEncryptedStart = [32]byte{
	0x8a, 0x3f, 0xd2, 0xad, 0x54, 0xce, 0x66, 0x52, 0x7b, 0x10, 0x34, 0xf3, 0xd1, 0x47, 0xbe, 0x0b,
	0x0b, 0x97, 0x5b, 0x3b, 0xf4, 0x4f, 0x72, 0xc6, 0xfd, 0xad, 0xec, 0x81, 0x76, 0xf2, 0x7d, 0x69,
}

// comment reads one comment line. SOPS takes what does not decrypt for a
// comment in the clear; here what claims to be encrypted has to be.
func (r *reader) comment(l leaf, strict bool) (item, error) {
	it := item{kind: kindComment, line: l.line, value: l.text}
	switch {
	case l.text == "":
		return it, nil
	case isEncrypted(l.text):
		plain, typ, err := r.values.open(l.text, commentPath)
		if err != nil {
			return it, damaged(l.line, "", "comment: %v", err)
		}
		if typ != typeComment {
			return it, damaged(l.line, "", "a comment of another type than comment")
		}
		it.value, it.cipher = plain, l.text
		return it, nil
	case strict:
		return it, damaged(l.line, "", "a comment that is not encrypted")
	default:
		it.unverified = true
		return it, nil
	}
}

// entry reads one value, and returns also what SOPS's MAC takes of it.
func (r *reader) entry(l leaf, encrypted, strict bool) (item, []byte, error) {
	it := item{line: l.line, key: flatName(l.path), value: l.text}
	switch {
	case encrypted && l.text == "" && l.plain == nil:
		it.unverified = !r.sealed
		return it, nil, nil
	case !encrypted && !strict:
		it.unverified = true
		plain := l.plain
		if plain == nil {
			plain = []byte(l.text)
		}
		return it, plain, checkValue(l.line, it.key, l.text)
	case l.plain != nil || !isEncrypted(l.text):
		return it, nil, &DamagedError{Line: l.line, Key: it.key, Problem: "is not encrypted", Cause: CausePlain}
	}
	plain, typ, err := r.values.open(l.text, macPath(l.path))
	if err != nil {
		return it, nil, damaged(l.line, it.key, "%v", err)
	}
	if typ == typeString {
		it.value, it.cipher = plain, l.text
		return it, []byte(plain), checkValue(l.line, it.key, plain)
	}
	if r.typed == nil {
		r.typed = &l
	}
	var mac string
	it.value, mac, err = typedValue(typ, plain)
	if err != nil {
		return it, nil, damaged(l.line, it.key, "%v", err)
	}
	return it, []byte(mac), checkValue(l.line, it.key, it.value)
}

// typedValue returns what sops shows of a value that is no string, and what its
// MAC takes of it.
func typedValue(typ, plain string) (shown, mac string, err error) {
	var v any
	switch typ {
	case "int":
		v, err = strconv.Atoi(plain)
	case "float":
		v, err = strconv.ParseFloat(plain, 64)
	case "bool":
		v, err = strconv.ParseBool(plain)
	case "time":
		var t time.Time
		err = t.UnmarshalText([]byte(plain))
		v = t
	case "bytes":
		return plain, plain, nil
	default:
		return "", "", fmt.Errorf("has a type that no value can have")
	}
	if err != nil {
		return "", "", fmt.Errorf("is no %s, though its type says so", typ)
	}
	shown, mac = scalarText(v)
	return shown, mac, nil
}

func (r *reader) checkMAC(computed string) error {
	stated, typ, err := r.values.open(r.meta.mac, r.meta.lastModified.Format(time.RFC3339))
	if err != nil || typ != typeString {
		return damaged(0, "", "the file's MAC does not authenticate")
	}
	if stated != computed {
		return damaged(0, "", "the file's MAC does not match its values: entries were added, removed or reordered")
	}
	return nil
}
