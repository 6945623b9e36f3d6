// Package launch turns the calling process into a command that has an
// environment's values among its variables.
//
// It decides which variables the command gets and refuses the names that would
// make a variable run code. It decrypts nothing and asks nothing.
package launch

import (
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"runtime"
	"slices"
	"strings"
)

// Options says how [Environ] merges.
type Options struct {
	Only     []string // if not nil, the only names taken from the values
	Keep     []string // names for which the inherited variable wins
	Pristine bool     // inherit nothing but the names of Keep
	Allow    []string // names that are passed although they are dangerous
	Variable string   // set to Name, "" for none
	Name     string   // the environment's name
}

// A RefusedError names the keys that may not become variables.
type RefusedError struct{ Keys []string }

func (e *RefusedError) Error() string {
	return fmt.Sprintf("%s can make a program run code or talk to somebody else", strings.Join(e.Keys, ", "))
}

// A TooLargeError says that a variable, or the set of all, is over what the
// system hands to a program.
type TooLargeError struct {
	Key   string // the offending key, or the largest of the set
	Size  int    // of its value, in bytes
	Limit int    // in bytes; 0 where the whole set is too large
}

func (e *TooLargeError) Error() string {
	if e.Limit == 0 {
		return fmt.Sprintf("the variables are together over the system's limit; the largest is %s with %d bytes", e.Key, e.Size)
	}
	return fmt.Sprintf("%s has %d bytes: the system takes %d in one variable", e.Key, e.Size, e.Limit)
}

// A MissingError names keys that were asked for and are not there.
type MissingError struct{ Keys []string }

func (e *MissingError) Error() string { return "no value for " + strings.Join(e.Keys, ", ") }

// variableLimit is Linux's MAX_ARG_STRLEN: "KEY=value" with its NUL, in bytes.
const variableLimit = 128 << 10

// Environ returns the command's environment: inherited with the values on top,
// without anything that can hold an identity. Values are pairs of a name and a
// value in their order. The errors are [*RefusedError], [*TooLargeError] and
// [*MissingError].
func Environ(inherited []string, values [][2]string, o Options) ([]string, error) {
	if o.Only != nil {
		var err error
		if values, err = pick(values, o.Only); err != nil {
			return nil, err
		}
	}
	kept := keptVariables(inherited, o.Keep)
	if err := check(values, kept, o.Allow); err != nil {
		return nil, err
	}
	replaced := make(map[string]bool, len(values)+1)
	for _, v := range values {
		if !kept[fold(v[0])] {
			replaced[fold(v[0])] = true
		}
	}
	if o.Variable != "" {
		replaced[fold(o.Variable)] = true
	}
	env := make([]string, 0, len(inherited)+len(values)+1)
	for _, kv := range inherited {
		name, _, _ := strings.Cut(kv, "=")
		if replaced[fold(name)] || HoldsIdentity(name) || o.Pristine && !kept[fold(name)] {
			continue
		}
		env = append(env, kv)
	}
	for _, v := range values {
		if f := fold(v[0]); !kept[f] && (o.Variable == "" || f != fold(o.Variable)) {
			env = append(env, v[0]+"="+v[1])
		}
	}
	if o.Variable != "" {
		env = append(env, o.Variable+"="+o.Name)
	}
	return env, nil
}

func pick(values [][2]string, only []string) ([][2]string, error) {
	var picked [][2]string
	var missing []string
	for _, name := range only {
		i := slices.IndexFunc(values, func(v [2]string) bool { return v[0] == name })
		if i < 0 {
			missing = append(missing, name)
			continue
		}
		picked = append(picked, values[i])
	}
	if missing != nil {
		return nil, &MissingError{Keys: missing}
	}
	return picked, nil
}

// keptVariables returns those of keep that the caller has.
func keptVariables(inherited, keep []string) map[string]bool {
	kept := make(map[string]bool, len(keep))
	if len(keep) == 0 {
		return kept
	}
	for _, kv := range inherited {
		name, _, _ := strings.Cut(kv, "=")
		if slices.ContainsFunc(keep, func(k string) bool { return fold(k) == fold(name) }) {
			kept[fold(name)] = true
		}
	}
	return kept
}

func check(values [][2]string, kept map[string]bool, allow []string) error {
	var refused []string
	for _, v := range values {
		if kept[fold(v[0])] {
			continue
		}
		if Dangerous(v[0]) && !slices.Contains(allow, v[0]) {
			refused = append(refused, v[0])
		}
		if len(v[0])+len("=")+len(v[1])+1 > variableLimit {
			return &TooLargeError{Key: v[0], Size: len(v[1]), Limit: variableLimit - len(v[0]) - 2}
		}
	}
	if refused != nil {
		return &RefusedError{Keys: refused}
	}
	return nil
}

// fold makes names comparable: Windows does not tell their case apart.
func fold(name string) string {
	if runtime.GOOS == "windows" {
		return strings.ToUpper(name)
	}
	return name
}

// The exit codes that a shell gives for a command that cannot be run.
const (
	exitNotExecutable = 126
	exitNotFound      = 127
)

// A CommandError says that the command itself could not be started.
type CommandError struct {
	Name string
	Code int // 126 or 127, as a shell exits
	Err  error
}

func (e *CommandError) Error() string {
	if e.Code == exitNotFound {
		return fmt.Sprintf("%s: command not found", e.Name)
	}
	return fmt.Sprintf("%s: cannot be executed: %v", e.Name, e.Err)
}

func (e *CommandError) Unwrap() error { return e.Err }

// Look resolves a command's name with the calling process's PATH. The error is
// a [*CommandError].
func Look(name string) (path string, err error) {
	path, err = exec.LookPath(name)
	if err == nil {
		return path, nil
	}
	code := exitNotExecutable
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		code = exitNotFound
	}
	var named *exec.Error
	if errors.As(err, &named) {
		err = named.Err // the message around it has the name
	}
	return "", &CommandError{Name: name, Code: code, Err: err}
}
