// Package ruleset turns the configuration of a waf policy into the rules that engines load: setup, Core Rule Set, rules and exceptions of one's
// own, in SecLang, in one order.
//
// It is the one place that rules come from ([Compose]), for the control plane, which refuses what can't be composed, for the nodes' engines and for
// whatever proves requests clean without running the rules. It owns what a target is in SecLang ([ParseTarget], [Variables]), what is known of the
// Core Rule Set's rules ([Known]), and what raw SecLang may say ([Check]). It owns neither the engine nor what follows from a decision.
//
// What people write never gets into SecLang as they wrote it: texts become patterns of escapes, patterns are parsed and written anew, messages lose what
// quotes, and raw SecLang is read by a grammar that is stricter than the engine's and written anew, one directive on one line.
//
// The same rules have the same text and the same digest, so that engines are shared; what the policy says of budgets, samples and sizes isn't a rule.
// Exceptions on some paths aren't either: who inspects applies them to a request by its canonical path ([Rules.Exceptions]), since the path that an
// engine sees is another one. So it is with those from what later links of a chain look at, which SecLang can't say.
package ruleset
