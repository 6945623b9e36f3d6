package main

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"envcrypt/internal/audit"
	"envcrypt/internal/project"
	"envcrypt/internal/vault"
	"envcrypt/recipients"
)

// rekeying is one run of rekey, over one project or many.
type rekeying struct {
	*app
	projects []rekeyProject
	jobs     []vault.Job // one for each project; without a vault where it failed
	todo     int         // files that are to be written
}

// rekeyProject is where a project lies, and why it cannot be read.
type rekeyProject struct {
	path string // from the working directory, with slashes
	err  error
}

func (r *rekeying) add(p rekeyProject, v *vault.Vault, names []string) {
	steps := make([]vault.Step, len(names))
	for i, name := range names {
		steps[i].Environment = name
	}
	r.projects = append(r.projects, p)
	r.jobs = append(r.jobs, vault.Job{Vault: v, Steps: steps})
}

// rekeyingAll finds the project around the working directory and those below it,
// or else those of the git repository.
func (a *app) rekeyingAll() (*rekeying, error) {
	dir, err := a.workingDirectory()
	if err != nil {
		return nil, err
	}
	here, err := filepath.Abs(dir)
	if err == nil {
		here, err = filepath.EvalSymlinks(here)
	}
	if err != nil {
		return nil, err
	}
	r := &rekeying{app: a}
	p, notFound := project.Find(dir)
	var none *project.NotFoundError
	if !errors.As(notFound, &none) {
		r.take(here, p.Root, p, notFound)
	}
	r.takeBelow(here, here, p)
	if len(r.projects) > 0 {
		return r, nil
	}
	if top, err := a.gitTop(here); err == nil {
		r.takeBelow(here, top, nil)
	}
	if len(r.projects) == 0 {
		return nil, notFound
	}
	return r, nil
}

// takeBelow adds the projects from dir down, but for the one around here.
func (r *rekeying) takeBelow(here, dir string, around *project.Project) {
	var known string
	if around != nil {
		known, _ = filepath.EvalSymlinks(around.Root)
	}
	for root, err := range project.Below(dir) {
		var outside *project.OutsideError
		switch {
		case errors.As(err, &outside):
			r.warningf("%v: no project", err)
		case err != nil:
			r.take(here, root, nil, err)
		case root != known:
			p, err := project.Open(root)
			r.take(here, root, p, err)
		}
	}
}

// take adds all environments of a project, or why it cannot be read.
func (r *rekeying) take(here, root string, p *project.Project, err error) {
	if real, err := filepath.EvalSymlinks(root); err == nil {
		root = real
	}
	path, relErr := filepath.Rel(here, root)
	if relErr != nil {
		path = root
	}
	if err == nil {
		err = checkVariable(p)
	}
	found := rekeyProject{path: filepath.ToSlash(path), err: err}
	if err != nil {
		r.add(found, nil, nil)
		return
	}
	var names []string
	for _, env := range p.Policy.Environments {
		names = append(names, env.Name)
	}
	r.add(found, r.vaultOf(p), names)
}

// label is how messages call an environment: the project's path goes before it,
// where there are several.
func (r *rekeying) label(job int, environment string) string {
	return r.prefix(job) + environment
}

func (r *rekeying) prefix(job int) string {
	if len(r.projects) == 1 || r.projects[job].path == "." {
		return ""
	}
	return r.projects[job].path + ": "
}

// steps calls visit for the steps of all jobs.
func (r *rekeying) steps(visit func(job int, s *vault.Step)) {
	for j := range r.jobs {
		for i := range r.jobs[j].Steps {
			visit(j, &r.jobs[j].Steps[i])
		}
	}
}

// show says who gains and who loses access to what, and returns what is to be
// asked before that happens, "" for nothing.
func (r *rekeying) show() (question string) {
	protected, access := false, false
	r.steps(func(j int, s *vault.Step) {
		if s.Err != nil || !s.Readers.Differ() {
			return
		}
		r.todo++
		env, _ := r.jobs[j].Vault.Project.Policy.Environment(s.Environment)
		protected = protected || env.Protected
		access = access || s.Readers.ChangeAccess()
	})
	switch { // where nobody gains or loses, only a protected file is asked about
	case access:
		question = fmt.Sprintf("change who can read %s?", count(r.todo, "environment"))
	case protected:
		question = fmt.Sprintf("rewrite %s?", count(r.todo, "environment"))
	}
	quiet := r.quiet
	r.quiet = quiet && (r.yes || r.dryRun) // a question follows
	r.showChanges()
	r.quiet = quiet
	return question
}

