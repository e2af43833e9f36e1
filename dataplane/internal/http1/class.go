package http1

import (
	"encoding/binary"
	"math/bits"
)

// class tells what a byte may be part of.
type class uint8

const (
	isToken  class = 1 << iota // RFC 9110, section 5.6.2
	inValue                    // of a field: visible ASCII, obs-text, space and tab (RFC 9110, section 5.5)
	inTarget                   // of a request: visible ASCII but for "#", which no client may send (RFC 9112, section 3.2)
	isAlpha
	isDigit
)

var classes = func() (table [256]class) {
	for c := range 256 {
		switch {
		case c >= '0' && c <= '9':
			table[c] = isToken | inValue | inTarget | isDigit
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			table[c] = isToken | inValue | inTarget | isAlpha
		case c == ' ' || c == '\t' || c == '#' || c >= 0x80:
			table[c] = inValue
		case c > ' ' && c < 0x7f:
			table[c] = inValue | inTarget
		}
	}
	for _, c := range []byte("!#$%&'*+-.^_`|~") {
		table[c] |= isToken
	}
	return table
}()

// span returns how many bytes at the beginning of b are of the class.
func span(b []byte, of class) int {
	for i, c := range b {
		if classes[c]&of == 0 {
			return i
		}
	}
	return len(b)
}

const (
	everyByte = 0x0101010101010101
	highBits  = 0x80 * everyByte
)

// valueSpan is span(b, inValue), eight bytes at a time: values are most of what a head consists of.
func valueSpan(b []byte) int {
	all := len(b)
	for len(b) >= 8 {
		word := binary.LittleEndian.Uint64(b)
		// The high bit of each byte below 0x20, and of each 0x7f: there the subtraction borrows. A borrow goes up into bytes that are neither,
		// but never down: the lowest bit is right.
		odd := ((word - 0x20*everyByte) | ((word ^ 0x7f*everyByte) - everyByte)) &^ word & highBits
		if odd == 0 {
			b = b[8:]
			continue
		}
		b = b[bits.TrailingZeros64(odd)/8:]
		if b[0] != '\t' {
			return all - len(b)
		}
		b = b[1:]
	}
	return all - len(b) + span(b, inValue)
}

// trim takes spaces and tabs off both ends (RFC 9110, section 5.6.3).
func trim(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for s != "" && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

// hex returns the value of a hexadecimal digit.
func hex(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}
