// Package anonymous is the contract of the kind "anonymous": who shows no credential is one consumer, by choice.
//
// It owns the kind's name, phase, place (behind all others that authenticate) and the words for what it opens. It does not own
// the stage (the edge).
package anonymous