// showChanges lists what changes, shortened where that is very much: then it says of
// every quorum that changes, and of everybody, in which or how many environments.
func (r *rekeying) showChanges() {
	l := lines{print: r.notef, most: fewLines}
	if r.dryRun {
		l.most = 0
	}
	r.steps(func(j int, s *vault.Step) {
		if s.Err == nil {
			tellReaders(l.add, r.jobs[j].Vault, r.label(j, s.Environment), s.Readers)
		}
	})
	if !l.end() {
		return
	}
	var shapes, people tally
	r.steps(func(j int, s *vault.Step) {
		if s.Err != nil || !s.Readers.Differ() {
			return
		}
		label, readers := r.label(j, s.Environment), s.Readers
		if readers.Was != readers.Is {
			shapes.add(shapeChange(readers)+", in", label)
		}
		for _, m := range readers.Moved {
			shapes.add(m.Member+" belongs to another group of the quorum of", label)
		}
		for _, g := range readers.Gained {
			people.add(fmt.Sprintf("%s (%s) gains access to", g.Member, recipients.Short(g.Key.String())), label)
		}
		for _, text := range readers.Lost {
			people.add(keyName(&r.jobs[j].Vault.Project.Policy.Directory, text)+" loses access to", label)
		}
	})
	for _, t := range []tally{shapes, people} {
		t.show(r.notef)
	}
}

// tally counts in how many environments the same happens.
type tally struct {
	what []string
	in   map[string][]string // the labels of the environments
}

func (t *tally) add(what, label string) {
	if t.in == nil {
		t.in = make(map[string][]string)
	}
	if t.in[what] == nil {
		t.what = append(t.what, what)
	}
	t.in[what] = append(t.in[what], label)
}

// show prints the rarest first: what is unlike the rest is what has to be seen.
func (t *tally) show(print func(format string, args ...any)) {
	slices.SortStableFunc(t.what, func(a, b string) int { return cmp.Compare(len(t.in[a]), len(t.in[b])) })
	total := lines{print: print, most: fewLines}
	for _, what := range t.what {
		where := count(len(t.in[what]), "environment")
		if labels := t.in[what]; len(labels) == 1 {
			where = labels[0]
		}
		total.add("in all, %s %s", what, where)
	}
	total.end()
}

// carryOut writes the files. Each is noted in the audit log, before the first is
// opened and again when it is done.
func (r *rekeying) carryOut() error {
	ops, err := r.begin()
	if err != nil {
		return err
	}
	const barFrom = 2
	if r.todo >= barFrom {
		r.startProgress(r.todo, "rekeyed")
		stop := onInterrupt(func() { r.aside(func() {}) })
		defer stop()
	}
	var unlogged error
	vault.Rekey(r.jobs, func(job, step int) {
		s := &r.jobs[job].Steps[step]
		r.policy = r.jobs[job].Vault.Project.Policy
		op := ops[s]
		op.Entry.Actor = r.policy.Directory.Owner(s.By)
		if err := r.end(op, s.Err); err != nil && unlogged == nil {
			unlogged = err
		}
		r.progress.step(r.now())
	})
	r.endProgress()
	return unlogged
}

// begin notes each file that is about to be rewritten in the audit log.
func (r *rekeying) begin() (map[*vault.Step]*audit.Op, error) {
	ops := make(map[*vault.Step]*audit.Op)
	for j := range r.jobs {
		for i := range r.jobs[j].Steps {
			s := &r.jobs[j].Steps[i]
			if s.Err != nil || !s.Readers.Differ() {
				continue
			}
			op, err := r.app.begin(r.jobs[j].Vault.Project.Root, s.Environment)
			if err != nil {
				return nil, err
			}
			ops[s] = op
		}
	}
	return ops, nil
}

// What became of a file.
const (
	rekeyDone    = "done"
	rekeyTodo    = "todo"
	rekeyCurrent = "current"
	rekeySkipped = "skipped"
	rekeyFailed  = "failed"
)

// rekeyOutcome is what became of a file, or of a project that cannot be read.
type rekeyOutcome struct {
	Project     string   `json:"project"`
	Environment string   `json:"environment,omitempty"`
	Outcome     string   `json:"outcome"`
	Gained      []string `json:"gained"`
	Lost        []string `json:"lost"`
	Message     string   `json:"message,omitempty"`

	hints []string
	code  int
}

// outcomes are in the order of the projects and their policies.
func (r *rekeying) outcomes() []rekeyOutcome {
	all := []rekeyOutcome{}
	for j := range r.jobs {
		if err := r.projects[j].err; err != nil {
			o := rekeyOutcome{Project: r.projects[j].path, Gained: []string{}, Lost: []string{}}
			r.fail(&o, err)
			all = append(all, o)
			continue
		}
		r.policy = r.jobs[j].Vault.Project.Policy
		for i := range r.jobs[j].Steps {
			all = append(all, r.outcomeOf(j, &r.jobs[j].Steps[i]))
		}
	}
	return all
}

func (r *rekeying) outcomeOf(j int, s *vault.Step) rekeyOutcome {
	o := rekeyOutcome{Project: r.projects[j].path, Environment: s.Environment, Outcome: rekeyDone, Gained: []string{}, Lost: []string{}}
	for _, g := range s.Readers.Gained {
		if !slices.Contains(o.Gained, g.Member) {
			o.Gained = append(o.Gained, g.Member)
		}
	}
	for _, text := range s.Readers.Lost {
		o.Lost = append(o.Lost, r.jobs[j].Vault.Name(text))
	}
	switch {
	case s.Err != nil:
		r.fail(&o, r.identityFailure(s.Err))
	case !s.Readers.Differ():
		o.Outcome = rekeyCurrent
	case r.dryRun:
		o.Outcome = rekeyTodo
	}
	return o
}

