package main

import "envcrypt/internal/environ"

const programName = environ.Program

const exitCodes = `
EXIT CODES:
   0  done
   1  failed
   2  wrong usage: flags, an unknown environment, a bad policy
   3  no identity opens it
   4  the file is damaged, tampered with, unsealed or in the wrong place
   5  a check found something
   6  somebody else changed it
`

const execExitCodes = `
EXIT CODES:
   125  envcrypt itself failed; the command was not started
   126  the command cannot be executed
   127  the command was not found
   otherwise the command's own
`

const topDescription = `Each environment's secrets live in one file, secrets/ENV.env, encrypted to the
readers that envcrypt.toml lists for it. The files are plain SOPS files with age
keys. There is no server.`

const topTemplate = `{{.Name}}: {{.Usage}}

{{.Description}}

USAGE:
   {{.Name}} COMMAND [flags] [arguments]

COMMANDS:{{range .VisibleCommands}}
   {{join .Names ", "}}{{"\t"}}{{.Usage}}{{end}}

EXAMPLES:
   envcrypt init
   envcrypt set DATABASE_URL=postgres://localhost/app_dev
   envcrypt edit production
   envcrypt exec -e staging -- ./server --port 8080

"envcrypt COMMAND --help" tells more about a command.
` + exitCodes

const commandTemplate = `NAME:
   {{.HelpName}} - {{.Usage}}

USAGE:
   {{.HelpName}} [flags]{{if .ArgsUsage}} {{.ArgsUsage}}{{end}}
{{if .Aliases}}
ALIASES:
   {{join .Aliases ", "}}
{{end}}
DESCRIPTION:
   {{nindent 3 .Description | trim}}

FLAGS:{{range .VisibleFlags}}
   {{.}}{{end}}
{{if eq .Name "exec"}}` + execExitCodes + `{{else}}` + exitCodes + `{{end}}
`
