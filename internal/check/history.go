package check

import (
	"fmt"
	"strings"
	"time"

	"envcrypt/internal/project"
	"envcrypt/internal/vault"
)

// history looks at an environment's record of writes, and at what it says of the values that
// are due. It needs no identity.
func (c *Checker) history(env project.Environment) {
	_, problems, err := c.Vault.History(env.Name)
	if err != nil {
		c.add(HistoryBroken, Error, inHistory(env.Name, 0), "bring back the last good version, for example with git", "%v", err)
		return
	}
	for _, p := range problems {
		c.add(HistoryBroken, Error, inHistory(env.Name, p.Line), p.Kind.Hint(), "%s: %s", p.Kind, p.Text)
	}
	due, _, err := c.Vault.Due(env.Name)
	if err != nil {
		return // the file cannot be read, which is a finding of its own
	}
	for _, d := range due {
		c.due(env, d)
	}
}

func (c *Checker) due(env project.Environment, d vault.Due) {
	place := inFile(env.Name)
	place.key = d.Key
	rotate := fmt.Sprintf("envcrypt rotate %s -e %s", d.Key, env.Name)
	since := d.Since.Local().Format(time.DateOnly)
	switch d.Why {
	case vault.BySchedule:
		const day = 24 * time.Hour
		age := fmt.Sprintf("%d days", d.Age/day)
		if d.Age < 2*day {
			age = d.Age.Truncate(time.Minute).String()
		}
		if d.AtLeast {
			age = "at least " + age
		}
		c.add(RotationOverdue, Error, place, rotate, "%s of %s is %s old, and declared to be rotated sooner", d.Key, env.Name, age)
	case vault.ByLeaver:
		left := strings.Join(d.Left, ", ")
		if left == "" {
			left = "somebody"
		}
		c.add(KnownToLeaver, Error, place, "give it a new value at its source: "+rotate,
			"%s could read %s of %s until %s, and it is still in use", left, d.Key, env.Name, since)
	case vault.ByOverlap:
		c.add(OverlapEnded, Error, place, "envcrypt rotate --finish -e "+env.Name, "%s of %s keeps an old value whose overlap ended on %s", d.Key, env.Name, since)
	}
}
