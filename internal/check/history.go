package check

import (
	"envcrypt/internal/project"
)

// history looks at an environment's record of writes, which needs no identity.
func (c *Checker) history(env project.Environment) {
	_, problems, err := c.Vault.History(env.Name)
	if err != nil {
		c.add(HistoryBroken, Error, inHistory(env.Name, 0), "bring back the last good version, for example with git", "%v", err)
		return
	}
	for _, p := range problems {
		c.add(HistoryBroken, Error, inHistory(env.Name, p.Line), p.Kind.Hint(), "%s: %s", p.Kind, p.Text)
	}

}
