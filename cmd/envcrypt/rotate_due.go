package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"envcrypt/crypt"
	"envcrypt/internal/history"
	"envcrypt/internal/vault"
)

// rotateFinish removes the old values whose overlap is over: all, or those of keys.
func (a *app) rotateFinish(keys []string) error {
	v, err := a.vault()
	if err != nil {
		return err
	}
	env, err := a.choose(v.Project.Policy, "")
	if err != nil {
		return err
	}
	over, err := a.overlapsOver(v, env.Name, keys)
	if err != nil {
		return err
	}
	if len(over) == 0 {
		a.notef("%s: no overlap is over", env.Name)
		return nil
	}
	op, err := a.begin(v.Project.Root, env.Name, over...)
	if err != nil {
		return err
	}
	if err := a.confirmWrite(env, "remove "+strings.Join(over, ", ")); err != nil {
		return err
	}
	var removed []string
	err = v.Change(env.Name, history.ActionRotate, func(doc *crypt.Document) (bool, error) {
		a.openedBy(op, doc)
		now, err := v.Rotation(env.Name) // somebody may have begun another one
		if err != nil {
			return false, err
		}
		for _, o := range now.Overlaps {
			if o.Due(a.now()) && slices.Contains(over, o.Key) && doc.Delete(o.Key) {
				removed = append(removed, o.Key)
			}
		}
		return len(removed) > 0 && !a.dryRun, nil
	})
	switch {
	case err != nil:
		return a.identityFailure(err)
	case a.dryRun:
		a.notef("would remove %s", strings.Join(removed, ", "))
	case len(removed) > 0:
		a.notef("removed %s", strings.Join(removed, ", "))
	}
	return nil
}

// overlapsOver are the keys with old values whose time is over, and says when that of the
// others is. A key that was asked for and has none is an error.
func (a *app) overlapsOver(v *vault.Vault, environment string, keys []string) ([]string, error) {
	rotation, err := v.Rotation(environment)
	if err != nil {
		return nil, err
	}
	var over, found []string
	for _, o := range rotation.Overlaps {
		asked := slices.Contains(keys, o.Of())
		if len(keys) > 0 && !asked {
			continue
		}
		found = append(found, o.Of())
		switch {
		case o.Due(a.now()):
			over = append(over, o.Key)
		case asked:
			return nil, &valueError{o.Of(), fmt.Sprintf("%s stays until %s", o.Key, shortTime(o.Until)),
				fmt.Sprintf(`"envcrypt unset %s -e %s" removes it at once`, o.Key, environment)}
		default:
			a.notef("%s stays until %s", o.Key, shortTime(o.Until))
		}
	}
	for _, key := range keys {
		if !slices.Contains(found, key) {
			return nil, fmt.Errorf("%s: no overlap is open in %s", key, environment)
		}
	}
	return over, nil
}

// dueKey is a line of "rotate --due".
type dueKey struct {
	Environment string    `json:"environment"`
	Key         string    `json:"key"`
	Why         string    `json:"why"`               // schedule, left or overlap
	Since       time.Time `json:"since,omitzero"`    // when the value was set, they left, the overlap ended
	AtLeast     bool      `json:"at_least,omitzero"` // the value is older than that
	Days        int       `json:"days,omitzero"`     // of the value's age
	Left        []string  `json:"left,omitempty"`

	text string
}

func (a *app) rotateDue() error {
	v, err := a.vault()
	if err != nil {
		return err
	}
	names, err := a.verifyNames(v, nil)
	if err != nil {
		return err
	}
	due := []dueKey{}
	for _, name := range names {
		found, err := a.dueKeys(v, name)
		var missing *vault.MissingError
		if errors.As(err, &missing) && a.environment == "" {
			continue // nothing is in it
		}
		if err != nil {
			return err
		}
		due = append(due, found...)
	}
	if a.json {
		err = a.printJSON(due)
	} else {
		err = a.showDue(due)
	}
	if err == nil && len(due) > 0 {
		return &exitError{code: exitFinding}
	}
	return err
}

// dueKeys are the keys of an environment that are to be rotated, by name.
func (a *app) dueKeys(v *vault.Vault, name string) ([]dueKey, error) {
	found, known, err := v.Due(name)
	if err != nil {
		return nil, err
	}
	if !known {
		a.warningf("%s has no history: nobody knows how old its values are, and who has left", name)
	}
	var due []dueKey
	for _, d := range found {
		row := dueKey{Environment: name, Key: d.Key, Why: string(d.Why), Since: d.Since, AtLeast: d.AtLeast, Days: int(d.Age / day), Left: d.Left}
		row.text = dueText(d)
		due = append(due, row)
	}
	return due, nil
}

const day = 24 * time.Hour

// showAge says an age, and how old a value may get: in days, where both are days.
func showAge(age, every time.Duration) string {
	switch {
	case every%day == 0 && age >= day:
		return fmt.Sprintf("%s, every %d", count(int(age/day), "day"), every/day)
	case every%time.Hour == 0:
		return fmt.Sprintf("%s, every %d", count(int(age/time.Hour), "hour"), every/time.Hour)
	}
	return fmt.Sprintf("%v, every %v", age.Truncate(time.Second), every)
}

func (a *app) showDue(due []dueKey) error {
	var table [][]string
	for _, d := range due {
		table = append(table, []string{d.Environment, d.Key + ": " + d.text})
	}
	return a.printTable(table)
}

// dueText says why a value is due.
func dueText(d vault.Due) string {
	switch {
	case d.Why == vault.ByLeaver && len(d.Left) > 0:
		return fmt.Sprintf("since %s, %s left", d.Since.Local().Format(time.DateOnly), strings.Join(d.Left, ", "))
	case d.Why == vault.ByLeaver:
		return "since " + d.Since.Local().Format(time.DateOnly) + ", somebody left"
	case d.Why == vault.ByOverlap:
		return "to be removed since " + shortTime(d.Since) + ": rotate --finish"
	case d.AtLeast:
		return "older than its history: " + showAge(d.Age, d.Every)
	}
	return showAge(d.Age, d.Every)
}
