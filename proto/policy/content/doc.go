// Package content is the contract of the kind "content": it holds a body against what its Content-Type says it is.
//
// It owns the kind's name, phase, traits, deep validation and what it says of itself. It does not own the parsing, nor the verdict: those are
// the edge's.
package content
