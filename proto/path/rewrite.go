package path

import (
	"bytes"
	"strings"
)

// rewrite writes the canonical form of a path that a scan by the Form has let pass.
func (f Form) rewrite(raw string, resolves bool) (string, Error) {
	b := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); {
		start := i + 1
		end := f.segmentEnd(raw, start)
		mark := len(b)
		b = appendSegment(append(b, '/'), f.withoutParameters(raw[start:end]))
		if resolves {
			var reason Reason
			if b, reason = resolve(b, mark, end == len(raw)); reason != 0 {
				return "", Error{Reason: reason, Offset: start}
			}
		}
		i = end
	}
	if f.EmptySegments {
		b = merge(b)
	}
	return string(b), Error{}
}

// segmentEnd returns where the segment that begins at start ends.
func (f Form) segmentEnd(raw string, start int) int {
	for i := start; i < len(raw); i++ {
		if raw[i] == '/' || raw[i] == '\\' { // a backslash is here only where it is one
			return i
		}
	}
	return len(raw)
}

func (f Form) withoutParameters(segment string) string {
	if f.Parameters {
		segment, _, _ = strings.Cut(segment, ";")
	}
	return segment
}

// appendSegment writes a segment with the one spelling of each of its characters.
func appendSegment(b []byte, segment string) []byte {
	const upperHex = "0123456789ABCDEF"
	for i := 0; i < len(segment); {
		c, width := decoded(segment[i:])
		if width == 1 || class[c] == unreserved || class[c] == plain {
			b = append(b, c)
		} else {
			b = append(b, '%', upperHex[c>>4], upperHex[c&15])
		}
		i += width
	}
	return b
}

// resolve takes back the segment that was written from mark on if it is a dot segment, and with ".." the one before it.
func resolve(b []byte, mark int, last bool) ([]byte, Reason) {
	switch segment := string(b[mark+1:]); segment {
	case ".":
		b = b[:mark]
	case "..":
		b = b[:mark]
		before := bytes.LastIndexByte(b, '/')
		if before < 0 {
			return nil, DotSegment // above the root
		}
		taken := b[before+1:]
		if len(taken) == 0 || bytes.Contains(taken, encodedSlash) || bytes.Contains(taken, encodedBackslash) {
			return nil, DotSegment // what it takes back depends on who reads
		}
		b = b[:before]
	default:
		return b, 0
	}
	if last {
		b = append(b, '/')
	}
	return b, 0
}

var encodedSlash, encodedBackslash = []byte("%2F"), []byte("%5C")

// merge leaves one of slashes in a row.
func merge(b []byte) []byte {
	kept := b[:0]
	for i, c := range b {
		if c == '/' && i > 0 && kept[len(kept)-1] == '/' {
			continue
		}
		kept = append(kept, c)
	}
	return kept
}

// HasEncodedSlash tells whether somebody may read more segments in a canonical path than there are. Only a Form with EncodedSlashes
// lets one pass.
func HasEncodedSlash(canonical string) bool {
	for rest := canonical; ; {
		at := strings.IndexByte(rest, '%')
		if at < 0 {
			return false
		}
		rest = rest[at:]
		if strings.HasPrefix(rest, "%2F") || strings.HasPrefix(rest, "%5C") {
			return true
		}
		rest = rest[1:]
	}
}

// DecodeSlashes appends a canonical path as somebody reads it who decodes slashes before looking for segments.
func DecodeSlashes(dst []byte, canonical string) []byte {
	for i := 0; i < len(canonical); i++ {
		if rest := canonical[i:]; strings.HasPrefix(rest, "%2F") || strings.HasPrefix(rest, "%5C") {
			dst = append(dst, '/')
			i += escapeWidth - 1
			continue
		}
		dst = append(dst, canonical[i])
	}
	return dst
}
