package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"envcrypt/crypt"
	"envcrypt/envfile"
	"envcrypt/internal/environ"
	"envcrypt/internal/keyring"
	"envcrypt/internal/scratch"
	"envcrypt/internal/vault"
	"envcrypt/recipients"

	"filippo.io/age"
	"github.com/urfave/cli/v2"
)

func (a *app) editCommand() *cli.Command {
	var from string
	return a.command(cli.Command{
		Usage:     "edit an environment's values as text",
		ArgsUsage: "[ENV]",
		Description: `Decrypts an environment to a file in memory, runs an editor on it and encrypts
what changed. The editor is $ENVCRYPT_EDITOR, $VISUAL, $EDITOR or the first
of nano, vim and vi. One that opens a window needs its flag for waiting:
EDITOR="code --wait". The text is dotenv: KEY=VALUE lines, # comments, single
quotes for literal text, double quotes for \n \r \t \\ \" \$.
With --from the text is taken from a file or standard input instead, or from
a text that an earlier edit has kept.

EXAMPLES:
   envcrypt edit production
   EDITOR="code --wait" envcrypt edit
   generate-config | envcrypt edit staging --from -`,
		Flags: []cli.Flag{
			a.environmentFlag(), a.allowFlag(), a.reasonFlag(),
			&cli.StringFlag{Name: "from", Usage: "take the text from `FILE`, - for standard input", Destination: &from},
			a.yesFlag(), a.dryRunFlag(),
		},
	}, func(c *cli.Context) error {
		args, err := arguments(c, 0, 1)
		if err != nil {
			return err
		}
		return a.edit(first(args), from)
	})
}

func (a *app) edit(argument, from string) error {
	v, env, _, err := a.enter(argument, (*vault.Vault).Open)
	if err != nil {
		return err
	}
	if err := a.beforeEdit(v, env); err != nil {
		return err
	}
	s := &editing{app: a, vault: v, env: env}
	if from != "" {
		err = s.take(from)
	} else {
		err = s.inEditor()
	}
	if err != nil || s.items == nil {
		return err
	}
	return s.save()
}

// beforeEdit finds out now what would only fail once the text is written.
func (a *app) beforeEdit(v *vault.Vault, env *vault.Environment) error {
	if err := env.Writable(); err != nil {
		return err
	}
	if err := v.Project.Writable(env.Name); err != nil {
		return err
	}
	if env.Protected && !a.yes && !a.dryRun {
		t, err := openTerminal()
		if err != nil {
			return &noTerminalError{question: env.Name + " is protected: save the changes?"}
		}
		t.close()
	}
	return nil
}

// editing is one edit of one environment.
type editing struct {
	*app
	vault *vault.Vault
	env   *vault.Environment
	text  []byte       // as it was edited
	items []crypt.Item // what is to be saved; nil if nothing is
}

// take reads the text from a file or standard input.
func (s *editing) take(from string) error {
	text, err := s.readInput(from)
	for err == nil && keyring.IsAge(text) { // once for each group of a quorum
		text, err = s.keys.Decrypt("the kept text", text) // which editing.keep has left
	}
	if err != nil {
		return err
	}
	items, _, err := parseText(text)
	if err != nil {
		return fmt.Errorf("%s: %w", inputName(from), err)
	}
	s.text, s.items = text, items
	return nil
}

// inEditor lets the user edit the text until it can be parsed.
func (s *editing) inEditor() error {
	text, err := envfile.Format(toText(s.env.Doc.Items()))
	if err != nil {
		return err
	}
	dir, err := scratch.New(s.scratchPlaces())
	if err != nil {
		return fmt.Errorf("no private directory for the text: %w", err)
	}
	defer dir.Close()
	if dir.OnDisk {
		s.warningf("no memory-backed directory: the text is on disk while you edit it, in %s", dir.Path)
	}
	ed, err := s.editor()
	if err != nil {
		return err
	}
	file := filepath.Join(dir.Path, s.env.Name+".env")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return err
	}
	line := 0
	for {
		edited, err := s.runEditor(ed, dir, file, line)
		if err != nil {
			return err
		}
		if bytes.Equal(edited, text) {
			s.notef("nothing changed")
			return nil
		}
		items, badLine, err := parseText(edited)
		if err == nil {
			badLine, err = s.refuse(edited, items)
		}
		if err == nil {
			s.text, s.items = edited, items
			return nil
		}
		s.text = edited
		stop := onInterrupt(func() { s.keep(); dir.Close() })
		err = s.askAgain(err)
		stop()
		if err != nil {
			return err
		}
		line = badLine
	}
}

