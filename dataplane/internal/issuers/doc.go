// Package issuers is what a node knows of the token issuers that the configuration trusts: what their tokens must look like, whom these
// speak of, and by which keys they are signed now.
//
// It owns the compiled form of an issuer ([Issuer], found in a revision's [Set]), its effective keys ([Keys]), and looking for new ones
// ([Registry]). It owns neither the grammar and signatures of tokens (package token), nor where a request shows one (policies/jwt), nor the
// directory, which holds what the control plane saw.
//
// # Which keys are good
//
// An issuer's keys come from the directory, where the control plane puts those that it fetched or was given, and, where the issuer is one
// that nodes ask themselves, from the node's own look. A key is good if a source shows it and none has seen it go: the directory names the
// keys that were taken back, the node remembers which it has seen go. What the node fetched is in no digest, no revision and on no disk: no
// rollback brings it back. While neither source answers, what was good stays good.
//
// # A key that nobody knows
//
// A token that names a key that isn't there is refused, and somebody is asked, beside the request: the control plane, the issuer, or both
// ([Registry.Unknown]). Only one question about an issuer is under way at a time, and each that brings nothing new doubles the pause before the
// next one, so that a thousand made-up names cost a handful of questions. Requests wait for it only where their policy says so, a second at
// most and a bounded number of them.
//
// # Goroutines
//
// Registry.Run owns them all, and returns once they have ended. Keys and sets start nothing: a revision that never comes into force costs
// memory alone.
package issuers
