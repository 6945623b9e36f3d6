package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/urfave/cli/v2"
)

func (a *app) versionCommand() *cli.Command {
	return a.command(cli.Command{
		Usage: "print the version",
		Description: `Prints the program's version, the commit it was built from where that is
known, and the Go release and system it was built for.

EXAMPLES:
   envcrypt version
   envcrypt version --json`,
		Flags: []cli.Flag{a.jsonFlag()},
	}, func(c *cli.Context) error {
		if _, err := arguments(c, 0, 0); err != nil {
			return err
		}
		v := buildVersion()
		if a.json {
			return a.printJSON(v)
		}
		_, err := fmt.Fprintf(a.out, "%s %s %s %s/%s\n", programName, v.Version, v.Go, v.OS, v.Arch)
		return err
	})
}

type versionInfo struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Go       string `json:"go"`
	OS       string `json:"os"`
	Arch     string `json:"arch"`
}

func buildVersion() versionInfo {
	v := versionInfo{Version: "(unknown)", Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	v.Version = info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			v.Revision = s.Value
		}
	}
	return v
}
