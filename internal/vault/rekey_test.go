package vault

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"envcrypt/crypt"
)

// TestRekeyOfManyProjects goes over the bounds of a batch: each step is done once,
// and one project that fails does not stop the others.
func TestRekeyOfManyProjects(t *testing.T) {
	const projects, bad = batchProjects + 3, 5
	var jobs []Job
	places := make([]*place, projects)
	for i := range places {
		p := newPlace(t)
		places[i] = p
		p.policy("alice", "ci")
		jobs = append(jobs, Job{Vault: p.vault(p.alice), Steps: []Step{{Environment: "development"}, {Environment: "staging"}, {Environment: "nowhere"}}})
	}
	Plan(jobs)
	places[bad].policy("alice") // meanwhile
	before := places[bad].read("development")
	var done []string
	Rekey(jobs, func(job, step int) { done = append(done, fmt.Sprint(job, step)) })
	if slices.Sort(done); len(slices.Compact(done)) != projects {
		t.Errorf("%d steps were done, want one of each of %d projects", len(done), projects)
	}
	for i, p := range places {
		steps := jobs[i].Steps
		if failed := steps[0].Err != nil; failed != (i == bad) || steps[1].Err != nil || steps[2].Err == nil {
			t.Errorf("project %d: %v, %v, %v", i, steps[0].Err, steps[1].Err, steps[2].Err)
		}
		if _, err := p.vault(p.ci).Open("development"); (err != nil) != (i == bad) {
			t.Errorf("project %d: ci: %v", i, err)
		}
	}
	if string(before) != string(places[bad].read("development")) {
		t.Error("a project whose policy had changed was written")
	}
}

// A step remembers some of very many names, and how many there are.
func TestPlanKeepsFewKeys(t *testing.T) {
	p := newPlace(t)
	v := p.vault(p.alice)
	err := v.Change("development", "set", func(doc *crypt.Document) (bool, error) {
		var items []crypt.Item
		for i := range keysKept + 50 {
			items = append(items, crypt.Item{Key: fmt.Sprintf("KEY_%03d", i), Value: strings.Repeat("x", 10)})
		}
		return true, doc.Replace(items)
	})
	if err != nil {
		t.Fatal(err)
	}
	if s := v.Plan([]string{"development"})[0]; len(s.Keys) != keysKept || s.KeyCount != keysKept+50 || s.Keys[0] != "KEY_000" {
		t.Errorf("%d of %d keys", len(s.Keys), s.KeyCount)
	}
}

func TestBudget(t *testing.T) {
	const whole = 10
	b := newBudget(whole)
	var inUse atomic.Int64
	var group sync.WaitGroup
	for i := range 200 {
		group.Go(func() {
			n := int64(i % 15) // more than there is, too: that takes all
			giveBack := b.take(n)
			if now := inUse.Add(min(n, whole)); now > whole {
				t.Errorf("%d are taken", now)
			}
			inUse.Add(-min(n, whole))
			giveBack()
		})
	}
	group.Wait()
	if b.left != whole {
		t.Errorf("%d are left", b.left)
	}
}
