// Package expression is what all expressions that people write (CEL, cel.dev) have in common: what one may cost at the most, and the words in
// which its author is told what is wrong with it.
//
// It owns the check ([Check]): syntax, names and types by the environment of whoever has expressions; the result, which is a truth; the
// patterns of `matches`, constants of a bounded size, since no clock stops a regular expression; and the estimated cost. It doesn't own
// variables, nor what becomes of an expression that isn't true (packages guardrail and policy/cel).
package expression
