// Package apikey is the contract of the kind "api-key": it proves a consumer by an API key.
//
// It owns the kind's name, phase, traits and deep validation. It does not own the key's format and
// digest (proto/apikey), nor the stage that looks keys up (the edge).
package apikey
