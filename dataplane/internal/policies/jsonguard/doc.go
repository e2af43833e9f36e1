// Package jsonguard is the stage of the kind "json-guard": it lets through only JSON that has one reading, within bounds.
//
// It owns the verdict. It doesn't own the parsing: a body is parsed once for all stages (payload), and its bounds are held against what was counted
// then. A request whose Content-Type could be taken for JSON by one and for something else by another is refused.
package jsonguard
