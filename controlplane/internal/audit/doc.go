// Package audit is the record of who did what.
//
// It owns the draft of an event ([Draft]): a face begins one for each operation that it lets in, domains note in it what they
// changed ([Note]), and the ground writes it in the transaction that makes the change, so that there is no change without its
// event and no event without its change.
package audit
