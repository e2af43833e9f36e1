package http1

// class tells what a byte may be part of.
type class uint8

const (
	isToken  class = 1 << iota // RFC 9110, section 5.6.2
	inValue                    // of a field: visible ASCII, obs-text, space and tab (RFC 9110, section 5.5)
	inTarget                   // of a request: visible ASCII alone
	isDigit
)

var classes = func() (table [256]class) {
	for c := range 256 {
		switch {
		case c >= '0' && c <= '9':
			table[c] = isToken | inValue | inTarget | isDigit
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			table[c] = isToken | inValue | inTarget
		case c == ' ' || c == '\t' || c >= 0x80:
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

// allOf tells whether all bytes are of the class.
func allOf(b []byte, of class) bool {
	for _, c := range b {
		if classes[c]&of == 0 {
			return false
		}
	}
	return true
}
