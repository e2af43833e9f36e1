// Package audit is the record of who did what.
//
// It owns the draft of an event ([Draft]): a face begins one for each operation that it lets in, domains note in it what they
// changed ([Note]), and the ground writes it in the transaction that makes the change, so that there is no change without its
// event and no event without its change. Who writes without a face (the control plane itself, a command at its machine, a node that
// enrols) begins a draft of its own ([Ensure], [BySystem]). A draft that is quiet is written only if something was changed.
//
// An event ([adminv1.AuditEvent]) is a link of a chain: one for each environment, and a global one (chain "") for what is in none.
// Its form is AUDIT.md's, in one sentence: the event's fields 1 to 18 are marshalled once, deterministically, and kept as these bytes
// (the record); hash = SHA-256("sallyport audit v1", 0x00, hash of the event before, record), the first one's predecessor being 32
// zero bytes. Columns beside the record are drawn from it, to be looked up by, and [Verify] compares them.
//
// A chain's head is a row that is locked behind everything else that a transaction locks, for the time of two statements and the
// commit; where an event goes into two chains (an epoch's opening), the environment's comes before the global one. So
// no two writers wait for each other in a circle.
//
// Objects are shown before and after with every field masked that the contract calls secret ([Masked]).
//
// Whoever owns the database can write the whole record anew, consistently. Against that the heads are signed ([Heads]), sent to
// nodes, kept there, and shown again: a record that doesn't lead through each head that was seen is found, by the running control plane
// as far as heads tell, and whole by [Verify]. After an alarm over an environment nothing is signed for it any more, so that what nodes
// keep stays evidence, until a new epoch begins.
//
// Signing in is an operation like any other: a good one is written with the session that it makes, a failed one is a denial.
//
// What was denied is recorded behind the answer, from a bounded queue ([Denied]). Not recorded are reads, writes that were
// refused for what they say (4xx but 401 and 403), what nodes report, and renewals of their certificates.
//
// Events are kept for ever in this version: nothing removes one.
//
// Data flows: face → Draft ← domains; Draft → record → Store → Heads → nodes → witnesses → Verify.
package audit
