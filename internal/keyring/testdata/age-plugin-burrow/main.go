// Command age-plugin-burrow is a plugin of age's for tests. It encrypts with X25519
// under a name of its own, and appends the environment that it was started with to
// the file that BURROW_LOG names: one line for the start, then the variables.
//
// With an X25519 private key as its argument it prints the plugin's two keys.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"strings"

	"filippo.io/age"
	"filippo.io/age/plugin"
)

const name = "burrow"

func main() {
	p, err := plugin.New(name)
	if err != nil {
		log.Fatal(err)
	}
	p.RegisterFlags(nil)
	flag.Parse()
	if err := tell(); err != nil {
		log.Fatal(err)
	}
	if flag.NArg() == 1 {
		id, err := age.ParseX25519Identity(flag.Arg(0))
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(plugin.EncodeIdentity(name, []byte(id.String())))
		fmt.Println(plugin.EncodeRecipient(name, []byte(id.Recipient().String())))
		return
	}
	p.HandleRecipient(func(data []byte) (age.Recipient, error) {
		to, err := age.ParseX25519Recipient(string(data))
		return recipient{to}, err
	})
	p.HandleIdentity(func(data []byte) (age.Identity, error) {
		id, err := age.ParseX25519Identity(string(data))
		return identity{id}, err
	})
	os.Exit(p.Main())
}

// tell writes down what a start has inherited.
func tell() error {
	path := os.Getenv("BURROW_LOG")
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "started %s\n%s\n", strings.Join(os.Args[1:], " "), strings.Join(os.Environ(), "\n"))
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

type recipient struct{ age.Recipient }

func (r recipient) Wrap(fileKey []byte) ([]*age.Stanza, error) {
	stanzas, err := r.Recipient.Wrap(fileKey)
	for _, s := range stanzas {
		s.Type = name
	}
	return stanzas, err
}

type identity struct{ age.Identity }

func (i identity) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	var own []*age.Stanza
	for _, s := range stanzas {
		if s.Type == name {
			own = append(own, &age.Stanza{Type: "X25519", Args: s.Args, Body: s.Body})
		}
	}
	return i.Identity.Unwrap(own)
}
