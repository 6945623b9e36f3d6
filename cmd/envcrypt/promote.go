package main

import (
	"slices"
	"strings"

	"envcrypt/internal/history"
	"envcrypt/internal/project"
	"envcrypt/internal/vault"

	"github.com/urfave/cli/v2"
)

type promoteOptions struct {
	from, to string
	all      bool
}

func (a *app) promoteCommand() *cli.Command {
	var o promoteOptions
	return a.command(cli.Command{
		Usage:     "copy values from one environment to another",
		ArgsUsage: "KEY...",
		Description: `Copies values, and shows of each key whether it is new, changed or the same
there; no value is shown. The target's rules and types hold. Keys that are
declared unique, or with promote = false, are refused. With --all it copies
every key that the target does not have and that may be copied. The target's
history records where the values came from.

EXAMPLES:
   envcrypt promote FEATURE_URL --from staging --to production
   envcrypt promote --all --from development --to staging -n
   envcrypt promote API_URL API_VERSION --from staging --to production -y`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "from", Usage: "copy from `ENV`", Destination: &o.from},
			&cli.StringFlag{Name: "to", Usage: "copy to `ENV`", Destination: &o.to},
			&cli.BoolFlag{Name: "all", Usage: "every key that is missing there", Destination: &o.all},
			a.allowFlag(), a.reasonFlag(), a.yesFlag(), a.dryRunFlag(),
		},
	}, func(c *cli.Context) error {
		keys := c.Args().Slice()
		switch {
		case o.from == "" || o.to == "":
			return usagef("promote needs --from ENV and --to ENV")
		case o.from == o.to:
			return usagef("--from and --to are the same")
		case o.all == (len(keys) > 0):
			return usagef("promote takes KEYs, or --all")
		case !validKeys(keys):
			return errKeyName
		}
		return a.promote(keys, o)
	})
}

// once drops names that stood before.
func once(names []string) []string {
	var kept []string
	for _, name := range names {
		if !slices.Contains(kept, name) {
			kept = append(kept, name)
		}
	}
	return kept
}

// A promotionError refuses keys that must not be copied between environments.
type promotionError struct{ keys []string }

func (e *promotionError) Error() string {
	return strings.Join(e.keys, ", ") + ": declared unique or with promote = false, so never copied between environments"
}

func (a *app) promote(keys []string, o promoteOptions) error {
	v, err := a.vault()
	if err != nil {
		return err
	}
	target, err := v.Project.Policy.Environment(o.to)
	if err == nil {
		err = a.checkAllowed(target)
	}
	if err != nil {
		return err
	}
	keys = once(keys)
	from, err := a.promotionSource(v, o.from, keys)
	if err != nil {
		return err
	}
	to, _, err := a.openNoted(v, o.to, (*vault.Vault).Open, keys...)
	if err != nil {
		return err
	}
	if err := to.Writable(); err != nil {
		return err
	}
	if o.all {
		keys = promotable(v.Project.Policy, from, to)
	}
	if err := refusePromotion(v.Project.Policy, keys); err != nil {
		return err
	}
	changed, err := a.applyPromotion(from, to, keys)
	switch {
	case err != nil:
		return err
	case len(changed) == 0:
		a.notef("nothing to promote: %s has it all", o.to)
		return nil
	}
	v.Note.From = o.from
	if err := v.Refuse(to, to.Doc.Items()); err != nil {
		return err
	}
	if a.dryRun {
		return nil
	}
	if err := a.confirmWrite(to.Environment, "promote "+strings.Join(changed, ", ")+" from "+o.from); err != nil {
		return err
	}
	return v.Save(to, "promote")
}

// promotionSource opens where the values come from. What lies underneath it counts; plain
// values of the policy do not.
func (a *app) promotionSource(v *vault.Vault, name string, keys []string) (*source, error) {
	src, err := a.resolveIn(v, name, keys...)
	if err != nil {
		return nil, err
	}
	src.values = slices.DeleteFunc(src.values, func(value vault.Value) bool {
		if value.Origin.Plain && slices.Contains(keys, value.Key) {
			err = usagef("%s is a plain value of %s: write it there", value.Key, project.PolicyName)
		}
		return value.Origin.Plain
	})
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		if _, ok := src.get(key); !ok {
			return nil, &noKeyError{key: key, environment: name}
		}
	}
	return src, nil
}

// promotable are the keys that may be copied and that the target does not have.
func promotable(p *project.Policy, from *source, to *vault.Environment) []string {
	var keys []string
	for _, value := range from.values {
		if _, ok := to.Doc.Get(value.Key); !ok && mayPromote(p, value.Key) {
			keys = append(keys, value.Key)
		}
	}
	return keys
}

// mayPromote tells whether a key may be copied. An old value that a rotation keeps is as much
// its environment's own as the new one.
func mayPromote(p *project.Policy, key string) bool {
	for _, name := range []string{key, strings.TrimSuffix(key, history.PreviousSuffix)} {
		if d := p.Declaration(name); d != nil && (d.Unique || d.NoPromotion) {
			return false
		}
	}
	return true
}

func refusePromotion(p *project.Policy, keys []string) error {
	var refused []string
	for _, key := range keys {
		if !mayPromote(p, key) {
			refused = append(refused, key)
		}
	}
	if refused != nil {
		return &promotionError{keys: refused}
	}
	return nil
}

// applyPromotion sets the values in the target's document, and says what that changes.
func (a *app) applyPromotion(from *source, to *vault.Environment, keys []string) (changed []string, err error) {
	var table [][]string
	for _, key := range keys {
		value, _ := from.get(key)
		old, ok := to.Doc.Get(key)
		state := "changed"
		switch {
		case !ok:
			state = "new"
		case old == value:
			state = "same"
		}
		table = append(table, []string{key, state})
		if state == "same" {
			continue
		}
		changed = append(changed, key)
		if err := to.Doc.Set(key, value); err != nil {
			return nil, err
		}
	}
	return changed, a.printTable(table)
}
