package pipeline

import "strings"

// NextPair splits the first pair off a raw query: "a=1&b=2" gives "a", "1" and the rest "b=2". Nothing is decoded. more is
// false once the query is at its end.
func NextPair(query string) (name, value, rest string, more bool) {
	pair, rest, more := strings.Cut(query, "&")
	name, value, _ = strings.Cut(pair, "=")
	return name, value, rest, more
}

// DecodedEqual tells whether text, taken from a raw query, says plain once "%xx" and "+" are decoded. It doesn't
// allocate. A '%' that two hexadecimal digits don't follow stands for itself.
func DecodedEqual(text, plain string) bool {
	rest, ok := decodedPrefix(text, plain)
	return ok && rest == ""
}

// DecodedHasPrefix tells whether text, decoded as by DecodedEqual, begins with prefix.
func DecodedHasPrefix(text, prefix string) bool {
	_, ok := decodedPrefix(text, prefix)
	return ok
}

// AppendDecoded appends text, decoded as by DecodedEqual.
func AppendDecoded(dst []byte, text string) []byte {
	for i := 0; i < len(text); {
		c, width := decodedByte(text[i:])
		dst = append(dst, c)
		i += width
	}
	return dst
}

// decodedPrefix takes plain off the front of text.
func decodedPrefix(text, plain string) (rest string, ok bool) {
	for i := range len(plain) {
		if text == "" {
			return "", false
		}
		c, width := decodedByte(text)
		if c != plain[i] {
			return "", false
		}
		text = text[width:]
	}
	return text, true
}

// decodedByte returns the first byte that text stands for, and how many bytes of text say it.
func decodedByte(text string) (c byte, width int) {
	switch c = text[0]; {
	case c == '+':
		return ' ', 1
	case c == '%' && len(text) >= 3:
		high, low := unhex(text[1]), unhex(text[2])
		if high|low < 16 {
			return high<<4 | low, 3
		}
	}
	return c, 1
}

// unhex returns a hexadecimal digit's value, 255 for what is none.
func unhex(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}
