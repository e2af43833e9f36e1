// Package identitytoken enforces the kind "identity-token": it tells services who calls, by a token that it signs or by plain fields.
//
// It owns what is said, the signing, and the node's memory of what it has signed. What may be said, and in which fields, is the
// contract's (proto/policy/identitytoken); the keys are the directory's, asked anew for each request.
//
// A token is looked up by all that it says but its times, compared exactly, so that no caller is ever given another's. It is made anew when
// half of its life has passed or another key signs; meanwhile the first to see so makes it, and the others go on with the one that is still good. All
// policies of a node share one bounded memory, in parts that are locked by themselves.
//
// Fields by which the policy speaks are taken out of each request first, so that no client speaks in its place, known or not. Where a token
// can't be made although the caller is known, the request fails closed: a service that is told nothing might take the caller for nobody. A dry run signs
// nothing: an explanation must not be a way to be somebody.
package identitytoken
