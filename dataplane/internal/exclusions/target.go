package exclusions

import "strings"

// Target is a part of a request that rules look at. The text form is that of policies: "argument:comment".
type Target struct {
	// Part is "argument", "argument-name", "cookie", "cookie-name", "header", "header-name", "body", "path", "query"; "": none.
	Part string
	// Name within it, in which "*" stands for anything but a dot; "" or "*": all.
	Name string
}

// Covers tells whether another target lies within this one. The zero target covers everything. Names are compared as the engine does: without
// regard to case.
func (t Target) Covers(other Target) bool {
	switch {
	case t.Part == "":
		return true
	case t.Part != other.Part:
		return false
	}
	return t.Name == "" || t.Name == "*" || matches(t.Name, other.Name)
}

// matches holds a name against a pattern. Each "*" takes as little as it can and is given more when the rest doesn't fit: only the last one can be, since
// what stands before it has found its first place.
func matches(pattern, name string) bool {
	star, from := -1, 0 // the last "*", and where what it takes ends
	p, n := 0, 0
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, n
			p++
		case p < len(pattern) && lower(pattern[p]) == lower(name[n]):
			p++
			n++
		case star >= 0 && name[from] != '.':
			from++
			p, n = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}
