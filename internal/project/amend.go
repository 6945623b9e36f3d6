package project

import (
	"crypto/rand"
	"path/filepath"
)

// Text returns the policy's text, for an editor of it. It must not be changed.
func (p *Project) Text() []byte { return p.text }

// Amend returns the project as it would be with another policy, which [Lock.StagePolicy]
// writes. Whatever is written for its readers before that takes the Lock of the project
// that it returns, which still compares with the policy that was read. The errors are those
// of [ParsePolicy].
func (p *Project) Amend(text []byte) (*Project, error) {
	policy, err := ParsePolicy(filepath.Join(p.Root, PolicyName), text)
	if err != nil {
		return nil, err
	}
	return &Project{Root: p.Root, Policy: policy, text: p.text, amended: text}, nil
}

// StagePolicy stages what [Project.Amend] was called with. The errors are those of
// [Lock.Write].
func (l *Lock) StagePolicy(p *Project) (*Staged, error) {
	l.mu.Lock()
	l.policyStaged = true
	l.mu.Unlock()
	return l.stageWrite(filepath.Join(p.Root, PolicyName), p.text, p.amended, false)
}

// CommitAll commits in order, all or nothing: every file is compared with what it replaces
// before the first changes, and if one cannot be replaced after all, those before it get
// back what they were. (Only where a file system has no hard links, they do not.) A crash in
// the middle leaves the first ones new and the others old, each whole.
func CommitAll(staged []*Staged) (err error) {
	var done []*Staged
	defer func() {
		for _, s := range done {
			if err != nil {
				s.takeBack()
			}
			s.forget()
		}
		if err != nil {
			discard(staged)
		}
	}()
	for _, s := range staged {
		if err := s.ready(); err != nil {
			return systemError(s.w.path, err)
		}
	}
	for _, s := range staged {
		s.keepOld()
		if err := s.Commit(); err != nil {
			s.forget()
			return err
		}
		done = append(done, s)
	}
	return nil
}

// ready makes durable what was staged, and compares the file with what it should replace.
func (s *Staged) ready() error {
	if err := s.sync(); err != nil {
		return err
	}
	s.w.late = false
	if err := fault("compare"); err != nil || !s.w.compare {
		return err
	}
	return s.lock.compare(s.name, s.w)
}

// keepOld gives the file that is about to be replaced a second name.
func (s *Staged) keepOld() {
	old := filepath.Join(s.dir, tempPrefix(filepath.Base(s.name))+rand.Text())
	if s.lock.root.Link(s.name, old) == nil {
		s.old = old
	}
}

// takeBack undoes a commit.
func (s *Staged) takeBack() {
	switch {
	case s.old != "":
		if s.lock.root.Rename(s.old, s.name) == nil {
			s.old = ""
		}
	case s.w.exclusive:
		s.lock.root.Remove(s.name)
	}
}

// forget removes the second name of the file that was replaced.
func (s *Staged) forget() {
	if s.old != "" {
		s.lock.root.Remove(s.old)
		s.old = ""
	}
}
