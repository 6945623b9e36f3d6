package project

import (
	"errors"
	"maps"
	"slices"

	"envcrypt/internal/tomltree"
	"envcrypt/recipients"
)

// Edit changes who is in a policy and who reads what. Its methods return the policy's
// new text, in which every byte stays that the change does not concern, and leave the
// Edit as it is. They refuse what would change nothing.
//
// A method does not judge the policy that results: it may leave an environment without
// a reader. [ParsePolicy] does, before the text is written. Where the policy is written
// in a form that cannot be changed, the error is a *[tomltree.FormError].
type Edit struct {
	text   []byte
	policy *Policy
}

// NewEdit returns an Edit of a policy's text; file is its name for errors. The error is
// a *[PolicyError].
func NewEdit(file string, text []byte) (*Edit, error) {
	policy, err := ParsePolicy(file, text)
	if err != nil {
		return nil, err
	}
	return &Edit{text: text, policy: policy}, nil
}

// Policy returns the policy as it was before the edit.
func (e *Edit) Policy() *Policy { return e.policy }

// AddMember adds a member with public keys, at least one, behind the other members. The
// comments become lines above it. The error is [ErrInvalidName],
// *[NameTakenError], *[InvalidKeyError] or *[KeyTakenError].
func (e *Edit) AddMember(name string, keys, comments []string) ([]byte, error) {
	if err := e.newName(name); err != nil {
		return nil, err
	}
	texts, err := e.newKeys(name, keys)
	if err != nil {
		return nil, err
	}
	return e.change(func(editor *tomltree.Editor) error {
		pair := tomltree.Pair{Name: "keys", Value: texts}
		return editor.AddTable([]string{"members", name}, []string{"members"}, comments, pair)
	})
}

// AddKeys adds public keys to a member. The error is an *[UnknownMemberError],
// *[InvalidKeyError] or *[KeyTakenError].
func (e *Edit) AddKeys(name string, keys ...string) ([]byte, error) {
	if err := e.members(name); err != nil {
		return nil, err
	}
	texts, err := e.newKeys(name, keys)
	if err != nil {
		return nil, err
	}
	return e.change(func(editor *tomltree.Editor) error {
		return editor.Append([]string{"members", name, "keys"}, texts...)
	})
}

// RemoveMember removes a member, also from every group and from what says who reads an
// environment. The error is an *[UnknownMemberError].
func (e *Edit) RemoveMember(name string) ([]byte, error) {
	if err := e.members(name); err != nil {
		return nil, err
	}
	return e.change(func(editor *tomltree.Editor) error {
		if err := editor.Remove([]string{"members", name}); err != nil {
			return err
		}
		return e.mentions(func(list []string) error { return editor.Drop(list, name) })
	})
}

// RenameMember gives a member another name wherever the policy has it. The error is an
// *[UnknownMemberError], [ErrInvalidName] or *[NameTakenError].
func (e *Edit) RenameMember(old, new string) ([]byte, error) {
	if err := e.members(old); err != nil {
		return nil, err
	}
	if err := e.newName(new); err != nil {
		return nil, err
	}
	return e.change(func(editor *tomltree.Editor) error {
		if err := editor.Rename([]string{"members", old}, new); err != nil {
			return err
		}
		return e.mentions(func(list []string) error { return editor.Replace(list, old, new) })
	})
}

// AddToGroup adds members to a group, which it makes if there is none. The error is an
// *[UnknownMemberError], [ErrInvalidName] or *[NameTakenError] for the group's
// name, or an *[InGroupError].
func (e *Edit) AddToGroup(group string, names ...string) ([]byte, error) {
	names = unique(names)
	members, exists := e.policy.Directory.Groups[group]
	if !exists {
		if err := e.newName(group); err != nil {
			return nil, err
		}
	}
	if err := e.members(names...); err != nil {
		return nil, err
	}
	if known := both(names, members); len(known) > 0 {
		return nil, &InGroupError{Group: group, Members: known}
	}
	return e.change(func(editor *tomltree.Editor) error {
		pair := tomltree.Pair{Name: group, Value: names}
		if exists {
			return editor.Append([]string{"groups", group}, names...)
		}
		err := editor.AddKey([]string{"groups"}, pair)
		if errors.Is(err, tomltree.ErrMissing) {
			return editor.AddTable([]string{"groups"}, []string{"members"}, nil, pair)
		}
		return err
	})
}

// RemoveFromGroup removes members from a group, which stays if it is empty then. The
// error is an *[UnknownGroupError], *[UnknownMemberError] or *[NotInGroupError].
func (e *Edit) RemoveFromGroup(group string, names ...string) ([]byte, error) {
	names = unique(names)
	members, exists := e.policy.Directory.Groups[group]
	if !exists {
		return nil, &UnknownGroupError{Name: group, Valid: sorted(e.policy.Directory.Groups)}
	}
	if err := e.members(names...); err != nil {
		return nil, err
	}
	if strangers := except(names, members); len(strangers) > 0 {
		return nil, &NotInGroupError{Group: group, Members: strangers}
	}
	return e.change(func(editor *tomltree.Editor) error {
		return editor.Drop([]string{"groups", group}, names...)
	})
}