// refuse refuses values that the policy does not want, with the line of the first.
func (s *editing) refuse(text []byte, items []crypt.Item) (line int, err error) {
	err = s.vault.Refuse(s.env, items)
	var denied *vault.DeniedError
	if !errors.As(err, &denied) {
		return 0, err
	}
	f, perr := envfile.Parse(text)
	if perr != nil {
		return 0, err
	}
	for _, it := range f.Items() {
		if it.Kind == envfile.Entry && it.Key == denied.Violations[0].Key {
			line = it.Line
		}
	}
	return line, err
}

// askAgain asks whether a text with an error shall be edited once more. A text
// that somebody gives up is kept, encrypted.
func (s *editing) askAgain(problem error) error {
	failed := fmt.Errorf("the text cannot be saved: %w", problem)
	if !isTerminal(s.stdin) {
		return failed
	}
	if ask(problem.Error()+"; edit again? [Y/n] ", true) == nil {
		return nil
	}
	s.keep()
	return failed
}

// parseText reads edited text; with an error comes the line it is on.
func parseText(text []byte) (items []crypt.Item, line int, err error) {
	f, err := envfile.Parse(text)
	if err != nil {
		var bad *envfile.ParseError
		if errors.As(err, &bad) {
			line = bad.Line
		}
		return nil, line, err
	}
	in := f.Items()
	items = fromText(in)
	err = new(crypt.Document).Replace(items)
	var reserved *crypt.ReservedError
	if errors.As(err, &reserved) {
		line = in[reserved.Index].Line
		err = fmt.Errorf("line %d: %w", line, err)
	}
	return items, line, err
}

func fromText(in []envfile.Item) []crypt.Item {
	out := make([]crypt.Item, 0, len(in))
	for _, it := range in {
		kind := crypt.Entry
		switch it.Kind {
		case envfile.Blank:
			kind = crypt.Blank
		case envfile.Comment:
			kind = crypt.Comment
		}
		out = append(out, crypt.Item{Kind: kind, Key: it.Key, Value: it.Value, Comment: it.Comment})
	}
	return out
}

func toText(in []crypt.Item) []envfile.Item {
	out := make([]envfile.Item, 0, len(in))
	for _, it := range in {
		kind := envfile.Entry
		switch it.Kind {
		case crypt.Blank:
			kind = envfile.Blank
		case crypt.Comment:
			kind = envfile.Comment
		}
		out = append(out, envfile.Item{Kind: kind, Key: it.Key, Value: it.Value, Comment: it.Comment})
	}
	return out
}

// save writes the edited lines, asking where that is called for.
func (s *editing) save() error {
	before := s.env.Doc.Items()
	d := vault.Diff(before, s.items)
	if slices.Equal(trimBlankItems(before), trimBlankItems(s.items)) {
		s.notef("nothing changed")
		return nil
	}
	s.showChanges(d, s.dryRun)
	s.warnDangerous(s.env.Environment, append(d.Added, d.Changed...))
	if s.dryRun {
		return s.vault.Refuse(s.env, s.items)
	}
	err := s.confirmSave(d)
	if err == nil {
		if err = s.env.Doc.Replace(s.items); err == nil {
			err = s.vault.Save(s.env, "edit")
		}
	}
	if err != nil {
		s.keep()
	}
	return err
}

