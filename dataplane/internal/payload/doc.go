// Package payload is the body of a request for those who must have it whole: it is read once, decoded once and parsed once, whoever asks.
//
// It owns the reading into memory ([Body]), what content codings hide, what formats say, and the node's bound on the memory of all bodies
// together ([Memory]). It owns no verdict: a policy decides what a body may look like, and what becomes of one that is too large.
//
// What was read goes on to the service as it came, byte for byte; what lies beyond the bound of those who asked streams behind it.
package payload
