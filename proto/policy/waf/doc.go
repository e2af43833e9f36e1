// Package waf is the contract of the kind "waf": requests, and answers where asked, are inspected by the OWASP Core Rule Set and by rules of one's own.
//
// It owns the kind's name, phase, traits, what is deeply wrong with a configuration, what a change of it means for callers, and what they see of it. It
// doesn't own how a configuration becomes rules (package ruleset), nor the engine and the stage (the edge's).
//
// Raw SecLang is read by ruleset's grammar first, and compiled by the engine itself then, with all that the policy adds but without the Core Rule Set:
// what it says of that is checked against what is known of its rules. That takes milliseconds, instead of the quarter of a second and the 20 MB of the
// whole; a policy without raw SecLang isn't compiled here at all, since what is composed of typed rules compiles by construction.
package waf
