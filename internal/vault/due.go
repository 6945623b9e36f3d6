package vault

import (
	"cmp"
	"slices"
	"time"

	"envcrypt/crypt"
	"envcrypt/internal/history"
)

// Due is a value that is to be replaced or removed.
type Due struct {
	Key        string
	Why        Why
	Since      time.Time     // when the value was set, they left, or the overlap ended
	AtLeast    bool          // the value is older than Since, which is when its history begins
	Age, Every time.Duration // by the schedule
	Left       []string      // who could read it, cut short if there were very many
}

// Why a value is due.
type Why string

const (
	BySchedule Why = "schedule" // it is older than its declaration allows
	ByLeaver   Why = "left"     // somebody could read it who must not any more
	ByOverlap  Why = "overlap"  // it is an old one whose time is over
)

// Due returns which values of an environment are due at v.Now, by key. It needs no identity:
// it believes the history, and the names in the file. known is false if there are keys and no
// history, so that nobody knows.
func (v *Vault) Due(name string) (due []Due, known bool, err error) {
	data, err := v.Read(name)
	if err != nil {
		return nil, false, err
	}
	summary, err := crypt.Inspect(data, crypt.Dotenv)
	if err != nil {
		return nil, false, &OpenError{Environment: name, Path: v.Project.Path(name), Err: err}
	}
	rotation, err := v.Rotation(name)
	if err != nil {
		return nil, false, err
	}
	there := make(map[string]bool)
	for _, key := range summary.Keys {
		there[key] = true
	}
	if rotation.Begin.IsZero() && len(there) > 0 {
		return nil, false, nil
	}
	due = v.overSchedule(rotation)
	for _, m := range rotation.Marks {
		due = append(due, Due{Key: m.Key, Why: ByLeaver, Since: m.Records[0].Time, Left: whoLeft(m)})
	}
	for _, o := range rotation.Overlaps {
		if o.Due(v.Now()) {
			due = append(due, Due{Key: o.Key, Why: ByOverlap, Since: o.Until})
		}
	}
	due = slices.DeleteFunc(due, func(d Due) bool { return !there[d.Key] })
	slices.SortStableFunc(due, func(x, y Due) int { return cmp.Compare(x.Key, y.Key) })
	return due, true, nil
}

// overSchedule are the declared keys whose values are older than the policy wants. What the
// history does not know is older than the history.
func (v *Vault) overSchedule(rotation history.Rotation) []Due {
	changes := make(map[string]time.Time)
	for _, c := range rotation.Changes {
		changes[c.Key] = c.Record.Time
	}
	var due []Due
	for _, d := range v.Project.Policy.Keys {
		since, known := changes[d.Name]
		if !known {
			since = rotation.Begin
		}
		if age := v.Now().Sub(since); d.Rotate > 0 && age >= d.Rotate {
			due = append(due, Due{Key: d.Name, Why: BySchedule, Since: since, AtLeast: !known, Age: age, Every: d.Rotate})
		}
	}
	return due
}

// whoLeft names those who could read a value, without end if there were very many.
func whoLeft(m history.Mark) []string {
	const most = 8
	var names []string
	for _, r := range m.Records {
		for _, name := range r.Readers.Lost {
			switch {
			case slices.Contains(names, name):
			case len(names) == most:
				return append(names, "…")
			default:
				names = append(names, name)
			}
		}
	}
	return names
}
