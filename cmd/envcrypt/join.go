package main

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"strings"

	"envcrypt/internal/project"
	"envcrypt/internal/vault"
	"envcrypt/recipients"

	"github.com/urfave/cli/v2"
)

func (a *app) joinCommand() *cli.Command {
	var patch bool
	return a.command(cli.Command{
		Usage:     "ask to become a member: print the line to send",
		ArgsUsage: "[NAME]",
		Description: `For somebody new, in a clone of the repository: finds your key, or makes one,
and prints one line with your name and your public key, to be sent to a member,
who runs "envcrypt member accept". Nothing in it is secret, but nobody may change
it on its way: compare the key with them over another channel. With --patch, it
prints a patch of envcrypt.toml instead, for "git apply", or to be accepted the
same way. The private key stays where it is.

EXAMPLES:
   envcrypt join
   envcrypt join alice
   envcrypt join alice --patch > alice.patch`,
		Flags: []cli.Flag{&cli.BoolFlag{Name: "patch", Usage: "print a patch of envcrypt.toml", Destination: &patch}},
	}, func(c *cli.Context) error {
		if err := refusePrivate(c.Args().Slice()); err != nil {
			return err
		}
		args, err := arguments(c, 0, 1)
		if err != nil {
			return err
		}
		name := a.memberName()
		if len(args) > 0 {
			name = args[0]
		}
		return a.join(name, patch)
	})
}

func (a *app) join(name string, patch bool) error {
	v, err := a.vault()
	if err != nil {
		return err
	}
	if !project.ValidMemberName(name) {
		return project.ErrInvalidName // before a key is made
	}
	key, err := a.ownKey()
	if err != nil {
		return err
	}
	if me := v.Project.Policy.Directory.Owner(key); me != "" {
		a.notef("you are a member already: %s", me)
		a.hintf(`"envcrypt access whoami" says what your key opens; a member can run "envcrypt group add GROUP %s"`, me)
		return nil
	}
	edit, err := project.NewEdit(project.PolicyName, v.Project.Text())
	if err != nil {
		return err
	}
	text, err := edit.AddMember(name, []string{key}, nil) // also for a line alone: it must be acceptable
	var taken *project.NameTakenError
	if errors.As(err, &taken) {
		return usagef("%s is taken: choose another name, as in \"envcrypt join %s-2\"; or ask a member to run: envcrypt member add %s '%s' --add-key", name, name, name, key)
	}
	if err != nil {
		return err
	}
	out := joinLine(name, key)
	if patch {
		file, err := a.patchPath(v)
		if err != nil {
			return err
		}
		out += "\n" + unifiedDiff(file, string(v.Project.Text()), string(text))
	}
	if _, err := fmt.Fprint(a.out, out); err != nil {
		return err
	}
	a.hintf("send this to a member who can read what you need; they run: envcrypt member accept LINE --group GROUP")
	a.hintf("and compare the key with them over another channel, such as the telephone: %s", recipients.Short(key))
	return nil
}

// patchPath is where the policy lies in the repository.
func (a *app) patchPath(v *vault.Vault) (string, error) {
	prefix, _ := a.git(v.Project.Root, "rev-parse", "--show-prefix").Output() // none without git
	file := path.Join(strings.TrimSuffix(string(prefix), "\n"), project.PolicyName)
	if escapeControls(file) != file || strings.ContainsAny(file, "\"\\\n\t") {
		return "", errors.New("the project's path has characters that a patch cannot have: use envcrypt join without --patch")
	}
	return filepath.ToSlash(file), nil
}

const joinMark = "envcrypt-join"

func joinLine(name, key string) string { return fmt.Sprintf("%s v1 %s %s\n", joinMark, name, key) }

// A joinError says what is wrong with a line of "envcrypt join". It does not have the line.
type joinError struct{ problem string }

func (e *joinError) Error() string { return e.problem }

// parseJoin finds the one line of "envcrypt join" in a text, which nobody has vouched for.
func parseJoin(text string) (name, key string, err error) {
	var fields []string
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] != joinMark {
			continue
		}
		if fields != nil {
			return "", "", &joinError{"there is more than one line of envcrypt join"}
		}
		fields = words
	}
	const least, most = 4, 5 // an SSH key is two words
	switch {
	case recipients.LooksPrivate(text):
		return "", "", &publicKeyError{
			problem: "it holds a private key",
			fix:     "whoever sent it has to make a new key, and must not send it to anybody: envcrypt keygen",
		}
	case fields == nil:
		return "", "", &joinError{"this is no line of envcrypt join"}
	case len(fields) > 1 && fields[1] != "v1":
		return "", "", &joinError{"the line is of another version of envcrypt join"}
	case len(fields) < least || len(fields) > most:
		return "", "", &joinError{"the line of envcrypt join is not whole, or has too much in it"}
	case !project.ValidMemberName(fields[2]):
		return "", "", project.ErrInvalidName
	}
	parsed, err := recipients.ParseKey(strings.Join(fields[3:], " "))
	if err != nil || parsed.String() != strings.Join(fields[3:], " ") {
		return "", "", &joinError{"the key in the line of envcrypt join is damaged, or of a kind that cannot be used"}
	}
	return fields[2], parsed.String(), nil
}
