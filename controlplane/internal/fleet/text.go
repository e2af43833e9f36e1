package fleet

import "strings"

// clean makes a text that a node says of itself fit to be kept: bounded, valid UTF-8, and without
// the NUL that Postgres can't hold.
func clean(s string, limit int) string {
	if len(s) > limit {
		s = s[:limit]
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
}
