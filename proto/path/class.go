package path

// Classes of a raw byte. The zero class is InvalidCharacter's, so that what nobody thought of is
// refused.
const (
	other      = iota
	plain      // stands for itself (RFC 3986 §3.3 pchar without ";"), and is reserved
	unreserved // stands for itself, and its escape means the same (§2.3)
	slash
	percent
	backslash
	semicolon
	delimiter
	control
	high
)

var class = func() (t [256]uint8) {
	for c := range t {
		switch {
		case c < 0x20 || c == 0x7f:
			t[c] = control
		case c >= 0x80:
			t[c] = high
		}
	}
	for _, c := range []byte("!$&'()*+,=:@") {
		t[c] = plain
	}
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~") {
		t[c] = unreserved
	}
	t['/'], t['%'], t['\\'], t[';'] = slash, percent, backslash, semicolon
	t['?'], t['#'] = delimiter, delimiter
	return t
}()

// rawReasons tells why a raw byte of a class is refused.
var rawReasons = [...]Reason{
	other:     InvalidCharacter,
	backslash: Backslash,
	semicolon: Parameter,
	delimiter: Delimiter,
	control:   ControlCharacter,
	high:      NonASCII,
}

const noHex = 0xff

// hexValues holds each hex digit's value, and noHex for every other byte.
var hexValues = func() (t [256]uint8) {
	for c := range t {
		t[c] = noHex
	}
	for i, c := range []byte("0123456789abcdef") {
		t[c] = uint8(i)
	}
	for i, c := range []byte("ABCDEF") {
		t[c] = uint8(10 + i)
	}
	return t
}()

func isHex(c byte) bool { return hexValues[c] != noHex }
