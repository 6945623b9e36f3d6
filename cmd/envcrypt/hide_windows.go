package main

// hideArguments does nothing here: a process cannot change its command line.
func hideArguments([]string) {}

// hidePrivate does nothing for the same reason.
func hidePrivate() {}
