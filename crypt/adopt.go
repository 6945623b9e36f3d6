package crypt

import "iter"

// Adopt seals a dotenv file that sops has written for environment, and changes nothing
// else: the seal becomes the first line, and every byte of data follows it. It returns the
// sealed text and what [Open] gives for it. A file that is sealed for environment already is
// returned as it is.
//
// The file must hold nothing that [Open] would refuse in an environment: an entry or a
// comment in the clear, another type than str. Empty values, which SOPS neither encrypts nor
// authenticates, are vouched for from now on: a person should see their names.
//
// The data key stays what it was, and sops keeps it when it removes a recipient. So whoever
// could ever open the file may know it: see to it that the next write uses
// [Document.NewDataKey].
//
// The errors are [*UnadoptableError] and those of [Open]; a [*SealError] says that the file has a seal which is stale
// or another environment's.
func Adopt(data []byte, environment string, ids iter.Seq[Identity]) ([]byte, *Document, error) {
	d, err := Open(data, Options{}, ids)
	if err != nil {
		return nil, nil, err
	}
	switch {
	case d.state == SealValid && d.seal.environment == environment:
		return data, d, nil
	case d.state != SealMissing:
		return nil, nil, &SealError{State: SealMisplaced, Want: environment, Environment: d.seal.environment}
	}
	if err := d.adoptable(); err != nil {
		return nil, nil, err
	}
	values, err := newValueCipher(d.dataKey)
	if err != nil {
		return nil, nil, err
	}
	seal := sealText{environment: environment, keys: d.sealKeys()}
	sealed := append([]byte(values.sealLine(d.dataKey, seal, data)), data...)
	again, meta, err := scan(sealed, Dotenv)
	if err != nil {
		return nil, nil, err
	}
	fresh := &Document{meta: meta, dataKey: d.dataKey, openedBy: d.openedBy}
	if d, err = openWith(fresh, sealed, again, Options{Environment: environment}); err != nil {
		return nil, nil, err
	}
	return sealed, d, nil
}

// An UnadoptableError says that a file is whole, and holds what an environment's file never
// does. Its values can be taken over one by one.
type UnadoptableError struct {
	Line    int    // from 1; 0 where no line is to blame
	Key     string // "" where no entry is
	Problem string
}

func (e *UnadoptableError) Error() string {
	return (&DamagedError{Line: e.Line, Key: e.Key, Problem: e.Problem}).Error()
}

// adoptable refuses what may stand in a SOPS file and not in an environment's.
func (d *Document) adoptable() error {
	if d.meta.unencryptedComment != "" || d.meta.encryptedComment != "" {
		return &UnadoptableError{Problem: "comments decide what is encrypted in it, and a seal is a comment"}
	}
	for _, it := range d.items {
		empty := it.kind == kindEntry && it.value == ""
		switch {
		case it.unverified && it.kind == kindComment:
			return &UnadoptableError{it.line, "", "a comment that is not encrypted"}
		case it.unverified && !empty:
			return &UnadoptableError{it.line, it.key, "is not encrypted"}
		case it.kind == kindEntry && !it.unverified && it.cipher == "":
			return &UnadoptableError{it.line, it.key, "has another type than str"}
		}
	}
	return nil
}
