package corpus

import "math/rand/v2"

// dice decide what the n-th request of a kind looks like: the same for ever.
type dice struct{ *rand.Rand }

func roll(kind string, n int) dice {
	var seed uint64
	for _, c := range []byte(kind) {
		seed = seed*31 + uint64(c)
	}
	return dice{rand.New(rand.NewPCG(seed, uint64(n)))} // #nosec G404 -- no secret: the same numbers everywhere are the point
}

// one returns one of several.
func one[T any](d dice, of []T) T { return of[d.IntN(len(of))] }

// chance is true in one of n cases.
func (d dice) chance(n int) bool { return d.IntN(n) == 0 }

const (
	hexDigits    = "0123456789abcdef"
	alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
)

// text returns so many characters of an alphabet.
func (d dice) text(alphabet string, length int) string {
	made := make([]byte, length)
	for i := range made {
		made[i] = alphabet[d.IntN(len(alphabet))]
	}
	return string(made)
}

// hex returns so many hexadecimal digits.
func (d dice) hex(length int) string { return d.text(hexDigits, length) }

// uuid returns a random UUID (RFC 9562, version 4).
func (d dice) uuid() string {
	return d.hex(8) + "-" + d.hex(4) + "-4" + d.hex(3) + "-" + d.text("89ab", 1) + d.hex(3) + "-" + d.hex(12)
}
