package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"envcrypt/internal/project"
)

func (a *app) memberAccept(args []string, o memberOptions) error {
	v, err := a.vault()
	if err != nil {
		return err
	}
	text, err := a.joinText(args)
	if err != nil {
		return err
	}
	name, key, err := parseJoin(text)
	if err != nil {
		return err
	}
	a.notef("%s has the key %s", name, key)
	doubt := fmt.Sprintf("compare the key with %s over another channel. Is it theirs?", name)
	if similar := doubtName(&v.Project.Policy.Directory, name); similar != "" {
		doubt = similar + " " + doubt
	}
	if err := a.amend(v, amendment{action: a.action, names: []string{"LINE"}, edits: newMember(name, &memberKeys{texts: []string{key}}, o), doubt: doubt}); err != nil {
		return err
	}
	a.hintNext(name, o)
	return nil
}

// joinText is what "envcrypt join" has printed: the line itself, in one argument or in
// several, a file with it, or standard input.
func (a *app) joinText(args []string) (string, error) {
	switch {
	case strings.HasPrefix(strings.TrimSpace(args[0]), joinMark):
		return strings.Join(args, " "), nil
	case len(args) > 1:
		return "", usagef("member accept takes one line of envcrypt join, one file with it, or -")
	case args[0] == "-":
		text, ok, err := a.pipedText(2 * keysSizeLimit)
		if err == nil && !ok {
			err = usagef("standard input has no line of envcrypt join: it is neither a pipe nor a file")
		}
		return text, err
	}
	data, err := project.ReadFile(args[0], 2*keysSizeLimit)
	if errors.Is(err, os.ErrNotExist) {
		return "", &joinError{"neither a line of envcrypt join nor a file that is there"}
	}
	return string(data), err
}
