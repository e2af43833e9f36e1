package requestlimits

import (
	"errors"
	"strings"
)

// MediaType is one or several of them, in lower case.
type MediaType struct {
	// Type before the slash; "": any.
	Type string
	// Subtype behind the slash; "": any that ends in Suffix.
	Subtype string
	// Suffix with its plus sign ("+json"); "": any.
	Suffix string
}

var errMediaType = errors.New(`must be a media type without parameters: "application/json", "image/*", "application/*+json" or "*/*+json"`)

// ParseMediaType reads an entry of content_types.
func ParseMediaType(text string) (MediaType, error) {
	major, minor, found := strings.Cut(strings.ToLower(text), "/")
	m := MediaType{Type: major, Subtype: minor}
	if major == "*" {
		m.Type = ""
	}
	if suffix, wild := strings.CutPrefix(minor, "*"); wild {
		m.Subtype, m.Suffix = "", suffix
		if suffix != "" && (suffix[0] != '+' || !IsToken(suffix[1:])) {
			return MediaType{}, errMediaType
		}
	}
	switch {
	case !found, m.Type != "" && !IsToken(m.Type), m.Subtype != "" && !IsToken(m.Subtype),
		minor == "",
		m.Type == "" && m.Subtype != "", // "*/json" is nobody's
		m == MediaType{}:                // any type is what no list says
		return MediaType{}, errMediaType
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
