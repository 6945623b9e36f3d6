//go:build unix

package audit

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// listen returns the path of a socket like the daemon's, and a function that gets the
// next datagram.
func listen(t *testing.T) (string, func() []byte) {
	path := filepath.Join(t.TempDir(), "s")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return path, func() []byte {
		b := make([]byte, 1<<20)
		conn.SetDeadline(time.Now().Add(5 * time.Second))
		n, err := conn.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return b[:n]
	}
}

func TestSyslog(t *testing.T) {
	socket, receive := listen(t)
	l := testLog(newLog(t))
	l.config.Sinks, l.config.SyslogSocket = []string{sinkSyslog, sinkFile}, socket
	fill(t, l, 1, 1)
	prefix, line, ok := strings.Cut(string(receive()), ": ")
	if file := string(read(t, l.config.File)); !ok || strings.TrimSpace(line) != strings.TrimSpace(file) {
		t.Errorf("%s\n%s", line, file)
	}
	if !strings.HasPrefix(prefix, "<86>") || !strings.Contains(prefix, "envcrypt[") {
		t.Errorf("prefix %q", prefix)
	}
	e := testEntry(2)
	e.Outcome, e.Keys = Denied, strings.Split(strings.Repeat("LONG_NAME_OF_A_KEY ", 2000), " ")
	if err := l.Append(e); err != nil {
		t.Fatal(err)
	}
	prefix, line, _ = strings.Cut(string(receive()), ": ")
	var got Entry
	if err := json.Unmarshal([]byte(line), &got); err != nil || got.Seq != 2 || got.Prev == "" || len(line) > syslogLimit+1 || len(got.Keys)+got.More != 2001 || !strings.HasPrefix(prefix, "<84>") {
		t.Errorf("%v %s %d bytes", err, prefix, len(line))
	}
	l.config.Sinks = []string{sinkSyslog}
	fill(t, l, 3, 3)
	if line := string(receive()); strings.Contains(line, `"seq"`) || strings.Contains(line, `"prev"`) {
		t.Error(line)
	}
}

// parseJournal reads a datagram as systemd's document of the protocol says.
func parseJournal(t *testing.T, b []byte) map[string]string {
	t.Helper()
	fields := make(map[string]string)
	for len(b) > 0 {
		i := bytes.IndexAny(b, "=\n")
		name := string(b[:i])
		if b[i] == '=' {
			value, rest, _ := bytes.Cut(b[i+1:], []byte("\n"))
			fields[name], b = string(value), rest
			continue
		}
		n := int(binary.LittleEndian.Uint64(b[i+1:]))
		b = b[i+9:]
		if b[n] != '\n' {
			t.Fatal("no newline after a value")
		}
		fields[name], b = string(b[:n]), b[n+1:]
	}
	return fields
}

func TestJournal(t *testing.T) {
	socket, receive := listen(t)
	l := testLog(newLog(t))
	l.config.Sinks, l.config.JournalSocket = []string{sinkJournald, sinkFile}, socket
	e := testEntry(1)
	e.Reason, e.Outcome = "two\nlines\nMESSAGE=forged", Failed
	if err := l.Append(e); err != nil {
		t.Fatal(err)
	}
	got := parseJournal(t, receive())
	for name, want := range map[string]string{"MESSAGE": strings.TrimSpace(string(read(t, l.config.File))), "PRIORITY": "4", "SYSLOG_FACILITY": "10",
		"SYSLOG_IDENTIFIER": "envcrypt", "ENVCRYPT_ENVIRONMENT": "production", "ENVCRYPT_REASON": e.Reason, "ENVCRYPT_OUTCOME": "failed",
		"ENVCRYPT_COMMAND": "node", "ENVCRYPT_ACTION": "exec", "ENVCRYPT_ACTOR": "alice"} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
	e.Keys = strings.Split(strings.Repeat("LONG_NAME_OF_A_KEY ", 20_000), " ")
	if err := l.Append(e); err != nil {
		t.Fatal(err)
	}
	if got := parseJournal(t, receive()); len(got["MESSAGE"]) > entryLimit || len(got["MESSAGE"]) < entryLimit-100 {
		t.Error(len(got["MESSAGE"]))
	}
}

func TestSinkErrors(t *testing.T) {
	l := testLog(newLog(t))
	none := filepath.Join(t.TempDir(), "none")
	l.config.Sinks = []string{sinkSyslog, sinkJournald, sinkFile}
	l.config.SyslogSocket, l.config.JournalSocket = none, none
	err := l.Append(testEntry(1))
	var all SinkErrors
	if !errors.As(err, &all) || len(all) != 2 || strings.Contains(err.Error(), "\n") {
		t.Fatal(err)
	}
	wantClean(t, l.config.File, 1) // the others have it all the same
	l.config.Required = []string{"production"}
	var required *RequiredError
	if _, err := l.Begin(testEntry(1)); !errors.As(err, &required) {
		t.Fatal(err)
	}
}

// A daemon that hangs does not stop an operation for long.
func TestStuckDaemons(t *testing.T) {
	socket, _ := listen(t)
	l := testLog(newLog(t))
	l.config.Sinks = []string{sinkSyslog}
	l.config.SyslogSocket, l.config.JournalSocket = socket, socket
	for _, sink := range []string{sinkSyslog, sinkJournald} {
		l.config.Sinks = []string{sink}
		var err error
		began := time.Now()
		for i := 0; err == nil && i < 10_000; i++ {
			began = time.Now()
			err = l.Append(testEntry(i))
		}
		if err == nil || time.Since(began) > 2*sendWait {
			t.Error(sink, err, time.Since(began))
		}
	}
}
