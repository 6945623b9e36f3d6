package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"

	"envcrypt/crypt"
	"envcrypt/envfile"
	"envcrypt/internal/audit"
	"envcrypt/internal/environ"
	"envcrypt/internal/guard"
	"envcrypt/internal/keyring"
	"envcrypt/internal/launch"
	"envcrypt/internal/project"
	"envcrypt/internal/vault"
	"envcrypt/recipients"
)

// The exit codes of all commands but exec.
const (
	exitDone       = 0
	exitFailed     = 1
	exitUsage      = 2
	exitNoIdentity = 3
	exitDamaged    = 4
	exitFinding    = 5
	exitChanged    = 6
)

// exitExec is exec's code for every failure of its own, which lies outside the
// codes of ordinary commands.
const exitExec = 125

// exitNotFound is a shell's code for a command that it does not find.
const exitNotFound = 127

// report prints what went wrong with a command and returns the exit code.
func (a *app) report(command string, err error) int {
	if err == nil {
		return exitDone
	}
	if code, ok := asExit(err); ok {
		return code
	}
	code := a.complain(err)
	if command != execName {
		return code
	}
	var failed *launch.CommandError
	if errors.As(err, &failed) {
		return failed.Code
	}
	return exitExec
}

// complain prints an error and what to do about it, and returns its exit code.
func (a *app) complain(err error) int {
	r := a.explain(err)
	fmt.Fprintf(a.err, "%s: error: %s\n", programName, oneLine(r.message))
	for _, h := range r.hints {
		fmt.Fprintf(a.err, "%s: hint: %s\n", programName, oneLine(h))
	}
	return r.code
}

// oneLine keeps a message on its line and harmless, whatever names are in it.
func oneLine(s string) string {
	return strings.ReplaceAll(escapeControls(s), "\n", " ")
}

// explanation is an error in sentences.
type explanation struct {
	message string
	hints   []string
	code    int
}

