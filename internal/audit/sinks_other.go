//go:build !unix

package audit

import "errors"

var errNoSink = errors.New("this system has none; remove it from sinks")

func sendSyslog(string, *Entry) error { return errNoSink }

func sendJournal(string, *Entry) error { return errNoSink }
