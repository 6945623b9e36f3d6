package vault

import (
	"fmt"
	"slices"
	"strings"

	"envcrypt/internal/guard"
)

// RefuseUse returns a [*DeniedError] if the guard rules of an environment deny one of the
// values that a program is about to get, and otherwise the rules of v.Allow that were
// overridden. What somebody put into a file with another tool does not get past it.
func (v *Vault) RefuseUse(name string, values []Value) (overridden []string, err error) {
	env, err := v.Project.Policy.Environment(name)
	if err != nil {
		return nil, err
	}
	g := guard.New(v.Project.Policy, env)
	denied := &DeniedError{Environment: name}
	for _, value := range values {
		violations, err := g.CheckRules(value.Key, value.Value)
		if err != nil {
			return nil, err
		}
		for _, violation := range violations {
			switch {
			case !slices.Contains(v.Allow, violation.Rule):
				denied.Violations = append(denied.Violations, violation)
			case !slices.Contains(overridden, violation.Rule):
				overridden = append(overridden, violation.Rule)
			}
		}
	}
	if len(denied.Violations) > 0 {
		return nil, denied
	}
	return overridden, nil
}

// A RequiredError names the keys that an environment must have, and has not.
type RequiredError struct {
	Environment string
	Keys        []string
}

func (e *RequiredError) Error() string {
	return fmt.Sprintf("required in %s, and missing: %s", e.Environment, strings.Join(e.Keys, ", "))
}

// Required returns a [*RequiredError] if values lack keys that the policy declares to be
// required in an environment.
func (v *Vault) Required(name string, values []Value) error {
	have := make(map[string]bool, len(values))
	for _, value := range values {
		have[value.Key] = true
	}
	missing := &RequiredError{Environment: name}
	for _, d := range v.Project.Policy.Keys {
		if d.IsRequired(name) && !have[d.Name] {
			missing.Keys = append(missing.Keys, d.Name)
		}
	}
	if missing.Keys != nil {
		return missing
	}
	return nil
}
