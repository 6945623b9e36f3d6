package vault

import (
	"envcrypt/crypt"
	"envcrypt/internal/project"
)

// Value is a key as an environment's layers make it.
type Value struct {
	Key, Value string // where no file was opened, Value is that of a plain one alone
	Origin     Origin
}

// Origin is the layer that a value comes from.
type Origin struct {
	Environment string // "" for the plain values of all environments
	Plain       bool   // from the policy, not from an encrypted file
}

// layering puts layers over each other: what is put later wins, in the place of what it
// replaces.
type layering struct {
	values []Value
	index  map[string]int
}

func (l *layering) put(key, value string, origin Origin) {
	if i, ok := l.index[key]; ok {
		l.values[i] = Value{key, value, origin}
		return
	}
	l.index[key] = len(l.values)
	l.values = append(l.values, Value{key, value, origin})
}

func (l *layering) putVars(vars []project.Var, environment string) {
	for _, v := range vars {
		l.put(v.Name, v.Value, Origin{Environment: environment, Plain: true})
	}
}

// Resolve returns the values of an environment that has been opened, with those of the
// policy and of the environments that it inherits from: in this order, and the last wins,
// the policy's vars, and from the deepest environment on each one's vars and its file. The
// environments underneath are opened by open, which may be [Vault.Open].
func (v *Vault) Resolve(e *Environment, open func(name string) (*Environment, error)) ([]Value, error) {
	p := v.Project.Policy
	layers, err := p.Layers(e.Name)
	if err != nil {
		return nil, err
	}
	if len(layers) == 1 && len(p.Vars)+len(e.Vars) == 0 {
		return e.values(), nil
	}
	l := layering{index: make(map[string]int)}
	l.putVars(p.Vars, "")
	for _, layer := range layers {
		opened := e
		if layer.Name != e.Name {
			if opened, err = open(layer.Name); err != nil {
				return nil, err
			}
		}
		l.putVars(layer.Vars, layer.Name)
		for key, value := range opened.Doc.All() {
			l.put(key, value, Origin{Environment: layer.Name})
		}
	}
	return l.values, nil
}

// values are those of the file alone.
func (e *Environment) values() []Value {
	values := make([]Value, 0, e.Doc.Len())
	for key, value := range e.Doc.All() {
		values = append(values, Value{key, value, Origin{Environment: e.Name}})
	}
	return values
}

// ResolveNames is [Vault.Resolve] without an identity: it gives the names that the files
// have, which nobody has verified, and the plain values. The errors are those of
// [Vault.Read] and [crypt.Inspect].
func (v *Vault) ResolveNames(name string) ([]Value, error) {
	p := v.Project.Policy
	layers, err := p.Layers(name)
	if err != nil {
		return nil, err
	}
	l := layering{index: make(map[string]int)}
	l.putVars(p.Vars, "")
	for _, layer := range layers {
		l.putVars(layer.Vars, layer.Name)
		data, err := v.Read(layer.Name)
		if err != nil {
			return nil, err
		}
		summary, err := crypt.Inspect(data, crypt.Dotenv)
		if err != nil {
			return nil, &OpenError{Environment: layer.Name, Path: v.Project.Path(layer.Name), Err: err}
		}
		for _, key := range summary.Keys {
			l.put(key, "", Origin{Environment: layer.Name})
		}
	}
	return l.values, nil
}
