// Package guardrail is what a guardrail's rule may say: CEL over resources of the configuration, typed and bounded.
//
// It owns the variables of a rule and their types ([Compile]), the values that resources have in it ([Value]), and the
// bounds: a rule's length, nesting and estimated cost when it is written (package expression), its cost and time each time it is
// evaluated ([Rule.Holds]). It doesn't own which objects a rule is held against, nor what becomes of a change that breaks one (package
// guardrails of the control plane). Nodes run no rules.
//
// A rule's fields are those of the .proto files, checked when the rule is written: a name that isn't there is refused then.
// Texts, numbers, lists and maps that hold nothing are there, empty; enums are their words, durations are CEL's own
// (`duration("30s")`), numbers are integers without `u`. A policy's `config` has the fields of its kind, which only an
// evaluation can check.
package guardrail
