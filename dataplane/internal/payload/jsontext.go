package payload

import (
	"encoding/binary"
	"math/bits"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// Eight bytes at a time.
const (
	eachByte = 0x0101010101010101
	highBits = 0x8080808080808080
)

// plainBytes returns how many bytes from i on are neither a quote, a backslash nor a control character.
func plainBytes(text []byte, i int) int {
	begin := i
	for i+8 <= len(text) {
		w := binary.LittleEndian.Uint64(text[i:])
		quote, slash := w^(eachByte*'"'), w^(eachByte*'\\')
		found := (w-eachByte*' ')&^w | (quote-eachByte)&^quote | (slash-eachByte)&^slash
		if found &= highBits; found != 0 {
			return i - begin + bits.TrailingZeros64(found)/8
		}
		i += 8
	}
	for i < len(text) && text[i] >= ' ' && text[i] != '"' && text[i] != '\\' {
		i++
	}
	return i - begin
}

// scanText passes over a text up to behind its closing quote, and returns how many bytes longer it is than what it means.
func (p *jsonParser) scanText(i int) (escapes int, ok bool) {
	for {
		if i += plainBytes(p.text, i); i >= len(p.text) {
			p.pos = i
			return 0, p.syntax("the end of a text")
		}
		switch c := p.text[i]; c {
		case '"':
			p.pos = i + 1
			return escapes, true
		case '\\':
			long, means := escape(p.text[i:])
			if long == 0 {
				p.pos = i
				return 0, p.fail("json_escape", "The escape at byte %d is none that JSON has, or half of a surrogate pair.", i)
			}
			i += long
			escapes += long - utf8.RuneLen(means)
		default:
			return 0, p.fail("json_control", "A text has a control character, at byte %d.", i)
		}
	}
}

// escape reads an escape; long is 0 if it is none, or one of half a character: parsers make different things of those.
func escape(text []byte) (long int, means rune) {
	if len(text) < 2 {
		return 0, 0
	}
	switch c := text[1]; c {
	case '"', '\\', '/':
		return 2, rune(c)
	case 'b':
		return 2, '\b'
	case 'f':
		return 2, '\f'
	case 'n':
		return 2, '\n'
	case 'r':
		return 2, '\r'
	case 't':
		return 2, '\t'
	case 'u':
		return unicodeEscape(text)
	}
	return 0, 0
}

const (
	unicodeLength   = 6 // \u0000
	surrogateLength = 2 * unicodeLength
)

func unicodeEscape(text []byte) (long int, means rune) {
	first, ok := hex4(text)
	switch {
	case !ok:
		return 0, 0
	case !utf16.IsSurrogate(first):
		return unicodeLength, first
	}
	second, ok := hex4(text[unicodeLength:])
	if r := utf16.DecodeRune(first, second); ok && r != utf8.RuneError {
		return surrogateLength, r
	}
	return 0, 0
}

// hex4 reads \u and four digits.
func hex4(text []byte) (r rune, ok bool) {
	if len(text) < unicodeLength || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	for _, c := range text[2:unicodeLength] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// appendText appends what a text or key means.
func (j *JSON) appendText(to []byte, n *node) []byte {
	raw := j.text[n.begin:n.end]
	if !n.escaped {
		return append(to, raw...)
	}
	for len(raw) > 0 {
		plain := plainBytes(raw, 0)
		to = append(to, raw[:plain]...)
		if raw = raw[plain:]; len(raw) > 0 {
			long, means := escape(raw)
			to = utf8.AppendRune(to, means)
			raw = raw[long:]
		}
	}
	return to
}

// number parses a number (RFC 8259, section 6).
func (p *jsonParser) number() bool {
	text, i := p.text, p.pos
	begin := i
	if text[i] == '-' {
		i++
	}
	whole := digits(text[i:])
	if whole == 0 || whole > 1 && text[i] == '0' {
		p.pos = min(i+whole, i+1)
		return p.syntax("a number as JSON has them")
	}
	i += whole
	integer := true
	if i < len(text) && text[i] == '.' {
		n := digits(text[i+1:])
		if i += 1 + n; n == 0 {
			p.pos = i
			return p.syntax("a digit")
		}
		integer = false
	}
	exponent := 0
	if i < len(text) && text[i]|0x20 == 'e' {
		if i++; i < len(text) && (text[i] == '+' || text[i] == '-') {
			i++
		}
		if exponent = digits(text[i:]); exponent == 0 {
			p.pos = i
			return p.syntax("a digit")
		}
		i += exponent
		integer = false
	}
	p.pos = i
	return p.add(node{begin: uint32(begin), end: uint32(i), kind: Number}) && p.judgeNumber(text[begin:i], integer, whole, exponent)
}

func digits(text []byte) int {
	n := 0
	for n < len(text) && text[n]-'0' <= 9 {
		n++
	}
	return n
}

// judgeNumber notes the first number of a form that parsers may read differently.
func (p *jsonParser) judgeNumber(raw []byte, integer bool, whole, exponent int) bool {
	here := Place{uint32(len(p.nodes))}
	if !integer && !p.stats.Fraction.IsSomewhere() {
		p.stats.Fraction = here
	}
	if p.stats.Inexact.IsSomewhere() {
		return true
	}
	if integer && !isSafe(raw, whole) || !integer && !isDouble(raw, exponent) {
		p.stats.Inexact = here
	}
	return true
}

// maxSafe is the greatest integer up to which a double holds all.
const maxSafe = "9007199254740991"

func isSafe(raw []byte, whole int) bool {
	return whole < len(maxSafe) || whole == len(maxSafe) && string(raw[len(raw)-whole:]) <= maxSafe
}

// isDouble tells whether a double can hold about this: neither infinity nor a zero that it isn't.
func isDouble(raw []byte, exponent int) bool {
	const surely = 200 // digits of a number that is within the range with an exponent of two digits
	if exponent <= 2 && len(raw) < surely {
		return true
	}
	f, err := strconv.ParseFloat(string(raw), 64)
	return err == nil && (f != 0 || isZero(raw))
}

// isZero tells whether all digits in front of the exponent are 0.
func isZero(raw []byte) bool {
	for _, c := range raw {
		if c|0x20 == 'e' {
			break
		}
		if c >= '1' && c <= '9' {
			return false
		}
	}
	return true
}
