package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"envcrypt/internal/scratch"
)

// An editorError says that the editor failed, which leaves everything as it was.
type editorError struct {
	command string
	err     error
}

func (e *editorError) Error() string {
	return fmt.Sprintf("the editor %q failed, nothing was saved: %v", e.command, e.err)
}

// editor returns the user's choice: words for a shell.
func (a *app) editor() (string, error) {
	for _, variable := range []string{"ENVCRYPT_EDITOR", "VISUAL", "EDITOR"} {
		if e := strings.TrimSpace(a.getenv(variable)); e != "" {
			return e, nil
		}
	}
	for _, name := range []string{"nano", "vim", "vi"} {
		if path, err := exec.LookPath(name); err == nil {
			return shellQuote(path), nil
		}
	}
	return "", &editorError{command: "nano, vim, vi", err: errors.New("none of them is installed; set EDITOR")}
}

// quietVim keeps what vim writes beside the text out of files that outlive it:
// swap, backup, undo and viminfo. The options behind -c come after the user's
// own configuration, and before anything is written.
// A viminfofile of theirs wins over -i, an empty viminfo over both.
var quietVim = []string{"-n", "-i", "NONE", "--cmd", "set nomodeline", "-c", "set nomodeline nobackup nowritebackup noundofile noswapfile", "-c", "silent! set viminfo="}

// runEditor runs an editor on file and returns the text that it leaves.
func (s *editing) runEditor(command string, dir *scratch.Dir, file string, line int) ([]byte, error) {
	before, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	cmd := editorCommand(command, file, line)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = s.stdin, s.stdout, s.stderr
	if !isTerminal(s.stdout) && isTerminal(s.stderr) {
		cmd.Stdout = s.stderr // standard output carries results only
	}
	cmd.Env = withoutIdentities(s.system.env)
	started := time.Now()
	if err := s.runGuarded(cmd, dir); err != nil {
		return nil, &editorError{command: command, err: err}
	}
	text, err := readEdited(file)
	if err != nil {
		return nil, &editorError{command: command, err: err}
	}
	const tooShort = time.Second
	if bytes.Equal(before, text) && line == 0 && time.Since(started) < tooShort {
		s.hintf(`the editor came back at once; if it opens a window, let it wait: EDITOR="code --wait"`)
	}
	return text, nil
}

// readEdited reads what the editor left, which may be another file of that name.
func readEdited(file string) ([]byte, error) {
	info, err := os.Lstat(file)
	if err != nil {
		return nil, errors.New("it removed the file")
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it left something else than a regular file")
	}
	return readFileBytes(file)
}

// editorCommand runs the user's words in a shell, as git does, so that quotes
// and flags in EDITOR mean what they mean everywhere.
func editorCommand(command, file string, line int) *exec.Cmd {
	args := append(editorFlags(command, file, line), file)
	if runtime.GOOS == "windows" {
		words := strings.Fields(command)
		return exec.Command(words[0], append(words[1:], args...)...)
	}
	return exec.Command("/bin/sh", append([]string{"-c", "exec " + command + ` "$@"`, "envcrypt"}, args...)...)
}

func editorFlags(command, file string, line int) []string {
	name := editorName(command)
	isVim := strings.HasPrefix(name, "vim") || strings.HasPrefix(name, "nvim") || strings.HasPrefix(name, "gvim")
	var flags []string
	if isVim {
		flags = append(flags, quietVim...)
	}
	if name == "nano" { // whose backups, if the user wants some, go with the text then
		flags = append(flags, "--backupdir="+filepath.Dir(file))
	}
	known := isVim || strings.HasPrefix(name, "nano") || strings.HasPrefix(name, "pico") || strings.HasPrefix(name, "emacs") || name == "vi" || name == "micro"
	if line > 0 && known {
		flags = append(flags, fmt.Sprintf("+%d", line))
	}
	return flags
}

// editorName is the name of the program behind an editor's command: vi is
// often vim.
func editorName(command string) string {
	word := strings.Trim(strings.Fields(command)[0], `'"`)
	if path, err := exec.LookPath(word); err == nil {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			word = real
		}
	}
	return strings.ToLower(filepath.Base(word))
}
