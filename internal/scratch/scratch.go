// Package scratch keeps plaintext that a program must see as a file, in a
// directory that only the user can enter and that lives in memory where the
// system has such a place.
//
// Each directory is locked by its process for as long as that lives, so that
// [Sweep] can remove what killed processes left behind.
package scratch

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// A Dir is a private directory. Close removes it with all that is in it.
type Dir struct {
	Path string
	// OnDisk says that the directory may lie on a persistent disk: no
	// memory-backed place was usable.
	OnDisk bool

	lock *os.File
}

// Places says where directories may be made.
type Places struct {
	Memory []string // tried first, and used if they are memory-backed
	Disk   string   // the last resort
}

// New makes a directory of mode 0700 in the first place that is fit for it.
func New(p Places) (*Dir, error) {
	var failed []error
	for _, base := range p.Memory {
		if base == "" || !inMemory(base) {
			continue
		}
		d, err := newIn(base)
		if err == nil {
			return d, nil
		}
		failed = append(failed, err)
	}
	d, err := newIn(p.Disk)
	if err != nil {
		return nil, errors.Join(append(failed, err)...)
	}
	d.OnDisk = !inMemory(p.Disk)
	return d, nil
}

func newIn(base string) (*Dir, error) {
	// Another process's sweep may take the parent, or the directory before it is
	// locked, away: then it is made again.
	const attempts = 20
	var err error
	for range attempts {
		var parent, path string
		if parent, err = ownParent(base); err != nil {
			if os.IsNotExist(err) {
				continue
			}
			return nil, err
		}
		if path, err = os.MkdirTemp(parent, "*"); err != nil {
			if os.IsNotExist(err) {
				continue
			}
			return nil, err
		}
		var lock *os.File
		if lock, err = acquire(path); err == nil {
			return &Dir{Path: path, lock: lock}, nil
		}
		os.RemoveAll(path)
	}
	return nil, err
}

// ownParent makes the user's directory in base, which others may write to too,
// and refuses one that is somebody else's.
func ownParent(base string) (string, error) {
	parent := parentOf(base)
	if err := os.Mkdir(parent, 0o700); err != nil && !os.IsExist(err) {
		return "", err
	}
	info, err := os.Lstat(parent)
	if err != nil {
		return "", err
	}
	if !info.IsDir() || !private(info) {
		return "", fmt.Errorf("%s belongs to somebody else, or others can enter it", parent)
	}
	return parent, nil
}

// Close removes the directory. It can be called more than once.
func (d *Dir) Close() error {
	if d == nil || d.lock == nil {
		return nil
	}
	release(d.lock)
	d.lock = nil
	err := os.RemoveAll(d.Path)
	os.Remove(filepath.Dir(d.Path)) // if no other process has one
	return err
}

// Sweep removes the directories of processes that are no more. Where there are
// none it costs one failing system call for each place.
func Sweep(p Places) {
	for _, base := range append(p.Memory[:len(p.Memory):len(p.Memory)], p.Disk) {
		if base == "" {
			continue
		}
		parent := parentOf(base)
		entries, err := os.ReadDir(parent)
		if err != nil {
			continue
		}
		if info, err := os.Lstat(parent); err != nil || !info.IsDir() || !private(info) {
			continue
		}
		for _, e := range entries {
			path := filepath.Join(parent, e.Name())
			if lock, err := acquire(path); err == nil {
				os.RemoveAll(path)
				release(lock)
			}
		}
		os.Remove(parent)
	}
}

func parentOf(base string) string {
	return filepath.Join(base, fmt.Sprintf("envcrypt-%d", os.Getuid()))
}
