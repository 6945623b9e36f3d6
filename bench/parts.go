package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"
)

// exec measures the start-up in front of a command, with three values.
func (b *bench) exec() error {
	dir, err := b.project("exec", []string{"development"})
	if err != nil {
		return err
	}
	if err := b.seal(dir, "development", 3); err != nil {
		return err
	}
	const warmup = 10
	s, err := paired(b.execRounds, warmup,
		b.tool(dir, b.envcrypt, "exec", "--", "true").run,
		b.tool(dir, b.sops, "exec-env", environmentFile(dir, "development"), "true").run,
		b.tool(dir, b.bare, "true").run)
	if err != nil {
		return err
	}
	ours, sops, bare := s[0], s[1], s[2]
	r := ratios(ours, sops)
	over := less(ours, bare)
	heading(fmt.Sprintf("Start-up in front of a command, 3 values, %d rounds", b.execRounds))
	columns()
	spread("`envcrypt exec -- true`", ours)
	spread("`sops exec-env FILE true`", sops)
	spread("a bare Go program that execs `true`", bare)
	spread("envcrypt over bare", over)
	spreadRatio("envcrypt / sops", r)
	fmt.Println()
	b.bar(quantile(r, 0.5) <= 0.20, "exec takes %.3f of sops exec-env (bar: 0.20)", quantile(r, 0.5))
	b.bar(over.median() <= 4*time.Millisecond, "exec takes %s more than a bare exec (bar: 4 ms)", ms(over.median()))
	return nil
}

// audit measures an exec whose audit log has a million lines against one whose
// log is new.
func (b *bench) audit() error {
	dir, err := b.project("audit", []string{"development"})
	if err != nil {
		return err
	}
	if err := b.seal(dir, "development", 3); err != nil {
		return err
	}
	const lines = 1_000_000
	tools := make([]func() (time.Duration, error), 2)
	for i, lines := range []int{0, lines} {
		state := filepath.Join(dir, fmt.Sprint("state", i))
		if err := writeAuditLog(state, lines); err != nil {
			return err
		}
		p := b.tool(dir, b.envcrypt, "exec", "--", "true")
		p.env = append(p.env, "XDG_STATE_HOME="+state, "XDG_CONFIG_HOME="+state)
		tools[i] = p.run
	}
	const warmup = 10
	s, err := paired(b.execRounds, warmup, tools...)
	if err != nil {
		return err
	}
	r := ratios(s[1], s[0])
	heading(fmt.Sprintf("The audit log in front of a command, %d rounds", b.execRounds))
	columns()
	spread("`envcrypt exec -- true`, a new log", s[0])
	spread("`envcrypt exec -- true`, a log of a million lines", s[1])
	spreadRatio("a million lines / none", r)
	fmt.Println()
	b.bar(quantile(r, 0.5) <= 1.05, "a log of a million lines takes %.3f of a new one (bar: 1.05)", quantile(r, 0.5))
	return nil
}

// writeAuditLog makes a log of that many lines, and a configuration that does
// not rotate it.
func writeAuditLog(state string, lines int) error {
	dir := filepath.Join(state, "envcrypt")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "config.toml"), []byte("[audit]\nmax_size = \"100GB\"\n"), 0o600); err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(dir, "audit.jsonl"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	for i := range lines {
		fmt.Fprintf(w, `{"time":"2026-11-22T00:00:00.000Z","seq":%d,"action":"exec","outcome":"ok","environment":"development","all":true}`+"\n", i+1)
	}
	return errors.Join(w.Flush(), f.Close())
}

