// Package environ answers questions about a process environment that is given as
// an argument: what a variable says, and where the user's own files lie.
package environ

import (
	"path/filepath"
	"runtime"
	"strings"
)

// Program is the name of the directories that are envcrypt's own.
const Program = "envcrypt"

// Get returns a variable's value, "" if there is none. Of several, the last
// counts.
func Get(env []string, name string) string {
	value, _ := Lookup(env, name)
	return value
}

// Lookup is [Get], and tells whether there is such a variable.
func Lookup(env []string, name string) (value string, ok bool) {
	for i := len(env) - 1; i >= 0; i-- {
		if value, ok := strings.CutPrefix(env[i], name+"="); ok {
			return value, true
		}
	}
	return "", false
}

// Home is the user's home directory, "" without one.
func Home(env []string) string {
	if home := Get(env, "HOME"); home != "" {
		return home
	}
	return Get(env, "USERPROFILE")
}

// Dir is the directory that an XDG variable names or, without it, what lies
// below the home directory; "" without a home.
func Dir(env []string, variable, below string) string {
	if dir := Get(env, variable); filepath.IsAbs(dir) {
		return dir
	}
	if dir := Get(env, "APPDATA"); runtime.GOOS == "windows" && dir != "" {
		return dir
	}
	home := Home(env)
	if home == "" {
		return ""
	}
	return filepath.Join(home, below)
}

// ConfigHome is where the user's configuration lives, "" without a home.
func ConfigHome(env []string) string { return Dir(env, "XDG_CONFIG_HOME", ".config") }

// Config is a file of the user's envcrypt configuration, "" without a home.
func Config(env []string, name string) string {
	home := ConfigHome(env)
	if home == "" {
		return ""
	}
	return filepath.Join(home, Program, name)
}

// StateHome is where the user's state lives, "" without a home.
func StateHome(env []string) string {
	if dir, _, _ := strings.Cut(Get(env, "STATE_DIRECTORY"), ":"); filepath.IsAbs(dir) {
		return dir // systemd's StateDirectory=
	}
	return Dir(env, "XDG_STATE_HOME", filepath.Join(".local", "state"))
}
