package launch

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func TestEnviron(t *testing.T) {
	values := [][2]string{{"A", "a"}, {"B", "b=c"}, {"EMPTY", ""}}
	inherited := []string{"HOME=/home", "A=old", "A=older", "ENVIRONMENT=old", "SOPS_AGE_KEY=secret", "ENVCRYPT_IDENTITY_FILE=x", "broken"}
	for _, c := range []struct {
		name string
		o    Options
		want []string
	}{
		{"values override", Options{Variable: "ENVIRONMENT", Name: "staging"},
			[]string{"HOME=/home", "broken", "A=a", "B=b=c", "EMPTY=", "ENVIRONMENT=staging"}},
		{"no variable", Options{},
			[]string{"HOME=/home", "ENVIRONMENT=old", "broken", "A=a", "B=b=c", "EMPTY="}},
		{"keep", Options{Keep: []string{"A", "B", "MISSING"}},
			[]string{"HOME=/home", "A=old", "A=older", "ENVIRONMENT=old", "broken", "B=b=c", "EMPTY="}},
		{"only", Options{Only: []string{"EMPTY", "A"}},
			[]string{"HOME=/home", "ENVIRONMENT=old", "broken", "EMPTY=", "A=a"}},
		{"only none", Options{Only: []string{}},
			[]string{"HOME=/home", "A=old", "A=older", "ENVIRONMENT=old", "broken"}},
		{"pristine", Options{Pristine: true, Keep: []string{"HOME"}, Variable: "ENVIRONMENT", Name: "staging"},
			[]string{"HOME=/home", "A=a", "B=b=c", "EMPTY=", "ENVIRONMENT=staging"}},
		{"the variable wins over a value", Options{Variable: "A", Name: "staging"},
			[]string{"HOME=/home", "ENVIRONMENT=old", "broken", "B=b=c", "EMPTY=", "A=staging"}},
	} {
		got, err := Environ(inherited, values, c.o)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, %v\nwant %q", c.name, got, err, c.want)
		}
	}
}

func TestEnvironRefuses(t *testing.T) {
	values := [][2]string{{"A", "1"}, {"LD_PRELOAD", "x"}, {"PATH", "/x"}}
	_, err := Environ(nil, values, Options{Allow: []string{"PATH"}})
	var refused *RefusedError
	if !errors.As(err, &refused) || !slices.Equal(refused.Keys, []string{"LD_PRELOAD"}) {
		t.Errorf("refused: %v", err)
	}
	if _, err := Environ(nil, values, Options{Allow: []string{"PATH", "LD_PRELOAD"}}); err != nil {
		t.Errorf("allowed: %v", err)
	}
	if _, err := Environ(nil, values, Options{Only: []string{"A"}}); err != nil {
		t.Errorf("left out: %v", err)
	}
	// What the caller's variable replaces is not passed, and so not refused.
	inherited := []string{"PATH=/bin", "LD_PRELOAD=mine"}
	got, err := Environ(inherited, values, Options{Keep: []string{"PATH", "LD_PRELOAD"}})
	if want := append(slices.Clone(inherited), "A=1"); err != nil || !slices.Equal(got, want) {
		t.Errorf("kept: %q, %v", got, err)
	}
	_, err = Environ(nil, values, Options{Only: []string{"A", "B", "C"}})
	var missing *MissingError
	if !errors.As(err, &missing) || !slices.Equal(missing.Keys, []string{"B", "C"}) {
		t.Errorf("missing: %v", err)
	}
}

