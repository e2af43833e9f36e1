package resource

import "strings"

// maxNear bounds the names that are compared: longer ones are not mistyped.
const maxNear = 64

// nearest returns the candidate that name most likely was meant to be; "" when none is near.
func nearest(name string, candidates []string) string {
	if len(name) > maxNear {
		return ""
	}
	given := snakeCase(name)
	best, found := len(given)/3+2, ""
	for _, candidate := range candidates {
		if len(candidate) > maxNear {
			continue
		}
		if d := distance(given, candidate); d < best && d < len(candidate) {
			best, found = d, candidate
		}
	}
	return found
}

// snakeCase turns "responseHead" and "response-head" into "response_head".
func snakeCase(name string) string {
	var b strings.Builder
	for i, c := range []byte(name) {
		switch {
		case c == '-' || c == ' ':
			b.WriteByte('_')
		case c >= 'A' && c <= 'Z':
			if i > 0 && name[i-1] >= 'a' && name[i-1] <= 'z' {
				b.WriteByte('_')
			}
			b.WriteByte(c + 'a' - 'A')
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// distance returns how many bytes must be put in, taken out or changed to turn a into b (Levenshtein).
func distance(a, b string) int {
	var rows [2][2*maxNear + 1]int
	previous, current := &rows[0], &rows[1]
	for j := range len(b) + 1 {
		previous[j] = j
	}
	for i := range len(a) {
		current[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			current[j+1] = min(previous[j]+cost, previous[j+1]+1, current[j]+1)
		}
		previous, current = current, previous
	}
	return previous[len(b)]
}