// trimBlankItems drops blank lines at the end, which no file keeps.
func trimBlankItems(items []crypt.Item) []crypt.Item {
	for len(items) > 0 && items[len(items)-1].Kind == crypt.Blank {
		items = items[:len(items)-1]
	}
	return items
}

func (a *app) confirmAll(env *vault.Environment, d vault.Changes) error {
	if d.RemovesAll() {
		return a.confirm(fmt.Sprintf("this removes every key of %s: go on?", env.Name))
	}
	return a.confirmWrite(env.Environment, "save the changes")
}

func (s *editing) confirmSave(d vault.Changes) error { return s.confirmAll(s.env, d) }

// keep saves a text that could not be written where it belongs, encrypted to
// the user's own keys, and says how to get it back.
func (s *editing) keep() {
	to, err := s.ownRecipients()
	if err != nil {
		s.warningf("the edited text could not be kept: %v", err)
		return
	}
	path, err := s.writeKept(to)
	if err != nil {
		s.warningf("the edited text could not be kept: %v", err)
		return
	}
	s.kept = true
	your := "your own key"
	if len(to) > 1 {
		your = fmt.Sprintf("%d keys that it takes together", len(to))
	}
	s.notef("your text is kept, encrypted to %s, in %s", your, path)
	s.hintf("this shows what your text would change, and without -n changes it: envcrypt edit %s --from %s -n", s.env.Name, shellQuote(path))
}

// writeKept encrypts the text to one recipient after the other, so that it takes all of them.
func (s *editing) writeKept(to []age.Recipient) (string, error) {
	dir := environ.StateHome(s.app.system.env)
	if dir == "" {
		dir = os.TempDir()
	}
	dir = filepath.Join(dir, programName, "kept")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	f, err := os.CreateTemp(dir, s.env.Name+"-"+s.now().UTC().Format("20060102T150405Z")+"-*.age")
	if err != nil {
		return "", err
	}
	defer f.Close()
	text := s.text
	for _, r := range to {
		if text, err = encryptTo(r, text); err != nil {
			return "", err
		}
	}
	if _, err = f.Write(text); err == nil {
		err = f.Sync()
	}
	return f.Name(), err
}

func encryptTo(to age.Recipient, text []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := age.Encrypt(&out, to)
	if err == nil {
		_, err = w.Write(text)
	}
	if err == nil {
		err = w.Close()
	}
	return out.Bytes(), err
}

// ownRecipients are the user's in as many of the environment's groups as it takes to open
// it, the first of each: nothing that is kept opens with fewer than the environment. One of
// a group is enough, and age does not mix hybrid keys with others in a file.
func (s *editing) ownRecipients() (own []age.Recipient, err error) {
	for _, group := range s.env.Doc.Groups() {
		if r := s.ownRecipient(group); r != nil {
			own = append(own, r)
		}
		if len(own) == s.env.Doc.Quorum() {
			return own, nil
		}
	}
	return nil, errors.New("none of your keys can be encrypted to")
}

func (s *editing) ownRecipient(texts []string) age.Recipient {
	for _, text := range texts {
		key, err := recipients.ParseKey(text)
		if err != nil || !s.keys.Holds(text) {
			continue
		}
		if r, err := key.Recipient(s.keys.AllowPlugin, s.keys.UI()); err == nil {
			return r
		}
	}
	return nil
}

// readInput reads a file that the user named, - for standard input.
func (a *app) readInput(name string) ([]byte, error) {
	if name == "-" {
		return readLimited(a.stdin, plaintextSizeLimit)
	}
	return readFileBytes(name)
}

func inputName(name string) string {
	if name == "-" {
		return "standard input"
	}
	return name
}

func (a *app) scratchPlaces() scratch.Places {
	p := scratch.Places{Memory: []string{a.getenv("XDG_RUNTIME_DIR"), "/dev/shm"}, Disk: os.TempDir()}
	if !filepath.IsAbs(p.Memory[0]) || strings.ContainsRune(p.Memory[0], 0) {
		p.Memory[0] = ""
	}
	return p
}
