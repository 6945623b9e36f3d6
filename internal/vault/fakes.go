package vault

import (
	"envcrypt/internal/guard"
	"envcrypt/internal/project"
)

// Fakes are made-up values for the declared keys and those of some environments, in the order
// of the policy and of the files. The policy's plain values are as they are, but for what
// looks like a secret there. It needs no identity. unfit is told of each key whose made-up
// value is not what its declaration wants. The errors are those of [Vault.ResolveNames].
func (v *Vault) Fakes(names []string, unfit func(key string)) ([]Value, error) {
	f := faker{policy: v.Project.Policy, unfit: unfit, seen: make(map[string]bool)}
	plain := make(map[string]Value)
	resolved := make([][]Value, len(names))
	for i, name := range names {
		var err error
		if resolved[i], err = v.ResolveNames(name); err != nil {
			return nil, err
		}
		for _, value := range resolved[i] {
			if value.Origin.Plain {
				plain[value.Key] = value
			}
		}
	}
	for _, d := range f.policy.Keys {
		value, ok := plain[d.Name]
		if !ok {
			value = Value{Key: d.Name}
		}
		f.add(value, names[0])
	}
	for i, name := range names {
		for _, value := range resolved[i] {
			f.add(value, name)
		}
	}
	return f.values, nil
}

// faker collects made-up values, each key once.
type faker struct {
	policy *project.Policy
	unfit  func(key string)
	seen   map[string]bool
	values []Value
}

func (f *faker) add(value Value, environment string) {
	if f.seen[value.Key] {
		return
	}
	f.seen[value.Key] = true
	if !value.Origin.Plain || guard.LooksSecret(value.Key, value.Value) {
		var fits bool
		if value.Value, fits = guard.Fake(f.policy.Declaration(value.Key), value.Key, environment); !fits {
			f.unfit(value.Key)
		}
	}
	f.values = append(f.values, value)
}
