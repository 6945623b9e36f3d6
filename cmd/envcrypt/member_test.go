package main

import (
	"slices"
	"strings"
	"testing"

	"envcrypt/recipients"
)

func TestLookAlikes(t *testing.T) {
	d := &recipients.Directory{
		Members: map[string][]recipients.Key{"alice": nil, "bob": nil, "web-1": nil, "Modern": nil},
		Groups:  map[string][]string{"ops": nil},
	}
	for name, want := range map[string]string{
		"Alice": "alice", "a1ice": "alice", "alIce": "alice", "al.ice": "alice", "alica": "", "b0b": "bob", "bobb": "",
		"web1": "web-1", "web_l": "web-1", "web-2": "", "0PS": "ops", "modem": "Modern", "alice": "", "op5": "ops",
	} {
		if got := strings.Join(lookAlikes(d, name), " "); got != want {
			t.Errorf("%s looks like %q, want %q", name, got, want)
		}
	}
}

func TestParseJoin(t *testing.T) {
	const key = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"
	for _, text := range []string{
		joinLine("bob", key), " " + joinMark + "  v1\tbob " + key + "\r\n", "hello,\n\n" + joinLine("bob", key) + "\nbye\n",
	} {
		if name, got, err := parseJoin(text); name != "bob" || got != key || err != nil {
			t.Errorf("%q: %q, %q, %v", text, name, got, err)
		}
	}
	for _, text := range []string{
		"", "bob " + key, "> " + joinLine("bob", key), joinLine("bob", key+" comment"), joinLine("", key), joinLine("bob", ""),
		joinLine("bob\x00", key), joinLine("bob", strings.ToUpper(key)), joinLine("bob", key) + joinLine("bob", key),
		"+" + joinLine("bob", key), joinLine("bob", "ssh-rsa AAAA"),
	} {
		if name, got, err := parseJoin(text); name != "" || got != "" || err == nil {
			t.Errorf("%q: %q, %q, %v", text, name, got, err)
		}
	}
}

func FuzzParseJoin(f *testing.F) {
	f.Add(joinLine("bob", "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"))
	f.Fuzz(func(t *testing.T, text string) {
		name, key, err := parseJoin(text)
		if err != nil {
			return
		}
		// What is accepted is one that "envcrypt join" could have printed.
		if again, same, err := parseJoin(joinLine(name, key)); again != name || same != key || err != nil {
			t.Errorf("%q: %q, %q, %v", text, again, same, err)
		}
		if _, err := recipients.ParseKey(key); err != nil {
			t.Error(err)
		}
	})
}

func TestUnifiedDiff(t *testing.T) {
	for _, tt := range []struct{ name, old, new, want string }{
		{"in the middle", "1\n2\n3\n4\n5\n6\n7\n8\n", "1\n2\n3\n4\nx\n5\n6\n7\n8\n", "@@ -2,6 +2,7 @@\n 2\n 3\n 4\n+x\n 5\n 6\n 7\n"},
		{"at the end", "1\n2\n", "1\n2\nx\n", "@@ -1,2 +1,3 @@\n 1\n 2\n+x\n"},
		{"no last line end", "1\n2", "1\n2\nx\n", "@@ -1,2 +1,3 @@\n 1\n-2\n\\ No newline at end of file\n+2\n+x\n"},
		{"at the start", "1\n", "x\n1\n", "@@ -1,1 +1,2 @@\n+x\n 1\n"},
		{"of nothing", "", "x\n", "@@ -0,0 +1,1 @@\n+x\n"},
	} {
		want := "--- a/p\t\n+++ b/p\t\n" + tt.want
		if got := unifiedDiff("p", tt.old, tt.new); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", tt.name, got, want)
		}
	}
}

func TestParseKeySite(t *testing.T) {
	for arg, want := range map[string]keySite{
		"github:alice": {"github", "alice", ""}, "gitlab:a.b=keys.txt": {"gitlab", "a.b", "keys.txt"}, "github:": {"github", "", ""},
	} {
		if got, ok := parseKeySite(arg); !ok || got != want {
			t.Errorf("%s: %+v, %v", arg, got, ok)
		}
	}
	for _, arg := range []string{"bitbucket:alice", "github", "C:\\keys", "age1:x"} {
		if _, ok := parseKeySite(arg); ok {
			t.Errorf("%s is taken for a site", arg)
		}
	}
	users := []string{"", "-a", "..", "a/b", "a b", "a?b", "a\nb", strings.Repeat("a", 101)}
	if i := slices.IndexFunc(users, validUser); i >= 0 {
		t.Errorf("%q is taken for a user", users[i])
	}
}
