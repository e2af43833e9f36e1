// Package identitytoken is the contract of the kind "identity-token": it tells services who calls.
//
// It owns the kind's name, phase, traits and deep validation: which fields may speak of callers, and which claims a token may say. It owns
// neither the keys (proto/identitykey) nor the signing, which is the edge's stage. TOKENS.md is for who owns a service.
package identitytoken
