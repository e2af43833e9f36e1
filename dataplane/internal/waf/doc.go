// Package waf inspects requests and answers by rules: it owns the engines, what they are made from, what they find, and how that is shown.
//
// A decision is what an engine says ([Decision]); what follows from it is the policy's (policies/waf). Rules come from proto/ruleset alone, for
// every engine that there is or will be, so that whatever proves requests clean without running the rules proves it of the same rules.
//
// # The engine that there is
//
// [Compile] makes one of stock Coraza, by its public API. A request becomes a transaction: the target as sent, fields in their order, Host handed over (the listener's fields hold
// Transfer-Encoding and Content-Length, where they were sent), the body with its content coding undone, about which the header then says nothing, since rules refuse
// what they couldn't look into. What a rule refuses by itself is told apart from what the score refuses ([Decision.Denied]). A finding is one rule in one place,
// with what it added there: a rule's actions run once for each place, so findings add up to the score, and [Decision.Without] can tell what
// would have been without some of them. Nothing of a request is quoted but [Finding.Part], which [Mask] masks before anybody is shown it.
//
// Rules are left out for one request by the transaction's own methods, which Coraza's interface doesn't name: Compile checks that they are there. Patterns are
// shared by all engines of a process and given up with the last engine that has them. Built with no_fs_access, as everything that is shipped is, nothing is
// ever written to a disk.
//
// # Room for a proof
//
// An [Engine] may be anything that keeps to the interface. One that proves requests clean without running rules goes in front of this one as an Engine of its
// own, that has it: its Begin keeps what is skipped and begins nothing; its Head proves the head, and answers the zero decision (with Threshold) if it is clean, else begins a transaction and hands
// the kept head over; its Body does the same with the body, having proven both. An inspection whose request was proven clean begins its transaction, by the kept head and
// body, only if the answer is looked at. What it is compiled from is what this one loads: ruleset.Rules, whose sections and files hold every directive there is, and whose digest tells when
// to compile anew; skipping more only makes more requests clean, so a proof that ignores what is skipped is sound. The differential (waf/differential) compares two Engines by nothing but this interface.
// Nobody else has to change: the stage knows Engine alone.
package waf
