// Package guardrails holds a change of the configuration against the rules that its environment has set over it.
//
// It owns which objects each guardrail is evaluated over, what is excepted, in which words a broken one is told, and the bound
// of time for all of them. What a rule may say is the contract's (proto/guardrail); package publish calls [Guard.Check] behind the
// environment's lock, so that no two writers break a rule together, and turns what is found into its refusal. GUARDRAILS.md
// explains guardrails with examples, each of which a test runs.
//
// What is evaluated follows what changed: objects that the change touches; routes whose policies or service change, where a rule
// looks at those; and everything that a guardrail applies to when it is itself new or changed. A rule that can't be evaluated
// counts as broken.
//
// Data flows a checked candidate → Findings → refusals and warnings of the write.
package guardrails
