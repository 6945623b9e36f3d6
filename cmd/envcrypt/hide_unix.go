//go:build unix

package main

import (
	"os"
	"slices"
	"strings"
	"unsafe"

	"envcrypt/recipients"
)

// hideArguments overwrites the values of KEY=VALUE arguments in this process's
// own memory, which is where ps and journald read a command line. Whoever looked
// before has seen them.
func hideArguments(args []string) {
	for _, arg := range os.Args { // which the runtime leaves where the system put them
		key, value, found := strings.Cut(arg, "=")
		if found && value != "" && slices.Contains(args, arg) {
			memory := unsafe.Slice(unsafe.StringData(arg), len(arg))
			clear(memory[len(key)+1:])
		}
	}
}

// hidePrivate overwrites arguments that are private keys in the same way.
func hidePrivate() {
	for _, arg := range os.Args[1:] {
		if recipients.LooksPrivate(arg) {
			clear(unsafe.Slice(unsafe.StringData(arg), len(arg)))
		}
	}
}
