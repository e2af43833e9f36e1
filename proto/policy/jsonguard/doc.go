// Package jsonguard is the contract of the kind "json-guard": it lets through only JSON that has one reading, within bounds.
//
// It owns the kind's name, phase, traits and what it says of itself. It does not own the parsing, nor the verdict: those are the edge's.
package jsonguard