func (a *app) explain(err error) explanation {
	r := explanation{message: err.Error(), code: exitFailed}
	hint := func(format string, args ...any) { r.hints = append(r.hints, fmt.Sprintf(format, args...)) }

	var (
		usage     *usageError
		unknown   *project.UnknownEnvironmentError
		policy    *project.PolicyError
		noProject *project.NotFoundError
		badID     *keyring.Error
		idFailed  *crypt.IdentityError
		none      *crypt.NoIdentityError
		opening   *vault.OpenError
		readers   *vault.ReadersError
		missing   *vault.MissingError
		changed   *project.ChangedError
		badFile   *project.FileError
		damage    *crypt.DamagedError
		seal      *crypt.SealError
		foreign   *crypt.UnsupportedError
		ask       *noTerminalError
		noKey     *noKeyError
		badValue  *valueError
		express   *envfile.ExpressError
		refused   *launch.RefusedError
		record    *vault.HistoryError
		config    *audit.ConfigError
		input     *inputError
		command   *launch.CommandError
		unlogged  *audit.RequiredError
		denied    *vault.DeniedError
		pattern   *guard.PatternError
		promotion *promotionError
		required  *vault.RequiredError
		choice    *project.ChoiceError
		plugin    *recipients.PluginNotAllowedError
		policyIs  *policyExistsError
	)
	environment := ""
	if errors.As(err, &opening) {
		environment = opening.Environment
	}
	switch {
	case a.explainEdit(&r, err):
	case errors.As(err, &usage):
		r.code = exitUsage
		if a.action != "" {
			hint(`"envcrypt %s --help" tells more`, a.action)
		} else {
			hint(`"envcrypt --help" lists the commands`)
		}
	case errors.As(err, &unknown):
		r.message, r.code = "unknown environment: "+showName(unknown.Name), exitUsage
		hint("%s has %s", project.PolicyName, strings.Join(unknown.Valid, ", "))
	case errors.As(err, &choice):
		r.code = exitUsage
		if !choice.Set {
			r.message += ": use -e ENV, or set " + choice.Variable
		}
	case errors.As(err, &policy):
		r.code = exitUsage
		hint("%s", policy.Fix)
	case errors.As(err, &noProject):
		r.code = exitUsage
		hint(`"envcrypt init" makes a project here; -C DIR names another place`)
		if slices.Contains([]string{execName, "get", "keys", "export"}, a.action) {
			hint("-f FILE works on one file, without a project")
		}
	case errors.As(err, &badID):
		r.code = exitNoIdentity
		switch {
		case badID.Exposed != "":
			hint("chmod 600 %s", shellQuote(badID.Exposed))
		case badID.Locked:
			hint("use an identity without a passphrase here, such as one in ENVCRYPT_IDENTITY_FILE")
		}
	case errors.As(err, &none):
		r.code = exitNoIdentity
		a.explainNoIdentity(&r, environment, none)
	case errors.As(err, &idFailed):
		r.code = exitNoIdentity
	case errors.As(err, &plugin):
		r.message = plugin.Error()
		hint("if you trust it, list it in your own %s: plugins = [%q]", environ.Config(a.env, "config.toml"), plugin.Name)
	case errors.As(err, &policyIs):
		hint("it is never overwritten: move it away first, or edit it")
	case errors.As(err, &readers):
		a.explainReaders(&r, readers)
	case errors.As(err, &input):
	case errors.As(err, &missing):
		if a.wasThere(missing.Path) {
			hint("it was there: git checkout -- %s", shellQuote(a.relative(missing.Path)))
		} else {
			hint(`"envcrypt init" makes the files that are missing`)
		}
	case errors.As(err, &changed):
		r.code = exitChanged
		switch {
		case a.kept, a.action == "edit": // which says how to get the text back
		case a.action == "rekey":
			hint("run the command again: it shows what is left, and does it")
		default:
			hint("run the command again; nothing was written")
		}
	case errors.As(err, &seal):
		r.code = exitDamaged
		explainSeal(&r, environment, seal)
	case errors.As(err, &damage):
		r.code = exitDamaged
		a.explainDamage(&r, opening, damage)
	case errors.As(err, &config):
		r.code = exitUsage
		hint("this is the machine's configuration: whoever looks after it can mend it")
	case errors.As(err, &unlogged):
		hint("nothing was read: mend the log, or ask whoever looks after this machine")
	case errors.As(err, &record):
		r.code = exitDamaged
		hint("keep the lines of both sides and delete the markers; merge=union in .gitattributes does that by itself")
	case errors.As(err, &foreign):
		r.code = exitDamaged
		hint("decrypt it with sops, or add an age key to it with sops first")
	case errors.Is(err, syscall.ENOSPC):
		hint("the disk is full; nothing was changed")
	case errors.As(err, &badFile):
		r.code = fileErrorCode(badFile)
	case errors.As(err, &ask) && ask.hidden:
		if a.action == "keygen" {
			hint("a key that a program uses is made without --passphrase")
		}
	case errors.As(err, &ask):
		hint("-y answers yes where nobody can be asked")
	case errors.As(err, &noKey):
		hint(`"envcrypt keys" lists what there is`)
		if a.action == "rotate" {
			hint(`"envcrypt set" makes new keys`)
		}
	case errors.As(err, &badValue):
		hint("%s", badValue.fix)
	case errors.As(err, &denied):
		r.code = exitFinding
		explainDenied(&r, denied)
	case errors.As(err, &pattern):
		r.message, r.code = project.PolicyName+": "+pattern.Error(), exitUsage
	case errors.As(err, &promotion):
		r.code = exitFinding
		hint("give the target a value of its own: envcrypt set KEY")
	case errors.As(err, &required):
		r.code = exitFinding
		hint("envcrypt set %s -e %s", required.Keys[0], required.Environment)
	case errors.As(err, &express):
		hint(`"--format json" and "--format shell" can express more`)
	case errors.As(err, &command):
		if command.Code == exitNotFound && project.ValidEnvironmentName(command.Name) {
			hint("an environment goes with -e: envcrypt exec -e ENV -- CMD")
		}
	case errors.As(err, &refused):
		hint("if that is meant, list it in %s under the environment: allow = [%q]", project.PolicyName, refused.Keys[0])
	case errors.Is(err, os.ErrExist):
		hint("it is never overwritten: choose another name, or move it away")
		if a.action == "keygen" {
			if own, _ := a.newKeyring().Public(); own != "" {
				hint("your public key is %s", own)
			}
		}
	}
	return r
}

// explainDamage says how to get a file back. Only an environment's is of
// envcrypt's making.
func (a *app) explainDamage(r *explanation, opening *vault.OpenError, damage *crypt.DamagedError) {
	hint := func(format string, args ...any) { r.hints = append(r.hints, fmt.Sprintf(format, args...)) }
	switch {
	case opening == nil && damage.Cause == crypt.CauseNotEncrypted:
		hint(`"envcrypt import" takes over the values of a plain file`)
	case opening == nil:
	case damage.Cause == crypt.CauseConflict:
		file := shellQuote(a.relative(opening.Path))
		hint("take one side: git checkout --ours %s", file)
		hint("and the other's values: git show :3:./%s | envcrypt import -e %s -", file, opening.Environment)
	case damage.Cause == crypt.CausePlain:
		hint(`bring back the last good version with git; "envcrypt set" and "envcrypt edit" change values`)
	default:
		hint("bring back the last good version, for example with git")
	}
}

// fileErrorCode tells a file that cannot be an environment's from what the
// system refuses: one that is not there or cannot be reached, a full disk.
func fileErrorCode(err *project.FileError) int {
	if err.Err != nil {
		return exitFailed
	}
	return exitDamaged
}

