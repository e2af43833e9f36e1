// Package waf inspects requests and answers by rules: it owns the engines, what they are made from, what they find, and how that is shown.
//
// A decision is what an engine says ([Decision]); what follows from it is the policy's (policies/waf). Rules come from proto/ruleset alone, for
// every engine that there is or will be, so that whatever proves requests clean without running the rules proves it of the same rules.
package waf
