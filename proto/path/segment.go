package path

import "strings"

// NextSegment splits the first segment off a canonical path or the rest of one: "/a/b" gives "a" and
// "/b". The rest is empty behind the last segment; a trailing slash is a last segment "".
func NextSegment(p string) (segment, rest string) {
	if p == "" {
		return "", ""
	}
	p = p[1:]
	if end := strings.IndexByte(p, '/'); end >= 0 {
		return p[:end], p[end:]
	}
	return p, ""
}

// HasPrefix tells whether a canonical path lies at or below a prefix, by whole segments: /a holds
// /a, /a/ and /a/b, but not /ab; /a/ holds /a/ and what is below, but not /a; / holds everything. The
// empty prefix holds nothing.
func HasPrefix(path, prefix string) bool {
	if prefix == "" || !strings.HasPrefix(path, prefix) {
		return false
	}
	return len(path) == len(prefix) || prefix[len(prefix)-1] == '/' || path[len(prefix)] == '/'
}