func (a *app) explainNoIdentity(r *explanation, environment string, none *crypt.NoIdentityError) {
	named := environment
	if environment == "" {
		environment = "the file"
	}
	readers := a.readerNames(environment, none.Recipients)
	switch {
	case none.Tried == 0:
		r.message = fmt.Sprintf("cannot open %s: no identity was found", environment)
	case none.Quorum > 1:
		r.message = fmt.Sprintf("cannot open %s: %s", environment, a.quorumMessage(named, none))
	case none.Tried == 1:
		r.message = fmt.Sprintf("cannot open %s: your key is not among its %s (%s)", environment, count(len(none.Recipients), "reader"), readers)
	default:
		r.message = fmt.Sprintf("cannot open %s: none of your %d keys is among its %s (%s)", environment, none.Tried, count(len(none.Recipients), "reader"), readers)
	}
	defer func() {
		if a.keys != nil {
			r.hints = append(r.hints, "tried: "+tale(a.keys))
		}
	}()
	switch {
	case none.Tried == 0 && a.keys != nil && refusedAny(a.keys):
		r.hints = append(r.hints, "mend the identity that was refused; -i FILE names another one")
		return
	case none.Tried == 0:
		r.hints = append(r.hints, `"envcrypt keygen" makes a key; -i FILE names one`)
		return
	}
	if slices.Contains(none.Opened, true) {
		r.hints = append(r.hints, "it takes keys of several people at once: -i FILE can stand more than once")
		return
	}
	switch {
	case a.amending != "":
		r.hints = append(r.hints, fmt.Sprintf(`nothing was changed: ask a reader (%s) to run "%s"`, readers, a.amending))
	case named != "":
		r.hints = append(r.hints, a.askForAccess(named, readers))
	}
}

// askForAccess says what somebody who cannot open an environment has to ask for.
func (a *app) askForAccess(environment, readers string) string {
	env, _ := a.policy.Environment(environment) // one that was opened: no error
	wanted, _ := a.policy.Recipients(environment)
	me := ""
	for _, public := range a.keys.Publics() {
		if slices.ContainsFunc(wanted, func(r recipients.Reader) bool { return r.Key.String() == public }) {
			return fmt.Sprintf(`ask a reader (%s) to run "envcrypt rekey %s"`, readers, environment)
		}
		if me == "" {
			me = a.policy.Directory.Owner(public)
		}
	}
	switch {
	case me == "":
		return fmt.Sprintf(`"envcrypt join" prints a line: ask a reader (%s) to run "envcrypt member accept" with it`, readers)
	case env.Quorum > 0:
		return fmt.Sprintf(`ask readers (%s) to add %s to the reader_groups of %s in %s, and to run "envcrypt rekey %s"`, readers, me, environment, project.PolicyName, environment)
	}
	return fmt.Sprintf(`ask a reader (%s) to run "envcrypt grant %s %s"`, readers, environment, me)
}

// readerNames names those whom a file is encrypted to.
func (a *app) readerNames(environment string, texts []string) string {
	const most = 8
	var names []string
	seen := make(map[string]bool)
	for _, text := range texts {
		name := recipients.Short(text)
		if a.policy != nil {
			if owner := a.policy.Directory.Owner(text); owner != "" {
				name = owner
			}
		}
		if !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	if len(names) > most {
		names = append(names[:most:most], "…")
	}
	return strings.Join(names, ", ")
}

// refusedAny tells whether a place held something that could not be used.
func refusedAny(k *keyring.Keyring) bool {
	return slices.ContainsFunc(k.Findings(), func(f keyring.Finding) bool { return f.State == keyring.Refused })
}

func (a *app) explainReaders(r *explanation, e *vault.ReadersError) {
	var parts []string
	for _, g := range e.Readers.Gained {
		parts = append(parts, g.Member+" is missing")
	}
	for _, text := range e.Readers.Lost {
		name := recipients.Short(text)
		if a.policy != nil {
			name = keyName(&a.policy.Directory, text)
		}
		parts = append(parts, name+" is one too many")
	}
	for _, m := range e.Readers.Moved {
		parts = append(parts, m.Member+" belongs to another group")
	}
	if e.Readers.Was != e.Readers.Is {
		parts = append(parts, shapeDifference(e.Readers))
	}
	if e.Readers.Reordered {
		parts = append(parts, "their order is another")
	}
	r.message = fmt.Sprintf("%s: %s", e.Error(), strings.Join(parts, ", "))
	r.hints = append(r.hints, fmt.Sprintf(`"envcrypt rekey %s" shows the difference and makes the file match the policy`, e.Environment))
}

// explainDenied says how to go on: with another value, or against the rule.
func explainDenied(r *explanation, e *vault.DeniedError) {
	for _, v := range e.Violations {
		if !v.Declared {
			r.hints = append(r.hints, fmt.Sprintf("if that is meant: --allow %s --reason TEXT", v.Rule))
			return
		}
	}
	r.hints = append(r.hints, fmt.Sprintf("%s declares what the value has to be", project.PolicyName))
}

func explainSeal(r *explanation, environment string, e *crypt.SealError) {
	if e.State == crypt.SealMisplaced {
		r.hints = append(r.hints, "somebody put it in the wrong place: bring back the right file, for example with git")
		return
	}
	if environment != "" {
		r.hints = append(r.hints, fmt.Sprintf(`"envcrypt seal %s" shows what is in it and asks whether to vouch for it`, environment))
	}
}
