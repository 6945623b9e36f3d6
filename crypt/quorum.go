package crypt

import (
	"errors"
	"fmt"
	"slices"

	"github.com/getsops/sops/v3/shamir"
)

// groupsLimit is how many groups a document can have: Shamir's scheme in GF(2^8) has
// no more points.
const groupsLimit = 255

// An Audience is whom a document is encrypted to: groups of recipients, of which Quorum
// together open it, each by any one of its recipients. One group has a quorum of 1;
// [AnyOf] makes that. Several are what SOPS calls key groups, with a quorum of 2 or more.
type Audience struct {
	Groups [][]Recipient
	Quorum int
}

// AnyOf returns the audience of which each member opens a document alone.
func AnyOf(to ...Recipient) Audience {
	return Audience{Groups: [][]Recipient{to}, Quorum: 1}
}

func (to Audience) check() error {
	groups := make([][]string, len(to.Groups))
	for i, g := range to.Groups {
		if len(g) == 0 {
			return errors.New("no recipient to encrypt to")
		}
		for _, r := range g {
			groups[i] = append(groups[i], r.Text)
		}
	}
	switch n := len(groups); {
	case n == 0:
		return errors.New("no recipient to encrypt to")
	case n == 1 && to.Quorum == 1:
		return nil
	case n > groupsLimit:
		return fmt.Errorf("%d groups of recipients instead of %d at most", n, groupsLimit)
	case to.Quorum < 2 || to.Quorum > n:
		return fmt.Errorf("a quorum of %d is impossible with groups numbering %d", to.Quorum, n)
	}
	if i, j, ok := overlap(groups); ok {
		return fmt.Errorf("groups %d and %d share a recipient", i, j)
	}
	return nil
}

// overlap finds two groups that have a recipient in common, who would count twice.
func overlap(groups [][]string) (i, j int, found bool) {
	in := make(map[string]int)
	for j, g := range groups {
		for _, r := range g {
			if i, ok := in[r]; ok && i != j {
				return i, j, true
			}
			in[r] = j
		}
	}
	return 0, 0, false
}

// group is the recipients of whom any one opens the data key, or its part of it.
type group struct {
	stanzas []stanza
	other   []string // of otherKinds, those that the group also has
}

func (g *group) recipients() []string {
	texts := make([]string, 0, len(g.stanzas))
	for _, s := range g.stanzas {
		texts = append(texts, s.recipient)
	}
	return texts
}

// sameGroups tells whether groups are those of to, in its order.
func sameGroups(groups []group, to Audience) bool {
	return slices.EqualFunc(groups, to.Groups, func(g group, want []Recipient) bool {
		return slices.EqualFunc(g.stanzas, want, func(s stanza, r Recipient) bool { return s.recipient == r.Text })
	})
}

// partSize is how long a group's part of the data key is: a part of several ends in the
// point of Shamir's polynomials that it stands for.
func partSize(quorum int) int {
	if quorum == 1 {
		return dataKeySize
	}
	return dataKeySize + shamir.ShareOverhead
}

// splitDataKey makes a part of the data key for each group, as SOPS does.
func splitDataKey(dataKey []byte, groups, quorum int) ([][]byte, error) {
	if quorum == 1 {
		return [][]byte{dataKey}, nil
	}
	return shamir.Split(dataKey, groups, quorum)
}

// combineParts makes the data key of as many parts, each of partSize, as it takes.
func combineParts(parts [][]byte) ([]byte, error) {
	if len(parts) == 1 {
		return parts[0], nil
	}
	seen := map[byte]bool{0: true} // at 0 lies the data key itself: a quorum in name only
	for _, part := range parts {
		point := part[len(part)-1]
		if seen[point] {
			return nil, damaged(0, "", "the parts of its data key do not belong together")
		}
		seen[point] = true
	}
	key, err := shamir.Combine(parts)
	if err != nil || len(key) != dataKeySize {
		return nil, damaged(0, "", "the parts of its data key cannot be combined")
	}
	return key, nil
}
