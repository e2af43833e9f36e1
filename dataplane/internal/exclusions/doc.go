// Package exclusions is what rules of the WAF don't look at on single routes, for a time: the exclusions of a configuration, compiled.
//
// It owns which of them hold on a route at a moment, by the node's clock ([Route.Skipped]), and which one in shadow would have kept a rule from
// what it found ([Route.Noted]). It owns no inspection and no verdict: an engine leaves out what it is told to, and what is in shadow lets
// nothing pass.
//
// Data flows waf-exclusions → snapshot → [Set] → Exchange.Exclusions → the stage of the WAF.
package exclusions
