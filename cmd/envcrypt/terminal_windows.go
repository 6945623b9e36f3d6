package main

const terminalIn, terminalOut = "CONIN$", "CONOUT$"

// hideInput is what [term.ReadPassword] does here.
func hideInput(int) error { return nil }

// dropTypeAhead does nothing here.
func dropTypeAhead(int) {}
