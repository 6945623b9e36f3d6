//go:build unix

package audit

import (
	"bytes"
	"encoding/binary"
	"errors"
	"log/syslog"
	"net"
	"strconv"
	"strings"
	"time"
)

const (
	identifier    = "envcrypt"
	journalSocket = "/run/systemd/journal/socket"
	sendWait      = 2 * time.Second

	// syslogLimit keeps a line whole in rsyslog, which cuts messages at 8 KiB.
	syslogLimit = 8000
)

// sendSyslog sends an entry's line to the local syslog daemon, or to the one at a socket.
// The file's line is the same, but for names left out of long lists.
func sendSyslog(socket string, e *Entry) error {
	line := string(e.append(nil, syslogLimit))
	result := make(chan error, 1)
	go func() { // log/syslog has no deadline, and a stuck daemon must not stop an exec
		result <- writeSyslog(socket, e, line)
	}()
	select {
	case err := <-result:
		return err
	case <-time.After(sendWait):
		return errors.New("no answer from the daemon")
	}
}

func writeSyslog(socket string, e *Entry, line string) error {
	network := "unixgram"
	if socket == "" {
		network = "" // where log/syslog looks for the local daemon
	}
	w, err := syslog.Dial(network, socket, severity(e)|syslog.LOG_AUTHPRIV, identifier)
	if err != nil {
		return err
	}
	defer w.Close()
	_, err = w.Write([]byte(line))
	return err
}

// severity is what a SIEM's alarms look at.
func severity(e *Entry) syslog.Priority {
	switch e.Outcome {
	case Denied, Failed:
		return syslog.LOG_WARNING
	}
	return syslog.LOG_INFO
}

// sendJournal sends an entry to journald by its native protocol
// (https://systemd.io/JOURNAL_NATIVE_PROTOCOL): one datagram of fields. MESSAGE is the
// line as the file has it.
func sendJournal(socket string, e *Entry) error {
	if socket == "" {
		socket = journalSocket
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(sendWait)); err != nil {
		return err
	}
	_, err = conn.Write(journalDatagram(e))
	return err
}

func journalDatagram(e *Entry) []byte {
	var b bytes.Buffer
	for _, field := range [][2]string{
		{"MESSAGE", string(e.AppendJSON(nil))},
		{"PRIORITY", strconv.Itoa(int(severity(e)))},
		{"SYSLOG_FACILITY", strconv.Itoa(int(syslog.LOG_AUTHPRIV >> 3))},
		{"SYSLOG_IDENTIFIER", identifier},
		{"ENVCRYPT_ACTION", e.Action},
		{"ENVCRYPT_OUTCOME", string(e.Outcome)},
		{"ENVCRYPT_ENVIRONMENT", e.Environment},
		{"ENVCRYPT_PROJECT", e.Project},
		{"ENVCRYPT_ACTOR", e.Actor},
		{"ENVCRYPT_COMMAND", base(e.Command)},
		{"ENVCRYPT_REASON", e.Reason},
		{"ENVCRYPT_ERROR", e.Error},
		{"ENVCRYPT_AGENT", e.Agent},
		{"ENVCRYPT_CI", e.CI},
	} {
		appendJournalField(&b, field[0], field[1])
	}
	return b.Bytes()
}

func appendJournalField(b *bytes.Buffer, name, value string) {
	const valueLimit = 4096
	switch {
	case value == "":
		return
	case name != "MESSAGE" && len(value) > valueLimit:
		value = value[:valueLimit]
	}
	b.WriteString(name)
	if strings.Contains(value, "\n") {
		b.WriteByte('\n')
		b.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(value))))
	} else {
		b.WriteByte('=')
	}
	b.WriteString(value)
	b.WriteByte('\n')
}
