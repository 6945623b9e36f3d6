// Package conformance holds envcrypt's file format against the programs that
// define it: sops v3.13.3 and age v1.3.2, as go.mod pins them; and reports against
// the schema of SARIF. It is a module of its own so that the cloud SDKs that sops links stay out of envcrypt.
//
// The sops program is built from the pinned module by the tests and kept in the
// user's cache directory. Random documents come of a seed that every run prints
// and -seed repeats; as go test caches what passed, a run with other documents
// needs -count=1.
package conformance
