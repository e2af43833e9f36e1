// Package cel is the contract of the kind "cel": an expression (CEL, cel.dev) that must be true of a request for it to pass.
//
// It owns the kind's name, phase and deep validation, and what both planes must agree on: the variables and their types, the functions, the
// bounds when an expression is written and when it is evaluated ([Compile], [Program.Holds]). It doesn't own the values: a node lays them
// over an exchange (dataplane/internal/policies/cel), the control plane over what it knows of a consumer.
//
// Variables are read when an expression looks at them, so that one costs what it uses. Objects ([Object]) have the fields of their type
// here; a text that is longer than [MaxText] isn't judged.
//
// An expression without loops is bounded by its estimate, in which everything is as large as it may be; one with loops is counted while it
// runs as well. Regular expressions and address ranges are constants, read when the expression is written; time zones are offsets, since
// the name of one is looked up on the disk.
package cel
