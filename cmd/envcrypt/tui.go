package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"

	"golang.org/x/term"
)

// tui is everything that a person sees: notes, errors and hints on standard
// error, questions on the terminal. Standard output belongs to results.
type tui struct {
	out, err *os.File
	quiet    bool
	progress *progress // nil while nothing takes long
}

func newTUI(s system) tui { return tui{out: s.stdout, err: s.stderr} }

func (t *tui) say(kind, format string, args ...any) {
	if t.quiet {
		return
	}
	t.aside(func() {
		fmt.Fprintf(t.err, "%s: %s%s\n", programName, kind, oneLine(fmt.Sprintf(format, args...)))
	})
}

func (t *tui) notef(format string, args ...any)    { t.say("", format, args...) }
func (t *tui) hintf(format string, args ...any)    { t.say("hint: ", format, args...) }
func (t *tui) warningf(format string, args ...any) { t.say("warning: ", format, args...) }

// fewLines is how many lines of a kind are printed where there may be very many.
const fewLines = 20

// lines prints what may be very much: the first lines, then how many there are
// more.
type lines struct {
	print func(format string, args ...any)
	most  int // 0 for all
	count int
}

func (l *lines) add(format string, args ...any) {
	l.count++
	if l.most == 0 || l.count <= l.most {
		l.print(format, args...)
	}
}

// end tells whether lines were left out, and prints how many.
func (l *lines) end() bool {
	more := l.count - l.most
	if l.most == 0 || more <= 0 {
		return false
	}
	l.print("and %d more", more)
	return true
}

// isTerminal tells whether f is one.
func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// print writes values to standard output, made harmless where that is a
// terminal.
func (t *tui) print(text string) error {
	if isTerminal(t.out) {
		text = escapeControls(text)
	}
	_, err := io.WriteString(t.out, text)
	return err
}

// printTable prints rows of cells in columns, two blanks apart, whatever is in them.
func (t *tui) printTable(rows [][]string) error {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		for i, cell := range row {
			row[i] = strings.ReplaceAll(oneLine(cell), "\t", " ")
		}
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(text.String()) {
		if _, err := fmt.Fprintln(t.out, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

// escapeControls replaces what a terminal would obey. Line ends and tabs stay.
func escapeControls(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r == '\n' || r == '\t' || strconv.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteToASCII(string(r))
		b.WriteString(quoted[1 : len(quoted)-1])
	}
	return b.String()
}

// showName makes a name from a command line or a file fit for a message.
func showName(s string) string {
	const longest = 60
	if len(s) > longest {
		s = s[:longest] + "…"
	}
	return escapeControls(s)
}

// noTerminalError says that a question could not be asked.
type noTerminalError struct {
	question string
	hidden   bool // whether it asks for text, and not for a yes
}

func (e *noTerminalError) Error() string {
	return "cannot ask without a terminal: " + e.question
}

var errDeclined = errors.New("not confirmed: nothing was changed")

// terminal is the controlling terminal, wherever the standard files point.
type terminal struct{ in, out *os.File }

func openTerminal() (*terminal, error) {
	if f, err := os.OpenFile(terminalIn, os.O_RDWR, 0); err == nil {
		if terminalOut == terminalIn {
			return &terminal{in: f, out: f}, nil
		}
		if out, err := os.OpenFile(terminalOut, os.O_RDWR, 0); err == nil {
			return &terminal{in: f, out: out}, nil
		}
		f.Close()
	}
	return nil, errors.New("no terminal")
}

func (t *terminal) close() {
	t.in.Close()
	if t.out != t.in {
		t.out.Close()
	}
}

// erase removes the line of a prompt that was answered.
func (t *terminal) erase() { fmt.Fprint(t.out, "\x1b[1A\r\x1b[K") }

// confirm asks a question and returns nil for yes. With -y it does not ask.
func (a *app) confirm(question string) error {
	if a.yes {
		return nil
	}
	return ask(question+" [y/N] ", false)
}

// ask puts a question on the terminal, and takes an empty answer for yes or no.
func ask(question string, empty bool) error {
	t, err := openTerminal()
	if err != nil {
		question, _, _ = strings.Cut(question, " [")
		return &noTerminalError{question: question}
	}
	defer t.close()
	dropTypeAhead(int(t.in.Fd()))
	fmt.Fprintf(t.out, "%s: %s", programName, escapeControls(question))
	answer, err := bufio.NewReader(t.in).ReadString('\n')
	if err != nil {
		return errDeclined
	}
	t.erase()
	switch answer = strings.ToLower(strings.TrimSpace(answer)); {
	case answer == "y", answer == "yes", answer == "" && empty:
		return nil
	}
	return errDeclined
}

// askLine reads a line; empty is what an empty one stands for.
func askLine(prompt, empty string) (string, error) {
	t, err := openTerminal()
	if err != nil {
		return "", &noTerminalError{question: prompt}
	}
	defer t.close()
	dropTypeAhead(int(t.in.Fd()))
	fmt.Fprintf(t.out, "%s: %s [%s]: ", programName, escapeControls(prompt), escapeControls(empty))
	answer, err := bufio.NewReader(t.in).ReadString('\n')
	if err != nil {
		return "", errDeclined
	}
	t.erase()
	return strings.TrimSpace(answer), nil
}

// hasTerminal tells whether somebody can be asked.
func hasTerminal() bool {
	t, err := openTerminal()
	if err != nil {
		return false
	}
	t.close()
	return true
}

// askHidden reads a line that is not shown. The terminal's state is restored
// also when a signal ends the program.
func askHidden(prompt string) (string, error) {
	t, err := openTerminal()
	if err != nil {
		return "", &noTerminalError{question: prompt, hidden: true}
	}
	defer t.close()
	state, err := term.GetState(int(t.in.Fd()))
	if err != nil {
		return "", err
	}
	stop := onInterrupt(func() { _ = term.Restore(int(t.in.Fd()), state) })
	defer stop()
	defer term.Restore(int(t.in.Fd()), state)
	if err := hideInput(int(t.in.Fd())); err != nil { // before anybody is asked to type
		return "", err
	}
	fmt.Fprintf(t.out, "%s: %s: ", programName, oneLine(prompt))
	line, err := term.ReadPassword(int(t.in.Fd()))
	fmt.Fprint(t.out, "\r\x1b[K")
	if err != nil {
		return "", err
	}
	return string(line), nil
}
