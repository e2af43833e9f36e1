// Package differential compares engines: two of them judge one corpus, and every request on which they don't agree is told, with what each of them says.
//
// An engine that is cheaper than another one, a new version of the rules or of what runs them, or a proof that makes running them needless, is taken when it agrees, and
// not before. What must agree is the decision, the rules that found something, in order, and the score ([Verdict]). Which part of a value a rule quotes isn't
// compared: where several fit, an engine may differ from itself.
//
// Engines that are built in another way can't be in one program. The command judge writes verdicts as lines, one per request, for [Read] to compare.
package differential