func TestEnvironSize(t *testing.T) {
	most := variableLimit - len("K=\x00")
	for size, want := range map[int]bool{most: true, most + 1: false, 4 * variableLimit: false} {
		_, err := Environ(nil, [][2]string{{"SMALL", "x"}, {"K", strings.Repeat("x", size)}}, Options{})
		var large *TooLargeError
		switch {
		case want && err != nil:
			t.Errorf("%d bytes: %v", size, err)
		case !want && (!errors.As(err, &large) || large.Key != "K" || strings.Contains(err.Error(), "xxx")):
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

// One name of each class that the design lists, and those that only look like one.
func TestDangerous(t *testing.T) {
	for name := range strings.FieldsSeq(`
		LD_PRELOAD LD_LIBRARY_PATH LD_AUDIT LD_ANYTHING DYLD_INSERT_LIBRARIES PATH BASH_ENV ENV IFS PROMPT_COMMAND
		SHELLOPTS BASHOPTS PS4 BASH_FUNC_x NODE_OPTIONS NODE_PATH PYTHONPATH PYTHONSTARTUP PYTHONHOME PERL5OPT PERL5LIB
		RUBYOPT RUBYLIB JAVA_TOOL_OPTIONS _JAVA_OPTIONS JDK_JAVA_OPTIONS CLASSPATH
		GIT_SSH GIT_SSH_COMMAND GIT_PROXY_COMMAND GIT_ASKPASS GIT_EDITOR GIT_PAGER GIT_EXTERNAL_DIFF GIT_EXEC_PATH
		GIT_CONFIG_COUNT GIT_CONFIG_PARAMETERS GIT_CONFIG_KEY_0 GIT_TEMPLATE_DIR
		HTTP_PROXY HTTPS_PROXY https_proxy ALL_PROXY no_proxy ftp_proxy
		EDITOR VISUAL PAGER BROWSER LESSOPEN SSH_ASKPASS SSL_CERT_FILE NODE_EXTRA_CA_CERTS NODE_TLS_REJECT_UNAUTHORIZED
		npm_config_registry NPM_CONFIG_REGISTRY GLIBC_TUNABLES GCONV_PATH PHPRC LUA_INIT MAKEFLAGS RUSTC_WRAPPER
		ENVCRYPT_IDENTITY ENVCRYPT_IDENTITY_FILE SOPS_AGE_KEY SOPS_AGE_KEY_FILE SOPS_AGE_KEY_CMD SOPS_AGE_SSH_PRIVATE_KEY_FILE`) {
		if !Dangerous(name) {
			t.Errorf("%s is passed", name)
		}
	}
	for name := range strings.FieldsSeq(`
		DATABASE_URL API_KEY STRIPE_KEY PORT LOG_LEVEL NODE_ENV RAILS_ENV APP_ENV ENVIRONMENT ENV_NAME PATH_PREFIX
		GIT_COMMIT GITHUB_TOKEN PGPASSWORD PYTHONUNBUFFERED PROXY_URL HTTPS_PROXY_PASSWORD JAVA_HOME SOPS_VERSION OLD_PRELOAD`) {
		if Dangerous(name) {
			t.Errorf("%s is refused", name)
		}
	}
	for _, name := range []string{"", "HOME USERPROFILE", "SHELL\nHOME", "NT", "ATH", "COMSPE", "HOMES"} { // parts of the lists
		if Dangerous(name) {
			t.Errorf("%q is refused", name)
		}
	}
}

func TestHoldsIdentity(t *testing.T) {
	for name, want := range map[string]bool{
		"ENVCRYPT_IDENTITY": true, "ENVCRYPT_IDENTITY_FILE": true, "ENVCRYPT_IDENTITY_NEW": true, "SOPS_AGE_KEY": true, "SOPS_AGE_NEW": true,
		"ENVCRYPT_EDITOR": false, "SOPS_EDITOR": false, "AGE_KEY": false,
	} {
		if HoldsIdentity(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}

func TestLook(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // where the name tells what can be executed
	}
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"program": 0o755, "text": 0o644} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"), mode); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
	t.Chdir(dir)
	for name, want := range map[string]int{
		"program": 0, "./program": 0, filepath.Join(dir, "program"): 0,
		"./text": exitNotExecutable, "./": exitNotExecutable, dir: exitNotExecutable,
		"missing": exitNotFound, "./missing": exitNotFound, "missing/program": exitNotFound, "": exitNotFound,
	} {
		path, err := Look(name)
		var failed *CommandError
		switch {
		case want == 0 && (err != nil || filepath.Base(path) != "program"):
			t.Errorf("%s: %q, %v", name, path, err)
		case want != 0 && (!errors.As(err, &failed) || failed.Code != want || path != ""):
			t.Errorf("%s: %q, %v, want code %d", name, path, err, want)
		}
	}
}
