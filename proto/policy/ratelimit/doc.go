// Package ratelimit is the contract of the kind "rate-limit": it bounds how many requests one
// caller may make.
//
// It owns the kind's name, phase, traits and deep validation. It does not own the counters nor the
// arithmetic of the limit: those are the edge's limiter.
package ratelimit
