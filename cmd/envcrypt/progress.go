package main

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

// progress is a line that shows how far something is, on a terminal and nowhere
// else. Several goroutines may use it; a nil one shows nothing.
type progress struct {
	mu          sync.Mutex
	out         *os.File
	what        string
	done, total int
	drawn       time.Time
}

// startProgress shows a line until endProgress: "[##...] 2/5 what".
func (a *app) startProgress(total int, what string) {
	if a.quiet || !isTerminal(a.err) || a.getenv("TERM") == "dumb" {
		return
	}
	a.progress = &progress{out: a.err, what: what, total: total}
	a.progress.mu.Lock()
	defer a.progress.mu.Unlock()
	a.progress.draw(a.now())
}

func (a *app) endProgress() {
	a.aside(func() {})
	a.progress = nil
}

// step counts one more, and shows it if the line is old enough.
func (p *progress) step(now time.Time) {
	if p == nil {
		return
	}
	const often = 100 * time.Millisecond
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done++
	if now.Sub(p.drawn) >= often {
		p.draw(now)
	}
}

func (p *progress) draw(now time.Time) {
	const width = 30
	filled := width * p.done / p.total
	fmt.Fprintf(p.out, "\r[%s%s] %d/%d %s\x1b[K", strings.Repeat("#", filled), strings.Repeat(".", width-filled), p.done, p.total, p.what)
	p.drawn = now
}

// aside does what prints or asks while nothing else is on its line. The line of
// progress comes back with its next step.
func (t *tui) aside(print func()) {
	p := t.progress
	if p == nil {
		print()
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprint(p.out, "\r\x1b[K")
	p.drawn = time.Time{}
	print()
}
