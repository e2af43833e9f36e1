package jointoken

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strings"
)

// Scheme stands in front of every token, so that people and secret scanners know one when they see
// it.
const Scheme = "spj_"

// Sizes of a token's parts.
const (
	idBytes, idWidth         = 8, 11
	secretBytes, secretWidth = 20, 27
	authorityWidth           = 43 // of 32 bytes

	secretAt    = len(Scheme) + idWidth + 1
	authorityAt = secretAt + secretWidth + 1

	// Length is the length of every token, in bytes.
	Length = authorityAt + authorityWidth
)

// What can be wrong with a token's text. Neither tells anything of the text itself.
var (
	ErrForm      = errors.New("jointoken: not of the form spj_<id>_<secret>_<authority>; copy the token whole")
	ErrAuthority = errors.New("jointoken: the authority's hash is damaged; copy the token whole")
)

// Token is a join token. However fmt, log/slog or an encoder prints it, only what may be shown
// comes out; String, called by name, gives the text.
type Token struct {
	// ID names the token; it may be shown.
	ID string
	// Authority is the SHA-256 of the authority's public key.
	Authority [sha256.Size]byte

	secret string
}

// New makes a token out of 28 bytes of random, which is crypto/rand.Reader outside of tests, for
// the authority whose public key has the hash given.
func New(random io.Reader, authority [sha256.Size]byte) (Token, error) {
	var noise [idBytes + secretBytes]byte
	if _, err := io.ReadFull(random, noise[:]); err != nil {
		return Token{}, fmt.Errorf("jointoken: random bytes: %w", err)
	}
	return Token{
		ID:        base62(noise[:idBytes], idWidth),
		Authority: authority,
		secret:    base62(noise[idBytes:], secretWidth),
	}, nil
}

// Parse takes a token apart. It tells only that the text is a token, not that the token is any
// good.
func Parse(s string) (Token, error) {
	if len(s) != Length || s[:len(Scheme)] != Scheme || s[secretAt-1] != '_' || s[authorityAt-1] != '_' {
		return Token{}, ErrForm
	}
	t := Token{ID: s[len(Scheme) : secretAt-1], secret: s[secretAt : authorityAt-1]}
	if !isBase62(t.ID) || !isBase62(t.secret) {
		return Token{}, ErrForm
	}
	// DecodeString takes line breaks, which would leave fewer than 32 bytes.
	authority, err := encoding.DecodeString(s[authorityAt:])
	if err != nil || len(authority) != len(t.Authority) {
		return Token{}, ErrAuthority
	}
	t.Authority = [sha256.Size]byte(authority)
	return t, nil
}

// String returns the whole token. It is shown to its owner once, and sent to the control plane.
func (t Token) String() string {
	return Scheme + t.ID + "_" + t.secret + "_" + encoding.EncodeToString(t.Authority[:])
}

// SecretDigest returns the SHA-256 of the secret, which the control plane keeps in its stead. The
// secret has 160 random bits, so that a plain hash is enough.
func (t Token) SecretDigest() [sha256.Size]byte { return sha256.Sum256([]byte(t.secret)) }

// Format prints the token masked, whatever the verb.
func (t Token) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, Scheme+t.ID+"_…") // fmt.State has no one to tell
}

// MarshalText writes the token masked, for encoders and log/slog.
func (t Token) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%v", t), nil }

// encoding is strict: no two texts are the same hash.
var encoding = base64.RawURLEncoding.Strict()

const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// base62 writes a big-endian number as width digits.
func base62(number []byte, width int) string {
	text := make([]byte, width)
	n, base, digit := new(big.Int).SetBytes(number), big.NewInt(int64(len(digits))), new(big.Int)
	for i := width - 1; i >= 0; i-- {
		n.DivMod(n, base, digit)
		text[i] = digits[digit.Int64()]
	}
	return string(text)
}

func isBase62(s string) bool { return strings.Trim(s, digits) == "" }
