// A program that reads its configuration as docs/sources.md says: the same line in a test, on
// a laptop, in CI and on a box.
package main

import (
	"context"
	"fmt"
	"os"

	"envcrypt"
)

func main() {
	values, err := envcrypt.Load(context.Background(), envcrypt.Options{
		Environment: os.Getenv("ENVIRONMENT"),
		File:        os.Getenv("APP_SECRETS"), // on a box that has no project
		Variables:   true,                     // what exec or a CI job has set wins
		Example:     os.Getenv("APP_FAKES") != "",
		Require:     []string{"DATABASE_URL", "STRIPE_KEY"},
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("database", values.Get("DATABASE_URL"))
	fmt.Println("stripe", values.Get("STRIPE_KEY"))
}
