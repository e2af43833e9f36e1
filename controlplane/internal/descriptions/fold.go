package descriptions

import (
	"strings"
)

// anyID stands for a segment that looks like an id.
const anyID = "{…}"

// longestWord is how long a segment of letters alone is at the most, to be taken for a word that is part of an endpoint.
const longestWord = 40

// fold returns a path in which segments that look like ids are one: they tell endpoints apart that are none, and may be personal.
func fold(path string) string {
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		if looksLikeID(segment) {
			segments[i] = anyID
		}
	}
	return strings.Join(segments, "/")
}

// looksLikeID tells of numbers, of texts with as many digits as ids have them, of addresses, and of what is too long for a word. "v1" and "oauth2" are words.
func looksLikeID(segment string) bool {
	digits, letters := 0, 0
	for i := range len(segment) {
		switch c := segment[i]; {
		case c >= '0' && c <= '9':
			digits++
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			letters++
		case c == '%' || c == '@' || c == ':' || c == ',' || c == '=' || c >= 0x80:
			return true
		}
	}
	switch {
	case digits > 0 && letters == 0:
		return true
	case len(segment) > longestWord:
		return true
	}
	return digits >= 3 && len(segment) >= 6
}
