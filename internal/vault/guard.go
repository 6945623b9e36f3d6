package vault

import (
	"fmt"
	"slices"
	"strings"

	"envcrypt/crypt"
	"envcrypt/internal/guard"
)

// A DeniedError refuses values that are not what their declarations say, or that the guard
// rules of an environment deny. It holds no value.
type DeniedError struct {
	Environment string
	Violations  []guard.Violation
}

func (e *DeniedError) Error() string {
	texts := make([]string, len(e.Violations))
	for i, v := range e.Violations {
		texts[i] = v.String()
	}
	return fmt.Sprintf("refused for %s: %s", e.Environment, strings.Join(texts, "; "))
}

// Refuse returns a [*DeniedError] if one of the values that items would add to an environment
// or change in it is refused, and the error of a rule that cannot be read. Every write of
// values asks the same; it is there to be asked before a person is.
func (v *Vault) Refuse(e *Environment, items []crypt.Item) error {
	_, err := v.refuse(e, items, Diff(e.Before, items))
	return err
}

// refuse also names the guard rules that would have refused, and that v.Allow overrides.
func (v *Vault) refuse(e *Environment, items []crypt.Item, d Changes) (overridden []string, err error) {
	g := guard.New(v.Project.Policy, e.Environment)
	denied := &DeniedError{Environment: e.Name}
	written := make(map[string]bool, len(d.Added)+len(d.Changed))
	for _, key := range slices.Concat(d.Added, d.Changed) {
		written[key] = true
	}
	if len(written) == 0 {
		return nil, nil
	}
	for _, it := range items {
		if it.Kind != crypt.Entry || !written[it.Key] {
			continue
		}
		violations, err := g.Check(it.Key, it.Value)
		if err != nil {
			return nil, err
		}
		for _, violation := range violations {
			if !violation.Declared && slices.Contains(v.Allow, violation.Rule) {
				overridden = append(overridden, violation.Rule)
				continue
			}
			denied.Violations = append(denied.Violations, violation)
		}
	}
	if len(denied.Violations) > 0 {
		return nil, denied
	}
	return overridden, nil
}
