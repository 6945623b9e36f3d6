package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"envcrypt/internal/project"
	"envcrypt/internal/tomltree"
)

const (
	sinkFile     = "file"
	sinkSyslog   = "syslog"
	sinkJournald = "journald"
	sinkOff      = "off"

	// EveryEnvironment stands for all of them in [Config.Required].
	EveryEnvironment = "*"

	defaultMaxSize  = 10 << 20
	leastMaxSize    = 2 * entryLimit
	configSizeLimit = 1 << 20
)

// Config says where the log goes. Use [ReadConfig].
type Config struct {
	File     string   // the log's path; relative or empty where nobody has said which
	MaxSize  int64    // of the file, in bytes: beyond, it is rotated
	Sinks    []string // of "file", "syslog" and "journald"; none if the log is off
	Required []string // environments, or "*", of which nothing is read or written unlogged

	// SyslogSocket and JournalSocket are paths; empty for the system's own.
	SyslogSocket, JournalSocket string
}

// ReadConfig reads the [audit] tables of the machine's and the user's configuration, of
// which either may not exist or be "". state is the directory for the default file,
// envcrypt/audit.jsonl; "" if there is none.
//
// What the machine's file says, the user's cannot take back: file, sinks and max_size
// count there first, and required adds up. Other tables are somebody else's.
//
// The error is a *[ConfigError], or what [project.ReadFile] returns. A broken
// configuration is an error because it might have required something.
func ReadConfig(machine, user, state string) (Config, error) {
	c := Config{File: filepath.Join(state, "envcrypt", "audit.jsonl"), MaxSize: defaultMaxSize, Sinks: []string{sinkFile}}
	var said settings
	for _, path := range []string{machine, user} {
		if path == "" {
			continue
		}
		text, err := project.ReadFile(path, configSizeLimit)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return Config{}, err
		}
		if err := said.parse(path, text); err != nil {
			return Config{}, err
		}
	}
	if said.file != "" {
		c.File = said.file
	}
	if said.maxSize != 0 {
		c.MaxSize = said.maxSize
	}
	if said.sinks != nil {
		c.Sinks = slices.DeleteFunc(said.sinks, func(s string) bool { return s == sinkOff })
	}
	c.Required = said.required
	return c, nil
}

func (c *Config) requires(environment string) bool {
	return len(c.Required) > 0 && (environment == "" || slices.Contains(c.Required, environment) ||
		slices.Contains(c.Required, EveryEnvironment))
}

// settings are what configuration files say, the first one that says something first.
type settings struct {
	file     string
	maxSize  int64
	sinks    []string
	required []string
}

// ConfigError says what is wrong in a configuration file.
type ConfigError struct {
	File    string
	Line    int // from 1
	Problem string
	Fix     string
}

func (e *ConfigError) Error() string { return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Problem) }

func (s *settings) parse(file string, text []byte) error {
	root, err := tomltree.Parse(text)
	if err != nil {
		e := &ConfigError{File: file, Line: 1, Problem: "this is not TOML",
			Fix: `each line is [table] or key = value, text stands in "quotes", lists in [brackets]`}
		var syntax *tomltree.SyntaxError
		if errors.As(err, &syntax) {
			e.Line = syntax.Line
		}
		return e
	}
	p := tableParser{file: file}
	table := root.Get("audit")
	if table == nil {
		return nil
	}
	if !table.IsTable() {
		p.fail(table, "audit is not a table", "write it as [audit]")
		return p.err
	}
	for _, name := range table.Names {
		p.setting(s, name, table.Get(name))
	}
	if p.err != nil {
		return p.err
	}
	return nil
}

// tableParser keeps the first mistake.
type tableParser struct {
	file string
	err  *ConfigError
}

func (p *tableParser) setting(s *settings, name string, value *tomltree.Node) {
	switch name {
	case "file":
		path := p.string(value)
		if !filepath.IsAbs(path) {
			p.fail(value, "file is not an absolute path", "write the whole path, as in file = \"/var/log/envcrypt/audit.jsonl\"")
		}
		if s.file == "" {
			s.file = path
		}
	case "max_size":
		size, ok := parseSize(value.Value)
		if !ok || size < leastMaxSize {
			p.fail(value, "max_size is not a size of 128 KiB or more", `write a number of bytes, or a text such as "10MB"`)
		}
		if s.maxSize == 0 {
			s.maxSize = size
		}
	case "sinks":
		sinks := p.sinks(value)
		if s.sinks == nil {
			s.sinks = sinks
		}
	case "required":
		for _, name := range p.strings(value) {
			if !project.ValidEnvironmentName(name) && name != EveryEnvironment {
				p.fail(value, "required lists what is not the name of an environment", `write it as ["production"], or ["*"] for all`)
			}
			if !slices.Contains(s.required, name) {
				s.required = append(s.required, name)
			}
		}
	default:
		p.fail(value, "unknown key "+strconv.Quote(name)+" in [audit]", "remove it, or use one of file, max_size, sinks, required")
	}
}

func (p *tableParser) sinks(value *tomltree.Node) []string {
	const fix = `write it as ["file"], with any of "file", "syslog" and "journald", or as ["off"]`
	sinks := p.strings(value)
	for _, sink := range sinks {
		if !slices.Contains([]string{sinkFile, sinkSyslog, sinkJournald, sinkOff}, sink) {
			p.fail(value, "sinks lists "+strconv.Quote(sink)+", which is none", fix)
		}
	}
	if len(sinks) == 0 || len(sinks) > 1 && slices.Contains(sinks, sinkOff) {
		p.fail(value, "sinks is neither off nor a list of sinks", fix)
	}
	return sinks
}

func (p *tableParser) string(value *tomltree.Node) string {
	s, ok := value.Value.(string)
	if !ok {
		p.fail(value, "a text is missing", "put the value in quotes")
	}
	return s
}

func (p *tableParser) strings(value *tomltree.Node) []string {
	result, ok := value.Strings()
	if !ok {
		p.fail(value, "a list of texts is missing", `write it as ["one", "two"]`)
	}
	return result
}

func (p *tableParser) fail(at *tomltree.Node, problem, fix string) {
	if p.err == nil {
		p.err = &ConfigError{File: p.file, Line: at.Line, Problem: problem, Fix: fix}
	}
}

// parseSize reads a number of bytes, also as text with a unit: k, M and G in powers of
// 1000, Ki, Mi and Gi of 1024, an optional B after them.
func parseSize(value any) (int64, bool) {
	if n, ok := value.(int64); ok {
		return n, n >= 0
	}
	s, _ := value.(string)
	digits := s[:len(s)-len(strings.TrimLeft(s, "0123456789"))]
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return 0, false
	}
	var unit int64
	switch strings.TrimSuffix(strings.ToLower(strings.TrimSpace(s[len(digits):])), "b") {
	case "":
		unit = 1
	case "k":
		unit = 1e3
	case "m":
		unit = 1e6
	case "g":
		unit = 1e9
	case "ki":
		unit = 1 << 10
	case "mi":
		unit = 1 << 20
	case "gi":
		unit = 1 << 30
	default:
		return 0, false
	}
	if n > math.MaxInt64/unit {
		return 0, false
	}
	return n * unit, true
}
