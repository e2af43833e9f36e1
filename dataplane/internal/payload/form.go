package payload

import (
	"bytes"
	"unicode/utf8"
)

// maxFields is how many fields a form may have.
const maxFields = 10_000

// fieldBytes is what a field takes beside its texts.
const fieldBytes = 32

// Field is one of a form. Names may come more than once.
type Field struct{ Name, Value string }

// ParseForm parses application/x-www-form-urlencoded content, by what all parsers of it agree on: pairs that "&" separates (empty ones are none), "+" is a space, and "%" begins
// two hexadecimal digits or nothing at all. What is decoded is UTF-8. A ";" must be escaped, since some take it for a separator, and control characters too.
func ParseForm(content []byte, share *Share) ([]Field, error) {
	pairs := 1 + bytes.Count(content, []byte("&"))
	if pairs > maxFields {
		return nil, fault("form_fields", "The form has more than %d fields.", maxFields)
	}
	if !share.Take(int64(pairs)*fieldBytes + int64(len(content))) {
		return nil, ErrNoMemory
	}
	fields := make([]Field, 0, pairs)
	var scratch []byte
	for rest, more := content, true; more; {
		var pair []byte
		if pair, rest, more = bytes.Cut(rest, []byte("&")); len(pair) == 0 {
			continue
		}
		name, value, _ := bytes.Cut(pair, []byte("="))
		var field Field
		var f *Fault
		if field.Name, scratch, f = formText(name, scratch); f != nil {
			return nil, f
		}
		if field.Value, scratch, f = formText(value, scratch); f != nil {
			return nil, f
		}
		fields = append(fields, field)
	}
	return fields, nil
}

// formText decodes a name or value.
func formText(coded, scratch []byte) (string, []byte, *Fault) {
	scratch = scratch[:0]
	for i := 0; i < len(coded); i++ {
		switch c := coded[i]; {
		case c == '+':
			scratch = append(scratch, ' ')
		case c == '%':
			high, low := hexDigit(coded, i+1), hexDigit(coded, i+2)
			if high < 0 || low < 0 {
				return "", scratch, fault("form_escape", "A percent sign in the form isn't followed by two hexadecimal digits.")
			}
			scratch = append(scratch, byte(high<<4|low))
			i += 2
		case c == ';':
			return "", scratch, fault("form_separator", "The form has a semicolon that isn't escaped, which some parsers take for a separator.")
		case c <= ' ' || c == 0x7f:
			return "", scratch, fault("form_control", "The form has a space or control character that isn't escaped.")
		default:
			scratch = append(scratch, c)
		}
	}
	if !utf8.Valid(scratch) {
		return "", scratch, fault("form_utf8", "The form isn't valid UTF-8.")
	}
	return string(scratch), scratch, nil
}

// hexDigit returns the value of a digit; -1: there is none.
func hexDigit(text []byte, i int) int {
	if i >= len(text) {
		return -1
	}
	switch c := text[i]; {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}
