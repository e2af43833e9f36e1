package problem

import "unicode/utf8"

const hexDigits = "0123456789abcdef"

// appendMember writes a member's lead (separator, name and colon, as they go on the wire) and its
// string value.
func appendMember(dst []byte, lead, value string) []byte {
	return AppendString(append(dst, lead...), value)
}

// appendOptional is appendMember that leaves out an empty value.
func appendOptional(dst []byte, lead, value string) []byte {
	if value == "" {
		return dst
	}
	return appendMember(dst, lead, value)
}

// appendList writes a member that is a list of objects, and nothing for an empty one.
func appendList[E interface{ append([]byte) []byte }](dst []byte, lead string, list []E) []byte {
	if len(list) == 0 {
		return dst
	}
	dst = append(dst, lead...)
	for i, e := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = e.append(dst)
	}
	return append(dst, ']')
}

// AppendString writes s as a JSON string (RFC 8259 §7). Beyond what JSON asks it escapes <, >, &,
// U+2028 and U+2029: a problem echoes what a stranger sent, and may end up inside a page.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	done := 0 // s[:done] is written
	for i := 0; i < len(s); {
		if isPlain(s[i]) {
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r >= utf8.RuneSelf && !mustEscape(r, size) {
			i += size
			continue
		}
		dst = append(dst, s[done:i]...)
		dst = appendEscaped(dst, r)
		i += size
		done = i
	}
	dst = append(dst, s[done:]...)
	return append(dst, '"')
}

// isPlain tells whether an ASCII byte stands for itself.
func isPlain(c byte) bool {
	switch c {
	case '"', '\\', '<', '>', '&', 0x7f:
		return false
	}
	return c >= 0x20 && c < utf8.RuneSelf
}

func mustEscape(r rune, size int) bool {
	return r == utf8.RuneError && size == 1 || r == '\u2028' || r == '\u2029'
}

// appendEscaped writes the escape of one character of the basic plane: those that need one all are.
func appendEscaped(dst []byte, r rune) []byte {
	switch r {
	case '"', '\\':
		return append(dst, '\\', byte(r))
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u', hexDigits[r>>12&0xf], hexDigits[r>>8&0xf], hexDigits[r>>4&0xf], hexDigits[r&0xf])
}
