package apikey

const alphabet62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// putBase62 writes a big-endian number as exactly len(dst) digits, and uses up the number doing
// so. The number must be below 62^len(dst).
func putBase62(dst, number []byte) {
	for i := len(dst) - 1; i >= 0; i-- {
		remainder := 0
		for j, b := range number {
			remainder = remainder<<8 | int(b)
			number[j] = byte(remainder / 62)
			remainder %= 62
		}
		dst[i] = alphabet62[remainder]
	}
}

// isBase62 tells whether s holds digits only.
func isBase62(s string) bool {
	for i := range len(s) {
		if class[s[i]]&digit62 == 0 {
			return false
		}
	}
	return true
}

// What a byte may be part of.
const (
	digit62 = 1 << iota
	environmentChar
)

var class = func() (t [256]uint8) {
	for _, c := range []byte(alphabet62) {
		t[c] |= digit62
	}
	for _, c := range []byte("abcdefghijklmnopqrstuvwxyz0123456789-") {
		t[c] |= environmentChar
	}
	return t
}()
