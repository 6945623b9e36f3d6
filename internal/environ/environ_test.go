//go:build unix

package environ

import (
	"testing"
)

func TestGet(t *testing.T) {
	env := []string{"A=1", "AB=2", "A=3", "EMPTY=", "EQ=a=b"}
	for name, want := range map[string]string{"A": "3", "AB": "2", "EMPTY": "", "EQ": "a=b", "NONE": "", "": ""} {
		if got := Get(env, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestDirectories(t *testing.T) {
	for _, tt := range []struct {
		name string
		env  []string
		want string
	}{
		{"none", nil, ""},
		{"home", []string{"HOME=/h"}, "/h/.config/envcrypt/config.toml"},
		{"a Windows home", []string{"USERPROFILE=/p"}, "/p/.config/envcrypt/config.toml"},
		{"XDG", []string{"HOME=/h", "XDG_CONFIG_HOME=/c"}, "/c/envcrypt/config.toml"},
		{"XDG alone", []string{"XDG_CONFIG_HOME=/c"}, "/c/envcrypt/config.toml"},
		{"relative XDG, which its specification says to ignore", []string{"HOME=/h", "XDG_CONFIG_HOME=c"}, "/h/.config/envcrypt/config.toml"},
	} {
		if got := Config(tt.env, "config.toml"); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
