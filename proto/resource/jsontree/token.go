package jsontree

import (
	"unicode/utf16"
	"unicode/utf8"
)

// number reads a number (RFC 8259 §6) and keeps its literal.
func (p *parser) number() (Value, bool) {
	start := p.at
	if p.next() == '-' {
		p.at++
	}
	if p.next() == '0' {
		p.at++
	} else if !p.digits() {
		return Value{}, false
	}
	if p.next() == '.' {
		p.at++
		if !p.digits() {
			return Value{}, false
		}
	}
	if c := p.next(); c == 'e' || c == 'E' {
		p.at++
		if c := p.next(); c == '+' || c == '-' {
			p.at++
		}
		if !p.digits() {
			return Value{}, false
		}
	}
	return Value{Kind: Number, Text: p.cut(start, p.at)}, true
}

func (p *parser) digits() bool {
	start := p.at
	for c := p.next(); c >= '0' && c <= '9'; c = p.next() {
		p.at++
	}
	if p.at == start {
		return p.fail("want a digit")
	}
	return true
}

// text reads a string (RFC 8259 §7). unicode is false when it holds what is no character, for which U+FFFD then stands.
func (p *parser) text() (text string, unicode, ok bool) {
	p.at++
	start := p.at
	for p.at < len(p.data) {
		switch c := p.data[p.at]; {
		case c == '"':
			text = p.cut(start, p.at)
			p.at++
			return text, true, true
		case c == '\\' || c >= utf8.RuneSelf:
			return p.longText(start)
		case c < ' ':
			return "", true, p.fail("control characters in a string must be escaped")
		}
		p.at++
	}
	return "", true, p.fail("the document ends inside a string")
}

// longText reads on in a string that holds escapes or characters beyond ASCII.
func (p *parser) longText(start int) (text string, unicode, ok bool) {
	buf := append([]byte(nil), p.data[start:p.at]...)
	unicode = true
	for p.at < len(p.data) {
		c := p.data[p.at]
		switch {
		case c == '"':
			p.at++
			return string(buf), unicode, true
		case c < ' ':
			return "", true, p.fail("control characters in a string must be escaped")
		case c == '\\':
			r, ok := p.escape()
			if !ok {
				return "", true, false
			}
			unicode = unicode && r != noRune
			buf = utf8.AppendRune(buf, r) // noRune becomes U+FFFD
		case c < utf8.RuneSelf:
			buf = append(buf, c)
			p.at++
		default:
			r, size := utf8.DecodeRune(p.data[p.at:])
			unicode = unicode && (r != utf8.RuneError || size > 1)
			buf = utf8.AppendRune(buf, r)
			p.at += size
		}
	}
	return "", true, p.fail("the document ends inside a string")
}

// noRune stands for an escape that names no character.
const noRune rune = -1

// simpleEscapes holds what stands behind the backslash, and what it means.
var simpleEscapes = map[byte]rune{
	'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t',
}

// escape reads an escape. A surrogate without its partner is noRune.
func (p *parser) escape() (rune, bool) {
	p.at++
	c := p.next()
	if r, ok := simpleEscapes[c]; ok {
		p.at++
		return r, true
	}
	if c != 'u' {
		return 0, p.fail("unknown escape in a string")
	}
	p.at++
	high, ok := p.hex()
	if !ok || !utf16.IsSurrogate(high) {
		return high, ok
	}
	if p.at+1 >= len(p.data) || p.data[p.at] != '\\' || p.data[p.at+1] != 'u' {
		return noRune, true
	}
	back := p.at
	p.at += 2
	low, ok := p.hex()
	if !ok {
		return 0, false
	}
	if r := utf16.DecodeRune(high, low); r != utf8.RuneError {
		return r, true
	}
	p.at = back // the second escape stands for itself
	return noRune, true
}

// hex reads four hexadecimal digits.
func (p *parser) hex() (rune, bool) {
	var r rune
	for range 4 {
		c := p.next()
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, p.fail("want four hexadecimal digits")
		}
		r = r<<4 | rune(c)
		p.at++
	}
	return r, true
}