// fail notes an error; one for lack of an identity means that the file was
// skipped.
func (r *rekeying) fail(o *rekeyOutcome, err error) {
	e := r.explain(err)
	o.Outcome, o.Message, o.hints, o.code = rekeyFailed, e.message, e.hints, e.code
	if o.code == exitNoIdentity {
		o.Outcome = rekeySkipped
	}
}

// report says what became of everything. Its error is the exit code alone.
func (r *rekeying) report() error {
	all := r.outcomes()
	if r.json {
		if err := r.printJSON(all); err != nil {
			return err
		}
	}
	r.tellFailures(all)
	r.tellUnchanged(all)
	r.tellLost()
	if text := summary(all); text != "" {
		r.notef("%s", text)
	}
	if code := rekeyCode(all); code != exitDone {
		return &exitError{code: code}
	}
	return nil
}

// tellFailures prints the errors, and each hint once.
func (r *rekeying) tellFailures(all []rekeyOutcome) {
	said := make(map[string]bool)
	print := func(kind, text string) {
		if !said[kind+text] {
			said[kind+text] = true
			fmt.Fprintf(r.err, "%s: %s: %s\n", programName, kind, oneLine(text))
		}
	}
	failures := 0
	for i := range all {
		o := &all[i]
		if o.code == exitDone {
			continue
		}
		if failures++; failures > fewLines {
			continue
		}
		text := o.Message
		if o.Environment != "" && o.Project != "." && len(r.projects) > 1 {
			text = o.Project + ": " + text
		}
		print("error", text)
		for _, h := range o.hints {
			print("hint", h)
		}
	}
	if failures > fewLines {
		print("error", fmt.Sprintf("and %d more: --json lists them", failures-fewLines))
	}
}

// tellUnchanged lists what is as it was.
func (r *rekeying) tellUnchanged(all []rekeyOutcome) {
	l := lines{print: r.notef, most: fewLines}
	if r.dryRun {
		l.most = 0
	}
	for i := range all {
		o := &all[i]
		name := o.Environment
		if o.Project != "." && len(r.projects) > 1 {
			name = o.Project + ": " + name
		}
		switch o.Outcome {
		case rekeyCurrent:
			l.add("%s: up to date", name)
		case rekeyTodo:
			l.add("%s: would be rekeyed", name)
		}
	}
	l.end()
}

// tellLost lists the values that somebody who lost access could read.
func (r *rekeying) tellLost() {
	if r.dryRun {
		return
	}
	l := lines{print: r.hintf, most: fewLines}
	r.steps(func(j int, s *vault.Step) {
		if s.Err == nil && len(s.Readers.Lost) > 0 && len(s.Keys) > 0 {
			keys := strings.Join(s.Keys, ", ")
			if more := s.KeyCount - len(s.Keys); more > 0 {
				keys += fmt.Sprintf(" and %d more", more)
			}
			l.add("%s: who lost access could read these values: change them at their source: %s", r.label(j, s.Environment), keys)
		}
	})
	l.end()
}

// summary counts the outcomes; it is "" for a single file of which everything is
// said.
func summary(all []rekeyOutcome) string {
	n := make(map[string]int)
	for i := range all {
		n[all[i].Outcome]++
	}
	if len(all) == 1 && n[rekeyDone] == 0 {
		return ""
	}
	var parts []string
	add := func(outcome, format string) {
		if n[outcome] == 0 {
			return
		}
		many := fmt.Sprint(n[outcome])
		if len(parts) == 0 {
			many = count(n[outcome], "environment")
		}
		parts = append(parts, fmt.Sprintf(format, many))
	}
	add(rekeyDone, "rekeyed %s")
	add(rekeyTodo, "%s would be rekeyed")
	if n[rekeyCurrent] == 1 {
		add(rekeyCurrent, "%s was up to date")
	} else {
		add(rekeyCurrent, "%s were up to date")
	}
	add(rekeySkipped, "%s skipped (no identity opens them)")
	add(rekeyFailed, "%s failed")
	return strings.Join(parts, ", ")
}

// rekeyCode is the code of the failures: for lack of an identity only where
// nothing else went wrong, and where that is of several kinds, the general one.
func rekeyCode(all []rekeyOutcome) int {
	code := exitDone
	for i := range all {
		switch o := &all[i]; {
		case o.code == exitDone, o.code == code:
		case o.code == exitNoIdentity:
			if code == exitDone {
				code = exitNoIdentity
			}
		case code == exitDone, code == exitNoIdentity:
			code = o.code
		default:
			return exitFailed
		}
	}
	return code
}
