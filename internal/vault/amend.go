package vault

import (
	"errors"

	"envcrypt/internal/project"
)

// Amend writes the policy of a project that [project.Project.Amend] made and, in the same
// operation, encrypts the environments of steps to its readers; action is what the histories
// call that. All of it happens or, with an error, nothing: that of the first step which
// cannot be done, or those of [project.CommitAll]. Only a crash can come between the policy
// and a file, and then [Vault.Rekey] does the rest.
//
// steps are those of [Vault.Plan]. A file that has changed since gets a
// [*project.ChangedError].
func (v *Vault) Amend(action string, steps []Step) (err error) {
	lock, err := v.Project.Lock()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	policy, err := lock.StagePolicy(v.Project)
	if err != nil {
		return err
	}
	staged := make([][]*project.Staged, len(steps))
	each(len(steps), func(i int) {
		if steps[i].Err == nil && steps[i].Readers.Differ() {
			staged[i], steps[i].Err = v.stage(lock, &steps[i], action)
		}
	})
	all := []*project.Staged{policy}
	for i := range steps {
		all = append(all, staged[i]...)
		if err == nil {
			err = steps[i].Err
		}
	}
	if err != nil {
		for _, s := range all {
			s.Discard()
		}
		return err
	}
	return project.CommitAll(all)
}
