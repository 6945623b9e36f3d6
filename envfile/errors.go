package envfile

import "fmt"

// A Reason says why a text is not in the dialect. It is its own message.
type Reason string

const (
	UnterminatedQuote Reason = "unterminated quote"
	TextAfterQuote    Reason = "text after the closing quote"
	MissingEquals     Reason = `missing "="`
	DuplicateKey      Reason = "duplicate key"
	InvalidKey        Reason = "invalid key: only letters, digits and _, and no digit first"
	ReservedKey       Reason = `keys that start with "sops_" are reserved for SOPS metadata`
	NULByte           Reason = "NUL byte"
	InvalidUTF8       Reason = "invalid UTF-8"
	ConflictMarker    Reason = "git conflict marker"
)

// ParseError is the first thing that Parse could not accept. It holds no text of the file, because a line that
// could not be read may be a secret; the one exception is the name of a key that is there twice.
type ParseError struct {
	Line      int // from 1; for an unterminated quote, where it was opened
	Reason    Reason
	Key       string // of a DuplicateKey, else empty
	OtherLine int    // of a DuplicateKey: where it stands first; else 0
}

func (e *ParseError) Error() string {
	if e.Reason == DuplicateKey {
		return fmt.Sprintf("line %d: %s %s, first on line %d", e.Line, e.Reason, e.Key, e.OtherLine)
	}
	return fmt.Sprintf("line %d: %s", e.Line, e.Reason)
}

// A Construct is something that other programs read in another way than this package.
type Construct string

const (
	Backtick       Construct = "backtick"                       // a command in shells, a quote in Node
	Dollar         Construct = `unescaped "$"`                  // interpolation
	Backslash      Construct = "backslash that is no escape"    // dropped, or an escape
	Hash           Construct = `"#" without a blank before it`  // a comment, or none
	CarriageReturn Construct = "carriage return inside a value" // a line end
)

// Warning names a construct that was read as the dialect says and that other programs read differently. Each
// construct is named once for each key. There is no text of the value in it.
type Warning struct {
	Line      int
	Key       string
	Construct Construct
}

func (w Warning) String() string {
	return fmt.Sprintf("line %d: %s: %s: other programs may read it differently", w.Line, w.Key, w.Construct)
}

// ExpressError names a variable that a format cannot express. It never holds the value.
type ExpressError struct {
	Key    string // empty if it is a comment that cannot be expressed
	Format string // "dotenv", "json", "yaml" or "shell"
	Reason string
}

func (e *ExpressError) Error() string {
	what := e.Key
	switch {
	case what == "":
		what = "a comment"
	case !ValidKey(what):
		what = fmt.Sprintf("%q", what)
	}
	return fmt.Sprintf("%s cannot be expressed as %s: %s", what, e.Format, e.Reason)
}