// open measures decrypting whole files.
func (b *bench) open() error {
	sizes := map[string]int{"k1000": 1_000, "k10000": 10_000, "k100000": 100_000}
	names := []string{"k1000", "k10000", "k100000"}
	dir, err := b.project("open", names)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := b.seal(dir, name, sizes[name]); err != nil {
			return err
		}
	}
	const warmup = 1
	export := func(name string) func() (time.Duration, error) {
		return b.tool(dir, b.envcrypt, "export", name).run
	}
	s, err := paired(b.openRounds, warmup,
		export("k10000"), b.tool(dir, b.sops, "decrypt", environmentFile(dir, "k10000")).run,
		export("k1000"), export("k100000"))
	if err != nil {
		return err
	}
	ours, sops, small, large := s[0], s[1], s[2], s[3]
	r := ratios(ours, sops)
	heading(fmt.Sprintf("Opening a file, %d rounds, both print dotenv", b.openRounds))
	columns()
	spread("`envcrypt export`, 1 000 keys", small)
	spread("`envcrypt export`, 10 000 keys", ours)
	spread("`envcrypt export`, 100 000 keys", large)
	spread("`sops decrypt`, 10 000 keys", sops)
	spreadRatio("envcrypt / sops, 10 000 keys", r)
	fmt.Println()
	b.bar(quantile(r, 0.5) <= 0.35, "10 000 keys take %.3f of sops decrypt (bar: 0.35)", quantile(r, 0.5))
	growth := quantile(ratios(large, ours), 0.5)
	const linear = 12 // ten times the keys, and a fifth for a machine whose caches are small
	b.bar(growth <= linear, "ten times 10 000 keys take %.1f times as long (linear: 10; bar: %d)", growth, linear)
	return nil
}

// monorepo is a directory with projects that all have the same environments.
type monorepo struct {
	dir      string
	projects []string // directories
	names    []string // of environments
}

// rekey measures applying a changed policy to many environments: of one project,
// and of many.
func (b *bench) rekey() error {
	const perProject = 10
	one := monorepo{dir: filepath.Join(b.dir, "rekey")}
	one.projects = []string{one.dir}
	for i := range b.environments {
		one.names = append(one.names, fmt.Sprintf("env-%04d", i))
	}
	many := monorepo{dir: filepath.Join(b.dir, "monorepo"), names: one.names[:min(perProject, b.environments)]}
	for i := range max(1, b.environments/perProject) {
		many.projects = append(many.projects, filepath.Join(many.dir, fmt.Sprintf("project-%03d", i)))
	}
	if err := b.rekeyMonorepo(one, fmt.Sprintf("%d environments", len(one.names))); err != nil {
		return err
	}
	return b.rekeyMonorepo(many, fmt.Sprintf("%d projects of %d environments", len(many.projects), len(many.names)))
}

// rekeyMonorepo measures one reader more and one less.
func (b *bench) rekeyMonorepo(m monorepo, what string) error {
	const readers, keys = 20, 10
	var others []*age.X25519Identity
	for range readers { // the bench's own key is one more, and the last one comes or goes
		id, err := age.GenerateX25519Identity()
		if err != nil {
			return err
		}
		others = append(others, id)
	}
	all, fewer := others[:readers-1], others[:readers-2]
	for _, dir := range m.projects {
		if err := os.MkdirAll(filepath.Join(dir, "secrets"), 0o755); err != nil {
			return err
		}
		for _, name := range m.names {
			if err := b.seal(dir, name, keys, fewer...); err != nil {
				return err
			}
		}
	}
	if err := b.setReaders(m, all); err != nil {
		return err
	}
	// So that each environment has a history, as those in use have.
	if _, err := b.tool(m.dir, b.envcrypt, "rekey", "--all", "-y", "-q").run(); err != nil {
		return err
	}
	if err := b.rekeyTo(m, others, "One reader more: "+what); err != nil {
		return err
	}
	return b.rekeyTo(m, fewer, "One reader less: "+what)
}

// setReaders makes the bench's key and others the readers of everything.
func (b *bench) setReaders(m monorepo, others []*age.X25519Identity) error {
	readers := append([]*age.X25519Identity{b.identity}, others...)
	for _, dir := range m.projects {
		if err := writePolicy(dir, m.names, readers); err != nil {
			return err
		}
	}
	return writeCreationRules(m.dir, readers)
}

