package form

import (
	"strings"
	"unicode/utf8"
)

// maxGiven is how many bytes of a value a violation repeats.
const maxGiven = 64

// Given shortens a value for a violation's "given", at the border of a character.
func Given(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= maxGiven {
		return s
	}
	end := maxGiven
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}

const hexDigits = "0123456789abcdef"

// AppendString writes s as a JSON string behind dst. Only what RFC 8259 §7 demands is escaped, and
// U+2028 and U+2029, which end a line in scripts. Invalid UTF-8 becomes U+FFFD.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	plain := 0 // begin of what has been looked at but not written yet
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= ' ' && c != '"' && c != '\\' {
				i++
				continue
			}
			dst = append(dst, s[plain:i]...)
			dst = appendEscaped(dst, c)
			i++
			plain = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			dst = append(append(dst, s[plain:i]...), "\uFFFD"...)
			plain = i + size
		case r == '\u2028' || r == '\u2029':
			dst = append(append(dst, s[plain:i]...), `\u202`...)
			dst = append(dst, hexDigits[r&0xf])
			plain = i + size
		}
		i += size
	}
	return append(append(dst, s[plain:]...), '"')
}

func appendEscaped(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xf])
}

// Join lists values in words: `"a", "b" or "c"`.
func Join(values []string, last string) string {
	var b strings.Builder
	for i, v := range values {
		switch {
		case i > 0 && i == len(values)-1:
			b.WriteString(" " + last + " ")
		case i > 0:
			b.WriteString(", ")
		}
		b.WriteString(v)
	}
	return b.String()
}