// Grant makes members and groups readers of an environment. The error is an
// *[UnknownEnvironmentError], a *[recipients.UnknownReaderError], a *[ReadsError], or a
// *[ReaderGroupsError] where readers stand in reader_groups.
func (e *Edit) Grant(env string, names ...string) ([]byte, error) {
	names = unique(names)
	if err := e.readable(env, names); err != nil {
		return nil, err
	}
	if known := both(names, e.readers(env)); len(known) > 0 {
		return nil, &ReadsError{Environment: env, Readers: known}
	}
	if environment, _ := e.policy.Environment(env); len(environment.ReaderGroups) > 0 {
		return nil, &ReaderGroupsError{Environment: env}
	}
	return e.change(func(editor *tomltree.Editor) error {
		return editor.Append([]string{"environments", env, "readers"}, names...)
	})
}

// Revoke removes members and groups from the readers of an environment, also from those
// in reader_groups. The error is an *[UnknownEnvironmentError], a
// *[recipients.UnknownReaderError], a *[NotReaderError], or a *[ThroughGroupError] for a
// member who reads through groups only.
//
// A member who is named and in a group that reads as well still reads afterwards: see
// [Edit.Through].
func (e *Edit) Revoke(env string, names ...string) ([]byte, error) {
	names = unique(names)
	if err := e.readable(env, names); err != nil {
		return nil, err
	}
	strangers := except(names, e.readers(env))
	for _, name := range strangers {
		if groups := e.Through(env, name); len(groups) > 0 {
			return nil, &ThroughGroupError{Environment: env, Member: name, Groups: groups}
		}
	}
	if len(strangers) > 0 {
		return nil, &NotReaderError{Environment: env, Names: strangers}
	}
	return e.change(func(editor *tomltree.Editor) error {
		for _, list := range readerLists {
			if err := editor.Drop([]string{"environments", env, list}, names...); err != nil && !errors.Is(err, tomltree.ErrMissing) {
				return err
			}
		}
		return nil
	})
}

// Through returns the groups through which a member reads an environment, in the order
// of its readers.
func (e *Edit) Through(env, member string) []string {
	var groups []string
	for _, name := range e.readers(env) {
		if slices.Contains(e.policy.Directory.Groups[name], member) {
			groups = append(groups, name)
		}
	}
	return unique(groups)
}

// readerLists are the keys of an environment that say who reads it.
var readerLists = [...]string{"readers", "reader_groups"}

// readers returns the names of members and groups that read an environment.
func (e *Edit) readers(env string) []string {
	environment, _ := e.policy.Environment(env) // none has no readers
	return slices.Concat(environment.Readers, slices.Concat(environment.ReaderGroups...))
}

// mentions does something to every list that may have a member's name.
func (e *Edit) mentions(edit func(list []string) error) error {
	var lists [][]string
	for _, group := range sorted(e.policy.Directory.Groups) {
		lists = append(lists, []string{"groups", group})
	}
	for _, env := range e.policy.Environments {
		for _, list := range readerLists {
			lists = append(lists, []string{"environments", env.Name, list})
		}
	}
	for _, list := range lists {
		if err := edit(list); err != nil && !errors.Is(err, tomltree.ErrMissing) {
			return err
		}
	}
	return nil
}

func (e *Edit) change(edit func(*tomltree.Editor) error) ([]byte, error) {
	editor, err := tomltree.NewEditor(e.text)
	if err != nil {
		return nil, err
	}
	if err := edit(editor); err != nil {
		return nil, err
	}
	return editor.Text()
}

// readable sees to it that there is an environment, and that names could be its readers.
func (e *Edit) readable(env string, names []string) error {
	if _, err := e.policy.Environment(env); err != nil {
		return err
	}
	for _, name := range names {
		_, isMember := e.policy.Directory.Members[name]
		_, isGroup := e.policy.Directory.Groups[name]
		if !isMember && !isGroup {
			return &recipients.UnknownReaderError{Name: name}
		}
	}
	return nil
}

func (e *Edit) members(names ...string) error {
	for _, name := range names {
		if _, ok := e.policy.Directory.Members[name]; !ok {
			return &UnknownMemberError{Name: name, Valid: sorted(e.policy.Directory.Members)}
		}
	}
	return nil
}

// newName sees to it that a member or group can have a name.
func (e *Edit) newName(name string) error {
	if !ValidMemberName(name) {
		return ErrInvalidName
	}
	_, isMember := e.policy.Directory.Members[name]
	_, isGroup := e.policy.Directory.Groups[name]
	if isMember || isGroup {
		return &NameTakenError{Name: name, Group: isGroup}
	}
	return nil
}

// newKeys returns the canonical text of a member's new keys.
func (e *Edit) newKeys(name string, keys []string) ([]string, error) {
	owners := make(map[recipients.Key]string)
	for member, keys := range e.policy.Directory.Members {
		for _, key := range keys {
			owners[key] = member
		}
	}
	texts := make([]string, len(keys))
	for i, text := range keys {
		key, err := recipients.ParseKey(text)
		if err != nil {
			return nil, &InvalidKeyError{Index: i, Err: err}
		}
		if owner, taken := owners[key]; taken {
			return nil, &KeyTakenError{Key: key, Owner: owner}
		}
		owners[key] = name
		texts[i] = key.String()
	}
	return texts, nil
}

// unique returns names without repetitions, in their order.
func unique(names []string) []string {
	var result []string
	for _, name := range names {
		if !slices.Contains(result, name) {
			result = append(result, name)
		}
	}
	return result
}

func both(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return !slices.Contains(b, s) })
}

func except(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return slices.Contains(b, s) })
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