// rekeyTo compares both programs when the readers become the bench's key and
// others. Every run begins with the same files.
func (b *bench) rekeyTo(m monorepo, others []*age.X25519Identity, title string) error {
	before, err := m.read()
	if err != nil {
		return err
	}
	if err := b.setReaders(m, others); err != nil {
		return err
	}
	ours := func() (time.Duration, error) {
		if err := m.write(before); err != nil {
			return 0, err
		}
		return b.tool(m.dir, b.envcrypt, "rekey", "--all", "-y", "-q").run()
	}
	var files []string
	for _, dir := range m.projects {
		for _, name := range m.names {
			files = append(files, environmentFile(dir, name))
		}
	}
	updates := min(b.updates, len(files))
	loop := func(command ...string) (time.Duration, error) {
		var total time.Duration
		for _, file := range files[:updates] {
			args := append([]string{b.sops}, append(command, file)...)
			took, err := b.tool(m.dir, args...).run()
			if err != nil {
				return 0, err
			}
			total += took
		}
		return total * time.Duration(len(files)) / time.Duration(updates), nil
	}
	var rotate sample // of the same rounds, a new data key after the new recipients
	theirs := func() (time.Duration, error) {
		if err := m.write(before); err != nil {
			return 0, err
		}
		update, err := loop("updatekeys", "-y")
		if err != nil {
			return 0, err
		}
		again, err := loop("rotate", "-i")
		rotate = append(rotate, update+again)
		return update, err
	}
	const warmup = 1
	s, err := paired(b.rekeyRounds, warmup, ours, theirs)
	if err != nil {
		return err
	}
	rotate = rotate[warmup:]
	r := ratios(s[0], s[1])
	of := fmt.Sprintf("%d files, times %g", updates, float64(len(files))/float64(updates))
	heading(fmt.Sprintf("%s of 10 keys, 20 readers before, %d rounds", title, b.rekeyRounds))
	columns()
	spread("`envcrypt rekey --all -y`", s[0])
	spread("`sops updatekeys -y` in a loop: "+of, s[1])
	spread("the same and `sops rotate -i`: "+of, rotate)
	spreadRatio("envcrypt / updatekeys", r)
	spreadRatio("envcrypt / updatekeys and rotate", ratios(s[0], rotate))
	fmt.Println()
	b.bar(quantile(r, 0.5) <= 0.05, "rekey takes %.3f of the loop of updatekeys (bar: 0.05)", quantile(r, 0.5))
	return m.write(before)
}

func writeCreationRules(dir string, readers []*age.X25519Identity) error {
	var keys []string
	for _, id := range readers {
		keys = append(keys, id.Recipient().String())
	}
	rules := "creation_rules:\n  - age: " + strings.Join(keys, ",") + "\n"
	return os.WriteFile(filepath.Join(dir, ".sops.yaml"), []byte(rules), 0o644)
}

// read reads the environments' files and histories.
func (m monorepo) read() (map[string][]byte, error) {
	files := make(map[string][]byte)
	for _, dir := range m.projects {
		secrets := filepath.Join(dir, "secrets")
		entries, err := os.ReadDir(secrets)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			path := filepath.Join(secrets, e.Name())
			if files[path], err = os.ReadFile(path); err != nil {
				return nil, err
			}
		}
	}
	return files, nil
}

func (m monorepo) write(files map[string][]byte) error {
	for path, data := range files {
		if err := os.WriteFile(path, data, 0o644); err != nil {
			return err
		}
	}
	return settle(m.dir)
}

// size looks at the program itself.
func (b *bench) size() error {
	info, err := os.Stat(b.envcrypt)
	if err != nil {
		return err
	}
	heading("Size")
	const mb = 1e6
	b.bar(info.Size() <= 10*mb, "the stripped program has %.1f MB (bar: 10 MB)", float64(info.Size())/mb)
	return nil
}
