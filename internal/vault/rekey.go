package vault

import (
	"errors"
	"runtime"
	"sync"

	"envcrypt/crypt"
	"envcrypt/internal/project"
)

// writersPerCore is how many files a rekey has under way for each processor:
// most of their time they wait for the disk.
const writersPerCore = 8

// Plan compares the named environments' files with the policy, without an
// identity. The errors of single files are in the result.
func (v *Vault) Plan(names []string) []Step {
	steps := make([]Step, len(names))
	v.each(len(names), func(i int) {
		steps[i] = v.plan(names[i])
	})
	return steps
}

// A Step is what a rekey has to do to one file, or did.
type Step struct {
	Environment string
	Readers     Readers
	Keys        []string // the file's names
	By          string   // the public key whose identity opened it, once it was rekeyed
	Err         error
}

func (v *Vault) plan(name string) Step {
	s := Step{Environment: name}
	data, err := v.Read(name)
	if err != nil {
		s.Err = err
		return s
	}
	summary, err := crypt.Inspect(data, crypt.Dotenv)
	if err != nil {
		s.Err = &OpenError{Environment: name, Path: v.Project.Path(name), Err: err}
		return s
	}
	s.Keys = summary.Keys
	s.Readers, s.Err = v.Compare(name, summary.Groups, summary.Quorum)
	return s
}

// Rekey encrypts each environment of steps that needs it to the policy's
// readers, several at a time, and calls done after each with the index of its
// step, whose Err is set; calls of done do not overlap. A removed reader costs a
// new data key, and so does any change of a quorum. A step whose file has changed since [Vault.Plan] gets a
// [*project.ChangedError].
func (v *Vault) Rekey(steps []Step, done func(i int)) (err error) {
	lock, err := v.Project.Lock()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	staged := make([][]*project.Staged, len(steps))
	v.each(len(steps), func(i int) {
		if steps[i].Err == nil && steps[i].Readers.Differ() {
			staged[i], steps[i].Err = v.stage(lock, &steps[i], "rekey")
		}
	})
	var mu sync.Mutex
	v.each(len(steps), func(i int) {
		if staged[i] != nil {
			steps[i].Err = project.Commit(staged[i])
		}
		mu.Lock()
		defer mu.Unlock()
		done(i)
	})
	return nil
}

func (v *Vault) stage(lock *project.Lock, s *Step, action string) ([]*project.Staged, error) {
	env, err := v.Open(s.Environment)
	if err != nil {
		return nil, err
	}
	s.By = env.Doc.OpenedBy()
	if !env.Readers.equal(s.Readers) {
		return nil, &project.ChangedError{Path: v.Project.Path(s.Environment)}
	}
	old, err := v.Project.ReadFiles(s.Environment)
	if err != nil {
		return nil, err
	}
	old.Data = env.data // which is what was opened
	new, err := v.files(env, action, old)
	if err != nil {
		return nil, err
	}
	return lock.StageFiles(v.Project, s.Environment, old, new, true)
}

// each calls work for 0 to n-1, a bounded number at a time.
func (v *Vault) each(n int, work func(i int)) {
	next := make(chan int)
	var workers sync.WaitGroup
	for range min(n, writersPerCore*runtime.GOMAXPROCS(0)) {
		workers.Go(func() {
			for i := range next {
				work(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	workers.Wait()
}
