package vault

import (
	"fmt"
	"slices"

	"envcrypt/recipients"
)

// Readers compares whom a file is encrypted to with what the policy says.
type Readers struct {
	Gained    []recipients.Reader // in the policy, not in the file
	Lost      []string            // public keys in the file, not in the policy
	Moved     []recipients.Reader // in both, but in another group of a quorum
	Reordered bool                // the same, in another order
	Was, Is   Shape               // of the file, and of the policy
}

// Shape is in how many groups the readers of an environment are, and how many of the
// groups open it together: without a quorum, 1 of 1.
type Shape struct {
	Quorum, Groups int
}

func (s Shape) String() string {
	if s.Quorum == 1 {
		return "any one reader"
	}
	return fmt.Sprintf("%d of %d groups", s.Quorum, s.Groups)
}

// Differ tells whether a rekey has something to do.
func (r Readers) Differ() bool { return r.ChangeAccess() || r.Reordered }

// ChangeAccess tells whether a rekey would change who can open the file, or who is needed
// for it.
func (r Readers) ChangeAccess() bool {
	return len(r.Gained)+len(r.Lost)+len(r.Moved) > 0 || r.Was != r.Is
}

// equal tells whether the change that somebody agreed to is still the one to be made.
func (r Readers) equal(other Readers) bool {
	return slices.Equal(r.Gained, other.Gained) && slices.Equal(r.Lost, other.Lost) && slices.Equal(r.Moved, other.Moved) &&
		r.Reordered == other.Reordered && r.Was == other.Was && r.Is == other.Is
}

// A ReadersError stops a write: only a rekey may change whom a file is
// encrypted to.
type ReadersError struct {
	Environment string
	Readers     Readers
}

func (e *ReadersError) Error() string {
	return fmt.Sprintf("the recipients of %s differ from the policy's readers", e.Environment)
}

// Compare compares the groups of recipients that a file names, and how many of them open
// it, with the policy.
func (v *Vault) Compare(name string, have [][]string, quorum int) (Readers, error) {
	want, needed, err := v.Project.Policy.KeyGroups(name)
	if err != nil {
		return Readers{}, err
	}
	r := Readers{
		Was: Shape{Quorum: quorum, Groups: len(have)},
		Is:  Shape{Quorum: needed, Groups: len(want)},
	}
	r.Gained, r.Lost = recipients.Diff(slices.Concat(have...), slices.Concat(want...))
	if r.Was.Groups > 1 && r.Is.Groups > 1 {
		r.Moved = moved(have, want)
	}
	if !r.ChangeAccess() {
		r.Reordered = !slices.EqualFunc(have, want, func(texts []string, readers []recipients.Reader) bool {
			return slices.EqualFunc(texts, readers, func(text string, w recipients.Reader) bool { return text == w.Key.String() })
		})
	}
	return r, nil
}

// moved returns the readers who are not with those that they were with. A group of the
// policy is the one of the file from which the most of its readers are, so that
// groups in another order move nobody.
func moved(have [][]string, want [][]recipients.Reader) (readers []recipients.Reader) {
	from := make(map[string]int)
	for i, texts := range have {
		for _, text := range texts {
			from[recipients.Canonical(text)] = i
		}
	}
	taken := make([]bool, len(have))
	for _, group := range want {
		counts := make([]int, len(have))
		same := -1
		for _, r := range group {
			i, ok := from[r.Key.String()]
			if !ok || taken[i] {
				continue
			}
			if counts[i]++; same < 0 || counts[i] > counts[same] {
				same = i
			}
		}
		if same >= 0 {
			taken[same] = true
		}
		for _, r := range group {
			if i, ok := from[r.Key.String()]; ok && i != same {
				readers = append(readers, r)
			}
		}
	}
	return readers
}
