package id

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"
)

// ID identifies an object: the 16 bytes of a UUIDv7. Its bytes sort by the millisecond of New.
type ID [16]byte

// New returns an ID made at now, with 74 random bits. IDs of one millisecond sort at random.
// Times before 1970 count as 1970.
func New(now time.Time) ID {
	var id ID
	rand.Read(id[6:]) // never fails: the runtime ends the process instead
	ms := uint64(max(now.UnixMilli(), 0))
	for i := range 6 {
		id[i] = byte(ms >> (40 - 8*i))
	}
	id[6] = id[6]&0x0f | 0x70 // version 7
	id[8] = id[8]&0x3f | 0x80 // variant 10
	return id
}

// IsZero tells whether the ID is the zero value, which New never returns.
func (id ID) IsZero() bool { return id == ID{} }

// ErrMalformed is what Parse's errors wrap.
var ErrMalformed = errors.New("malformed id")

const (
	// alphabet is Crockford's base 32 in lower case: no i, l, o, u, and in the order of its bytes,
	// so that texts sort as their IDs do.
	alphabet = "0123456789abcdefghjkmnpqrstvwxyz"

	digits    = 26 // 26 × 5 = 130 bits: the first digit holds only three
	minPrefix = 2
	maxPrefix = 5
)

// Text returns the id's text, <prefix>_<26 digits>. The prefix is 2 to 5 lower-case letters.
func Text(prefix string, id ID) string {
	return string(Append(make([]byte, 0, maxPrefix+1+digits), prefix, id))
}

// Append appends the id's text.
func Append(buf []byte, prefix string, id ID) []byte {
	buf = append(append(buf, prefix...), '_')
	// Five bytes are eight digits; the first byte stands alone as two, with two zero bits in front.
	buf = append(buf, alphabet[id[0]>>5], alphabet[id[0]&31])
	for i := 1; i < len(id); i += 5 {
		group := uint64(id[i])<<32 | uint64(id[i+1])<<24 | uint64(id[i+2])<<16 | uint64(id[i+3])<<8 | uint64(id[i+4]) //nolint:gosec // 1, 6 and 11: at most id[15]
		for shift := 35; shift >= 0; shift -= 5 {
			buf = append(buf, alphabet[group>>shift&31])
		}
	}
	return buf
}

// Parse reads what Text wrote with the same prefix, and nothing else: no upper case, no digit that
// merely looks alike, no overflow. Errors wrap ErrMalformed.
func Parse(prefix, s string) (ID, error) {
	rest, ok := strings.CutPrefix(s, prefix)
	if !ok || rest == "" || rest[0] != '_' {
		return ID{}, fmt.Errorf("%w: want %s_ in front", ErrMalformed, prefix)
	}
	rest = rest[1:]
	if len(rest) != digits {
		return ID{}, fmt.Errorf("%w: want %d characters after %s_, not %d", ErrMalformed, digits, prefix, len(rest))
	}
	return decode(rest)
}

// decode reads the 26 digits.
func decode(s string) (ID, error) {
	var id ID
	high, low := values[s[0]], values[s[1]]
	if high > 7 || low > 31 {
		return ID{}, fmt.Errorf("%w: bad first digits", ErrMalformed)
	}
	id[0] = high<<5 | low
	for i, at := 1, 2; i < len(id); i, at = i+5, at+8 {
		var group uint64
		for _, c := range []byte(s[at : at+8]) {
			v := values[c]
			if v > 31 {
				return ID{}, fmt.Errorf("%w: a character that is no digit", ErrMalformed)
			}
			group = group<<5 | uint64(v)
		}
		for b := range 5 {
			id[i+b] = byte(group >> (32 - 8*b))
		}
	}
	return id, nil
}

// LooksLikeID tells whether s has the form of an id of any prefix. A name must not, since a path
// takes either.
func LooksLikeID(s string) bool {
	prefix, rest, ok := strings.Cut(s, "_")
	if !ok || len(prefix) < minPrefix || len(prefix) > maxPrefix || len(rest) != digits {
		return false
	}
	for _, c := range []byte(prefix) {
		if c < 'a' || c > 'z' {
			return false
		}
	}
	for _, c := range []byte(rest) {
		if values[c] > 31 {
			return false
		}
	}
	return true
}

// values holds each digit's value, and 0xff for every other byte.
var values = func() (t [256]byte) {
	for i := range t {
		t[i] = 0xff
	}
	for i, c := range []byte(alphabet) {
		t[c] = byte(i)
	}
	return t
}()
