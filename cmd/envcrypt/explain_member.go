package main

import (
	"errors"
	"fmt"
	"strings"

	"envcrypt/internal/project"
	"envcrypt/internal/tomltree"
	"envcrypt/recipients"
)

// explainEdit puts what is wrong with a change of the policy into sentences. It tells
// whether err is about that.
func (a *app) explainEdit(r *explanation, err error) bool {
	hint := func(format string, args ...any) { r.hints = append(r.hints, fmt.Sprintf(format, args...)) }
	var (
		noMember *project.UnknownMemberError
		noGroup  *project.UnknownGroupError
		noReader *recipients.UnknownReaderError
		noKey    *publicKeyError
		badKey   *project.InvalidKeyError
		amend    *amendError
		taken    *project.NameTakenError
		keyTaken *project.KeyTakenError
		inGroup  *project.InGroupError
		outside  *project.NotInGroupError
		reads    *project.ReadsError
		stranger *project.NotReaderError
		through  *project.ThroughGroupError
		quorum   *project.ReaderGroupsError
		form     *tomltree.FormError
		join     *joinError
	)
	switch {
	case errors.Is(err, project.ErrInvalidName):
		r.code = exitUsage
	case errors.As(err, &noMember):
		r.message, r.code = "unknown member: "+showName(noMember.Name), exitUsage
		hint("members are %s", listed(noMember.Valid))
	case errors.As(err, &noGroup):
		r.message, r.code = "unknown group: "+showName(noGroup.Name), exitUsage
		if len(noGroup.Valid) > 0 {
			hint("groups are %s", listed(noGroup.Valid))
		}
		hint(`"envcrypt group add" makes a new one`)
	case errors.As(err, &noReader):
		r.message, r.code = "neither a member nor a group: "+showName(noReader.Name), exitUsage
		hint(`"envcrypt member list" lists the members; "envcrypt member add" and "envcrypt member accept" add one`)
	case errors.As(err, &noKey):
		r.code = exitUsage
		if noKey.fix != "" {
			hint("%s", noKey.fix)
		}
	case errors.As(err, &badKey):
		r.code = exitUsage
	case errors.As(err, &join):
		r.code = exitUsage
		hint(`it is one line: envcrypt-join v1 NAME KEY, as "envcrypt join" prints it`)
	case errors.As(err, &amend):
		if env := amend.policy.Unread; env != "" {
			hint("make somebody else a reader first: envcrypt grant %s NAME", env)
			return true
		}
		hint("%s", amend.policy.Fix)
	case errors.As(err, &taken):
		if !taken.Group && a.action == "member add" {
			hint("to give them another key: envcrypt member add %s KEY --add-key", taken.Name)
			return true
		}
		hint("choose another name")
	case errors.As(err, &keyTaken):
		hint(`each key belongs to one member; "envcrypt member rename" changes a name`)
	case errors.As(err, &through):
		hint("take them out of the group: envcrypt group remove %s %s", through.Groups[0], through.Member)
		hint("or name the others one by one: envcrypt grant %s NAME..., then envcrypt revoke %s %s",
			through.Environment, through.Environment, strings.Join(through.Groups, " "))
	case errors.As(err, &quorum):
		hint(`write the name into one of its reader_groups, or into a group that is in one ("envcrypt group add"); then: envcrypt rekey %s`, quorum.Environment)
	case errors.As(err, &form):
		r.message = project.PolicyName + ": " + form.Error()
		hint("change it by hand; then: envcrypt rekey --all")
	case errors.As(err, &inGroup), errors.As(err, &outside), errors.As(err, &reads), errors.As(err, &stranger):
		hint(`"envcrypt member list" and "envcrypt access" show how it is`)
	default:
		return false
	}
	return true
}
