package vault

import (
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"

	"envcrypt/crypt"
	"envcrypt/internal/project"
)

// writersPerCore is how many files a rekey has under way for each processor:
// most of their time they wait for the disk.
const writersPerCore = 8

// bytesAtOnce is how much of files is opened at a time, by their size on disk: in
// memory they take some times as much. A file that is larger is opened alone.
const bytesAtOnce = 16 << 20

// A rekey of very many files goes on batch by batch: what is written and not yet
// in place has its bound, and so have the projects that are locked, each with two
// open files. What a batch has done, no kill takes away.
const (
	batchFiles    = 256
	batchProjects = 32
)

// keysKept is how many of a file's names a [Step] remembers.
const keysKept = 100

// A Job is the part of a rekey that concerns one project.
type Job struct {
	Vault *Vault
	Steps []Step
}

// A Step is what a rekey has to do to one file, or did.
type Step struct {
	Environment string
	Readers     Readers
	Keys        []string // the file's names, the first hundred of them
	KeyCount    int
	By          string // the public key whose identity opened it, once it was rekeyed
	Err         error
}

// todo tells whether a rekey has to write the file.
func (s *Step) todo() bool { return s.Err == nil && s.Readers.Differ() }

// Plan compares the named environments' files with the policy, without an
// identity. The errors of single files are in the result.
func (v *Vault) Plan(names []string) []Step {
	steps := make([]Step, len(names))
	for i, name := range names {
		steps[i].Environment = name
	}
	Plan([]Job{{Vault: v, Steps: steps}})
	return steps
}

// Plan is [Vault.Plan] for the environments that the steps of several projects
// name: it fills in the rest of them.
func Plan(jobs []Job) {
	var all []*task
	for j := range jobs {
		for i := range jobs[j].Steps {
			all = append(all, &task{job: j, step: i, vault: jobs[j].Vault, s: &jobs[j].Steps[i]})
		}
	}
	memory := newBudget(bytesAtOnce)
	each(len(all), func(i int) {
		defer memory.take(all[i].size())()
		*all[i].s = all[i].vault.plan(all[i].s.Environment)
	})
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
	s.KeyCount = len(summary.Keys)
	for _, key := range summary.Keys[:min(s.KeyCount, keysKept)] {
		s.Keys = append(s.Keys, strings.Clone(key)) // or the whole file stays in memory
	}
	s.Readers, s.Err = v.Compare(name, summary.Groups, summary.Quorum)
	for i, text := range s.Readers.Lost {
		s.Readers.Lost[i] = strings.Clone(text)
	}
	return s
}

// Rekey is [Rekey] for one project. It returns the first error of a step.
func (v *Vault) Rekey(steps []Step, done func(i int)) error {
	Rekey([]Job{{Vault: v, Steps: steps}}, func(_, i int) { done(i) })
	for i := range steps {
		if steps[i].Err != nil {
			return steps[i].Err
		}
	}
	return nil
}

// Rekey encrypts each environment that needs it to its policy's readers, several
// at a time, and calls done after each that it had to write with the indexes of
// its job and its step, whose Err is set; calls of done do not overlap. A removed
// reader costs a new data key, and so does any change of a quorum.
//
// What fails does not stop the rest. Where a policy or a file has changed since
// [Plan], the error is a [*project.ChangedError]. Whenever the process ends, each
// file is the old one or the new one, and a second rekey does what was left.
//
// At any time a bounded number of bytes and of files is open. No project may be
// in jobs twice; in the order of jobs the projects are locked.
func Rekey(jobs []Job, done func(job, step int)) {
	var batch []*task
	memory := newBudget(bytesAtOnce)
	projects := 0
	for j := range jobs {
		first := true
		for i := range jobs[j].Steps {
			t := &task{job: j, step: i, vault: jobs[j].Vault, s: &jobs[j].Steps[i]}
			if !t.s.todo() {
				continue
			}
			if len(batch) == batchFiles || first && projects == batchProjects {
				rekeyBatch(batch, memory, done)
				batch, projects = nil, 0
				first = true
			}
			if first {
				projects++
				first = false
			}
			batch = append(batch, t)
		}
	}
	rekeyBatch(batch, memory, done)
}

// task is one step on its way through a rekey.
type task struct {
	job, step int
	vault     *Vault
	s         *Step
	staged    []*project.Staged
}

// size is how large the file is, as far as that can be known.
func (t *task) size() int64 {
	info, err := os.Stat(t.vault.Project.Path(t.s.Environment))
	if err != nil {
		return 0
	}
	return info.Size()
}

// rekeyBatch writes the tasks' new files beside the old ones, and then puts them
// in their place: the fsyncs of many files cost little more than that of one.
func rekeyBatch(batch []*task, memory *budget, done func(job, step int)) {
	locks := lockProjects(batch)
	each(len(batch), func(i int) {
		if t := batch[i]; t.s.Err == nil {
			defer memory.take(t.size())()
			t.staged, t.s.Err = t.vault.stage(locks[t.vault], t.s, "rekey")
		}
	})
	var mu sync.Mutex
	each(len(batch), func(i int) {
		t := batch[i]
		if t.s.Err == nil {
			t.s.Err = project.Commit(t.staged)
		}
		mu.Lock()
		defer mu.Unlock()
		done(t.job, t.step)
	})
	unlockProjects(batch, locks)
}

// lockProjects locks the projects of a batch, one after the other so that two
// rekeys of the same projects do not wait for each other. The tasks of one that
// cannot be locked fail.
func lockProjects(batch []*task) map[*Vault]*project.Lock {
	locks := make(map[*Vault]*project.Lock)
	failed := make(map[*Vault]error)
	for _, t := range batch {
		v := t.vault
		if locks[v] == nil && failed[v] == nil {
			if lock, err := v.Project.Lock(); err != nil {
				failed[v] = err
			} else {
				locks[v] = lock
			}
		}
		t.s.Err = failed[v]
	}
	return locks
}

// unlockProjects makes durable what was done, and fails the tasks where that does
// not work: their files are new all the same.
func unlockProjects(batch []*task, locks map[*Vault]*project.Lock) {
	vaults := slices.Collect(maps.Keys(locks))
	errs := make([]error, len(vaults))
	each(len(vaults), func(i int) { errs[i] = locks[vaults[i]].Close() })
	for _, t := range batch {
		if i := slices.Index(vaults, t.vault); t.s.Err == nil && i >= 0 {
			t.s.Err = errs[i]
		}
	}
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
func each(n int, work func(i int)) {
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

// budget is an amount of something that several goroutines share.
type budget struct {
	mu    sync.Mutex
	freed sync.Cond
	whole int64
	left  int64
}

func newBudget(whole int64) *budget {
	b := &budget{whole: whole, left: whole}
	b.freed.L = &b.mu
	return b
}

// take waits until n are left, or all for an n that is more than there is, and
// returns what gives them back.
func (b *budget) take(n int64) (giveBack func()) {
	n = min(n, b.whole)
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.left < n {
		b.freed.Wait()
	}
	b.left -= n
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.left += n
		b.freed.Broadcast()
	}
}
