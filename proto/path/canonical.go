package path

import "unicode/utf8"

// escapeWidth is how long an escape is.
const escapeWidth = len("%2F")

// Canonical returns the canonical form of a path: the part of a request target before its query,
// percent-encoded as received. What can be read in two ways is refused with an *Error. Canonical of
// a result is that result. It allocates nothing when raw is canonical already, and then returns raw.
// A [Form] says what is given one reading instead.
func Canonical(raw string) (string, error) { return Form{}.Canonical(raw) }

// judgeSegment refuses a segment for what it is as a whole.
func judgeSegment(segment string) Reason {
	if segment == "" {
		return EmptySegment
	}
	if segment[0] != '.' && segment[0] != '%' {
		return 0
	}
	dots := 0
	for segment != "" {
		c, width := decoded(segment)
		if c != '.' || dots == 2 {
			return 0
		}
		dots++
		segment = segment[width:]
	}
	return DotSegment
}

// judgeEscape judges the escape that s starts with, together with those that belong to the same
// character. It returns how many bytes that is, and whether the canonical form writes it otherwise.
func judgeEscape(s string) (width int, rewritten bool, _ Reason) {
	if !isEscape(s) {
		return 0, false, InvalidEscape
	}
	c, width := decoded(s)
	switch class[c] {
	case control:
		return 0, false, ControlCharacter
	case slash, backslash:
		return 0, false, EncodedSlash
	case semicolon:
		return 0, false, Parameter
	case percent:
		if encodesTwice(s[width:]) {
			return 0, false, DoubleEncoding
		}
	case unreserved, plain:
		return width, true, 0
	case high:
		return judgeRune(s)
	}
	return width, hasLowerCase(s[:width]), 0
}

// judgeRune judges the escapes of one character beyond ASCII. UTF-8's own rules refuse overlong
// forms and surrogates (RFC 3629 §3).
func judgeRune(s string) (width int, rewritten bool, _ Reason) {
	var buf [utf8.UTFMax]byte
	n := 0
	for n < len(buf) && isEscape(s[3*n:]) {
		buf[n], _ = decoded(s[3*n:])
		n++
	}
	r, size := utf8.DecodeRune(buf[:n])
	if r == utf8.RuneError && size == 1 {
		return 0, false, InvalidUTF8
	}
	return 3 * size, hasLowerCase(s[:3*size]), 0
}

// encodesTwice tells whether what follows an encoded percent sign would make an escape of it once
// decoded. The digits may be encoded themselves: %25%32%66 is %252f.
func encodesTwice(s string) bool {
	for range 2 {
		if s == "" {
			return false
		}
		c, width := decoded(s)
		if !isHex(c) {
			return false
		}
		s = s[width:]
	}
	return true
}

// decoded returns the first byte that s, which isn't empty, stands for, and how long that is in s.
// A percent sign that begins no escape stands for itself.
func decoded(s string) (c byte, width int) {
	if !isEscape(s) {
		return s[0], 1
	}
	return hexValues[s[1]]<<4 | hexValues[s[2]], escapeWidth
}

func isEscape(s string) bool {
	return len(s) >= 3 && s[0] == '%' && isHex(s[1]) && isHex(s[2])
}

func hasLowerCase(escapes string) bool {
	for i := range len(escapes) {
		if escapes[i] >= 'a' {
			return true
		}
	}
	return false
}
