package mediatype

import (
	"errors"
	"strings"
)

// Pattern stands for one media type or several of them, in lower case.
type Pattern struct {
	// Type before the slash; "": any.
	Type string
	// Subtype behind the slash; "": any that ends in Suffix.
	Subtype string
	// Suffix with its plus sign ("+json"); "": any.
	Suffix string
}

var errPattern = errors.New(`must be a media type without parameters: "application/json", "image/*", "application/*+json" or "*/*+json"`)

// ParsePattern reads "application/json", "image/*", "application/*+json" or "*/*+json".
func ParsePattern(text string) (Pattern, error) {
	major, minor, found := strings.Cut(strings.ToLower(text), "/")
	m := Pattern{Type: major, Subtype: minor}
	if major == "*" {
		m.Type = ""
	}
	if suffix, wild := strings.CutPrefix(minor, "*"); wild {
		m.Subtype, m.Suffix = "", suffix
		if suffix != "" && (suffix[0] != '+' || !IsToken(suffix[1:])) {
			return Pattern{}, errPattern
		}
	}
	switch {
	case !found, m.Type != "" && !IsToken(m.Type), m.Subtype != "" && !IsToken(m.Subtype),
		minor == "",
		m.Type == "" && m.Subtype != "", // "*/json" is nobody's
		m == Pattern{}:                  // any type is what no list says
		return Pattern{}, errPattern
	}
	return m, nil
}

// IsToken tells whether text is a token that holds no wildcard (RFC 9110, section 5.6.2).
func IsToken(text string) bool {
	for i := range len(text) {
		c := text[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		digit := c >= '0' && c <= '9'
		if !letter && !digit && strings.IndexByte("!#$%&'+-.^_`|~", c) < 0 {
			return false
		}
	}
	return text != ""
}

// Fits tells whether a media type is one of those that the pattern stands for. Neither says anything by its case.
func (p Pattern) Fits(major, minor string) bool {
	if p.Type != "" && !strings.EqualFold(p.Type, major) {
		return false
	}
	if p.Subtype != "" {
		return strings.EqualFold(p.Subtype, minor)
	}
	before := len(minor) - len(p.Suffix)
	return p.Suffix == "" || before > 0 && strings.EqualFold(minor[before:], p.Suffix)
}
