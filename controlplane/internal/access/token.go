package access

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"strings"
	"time"

	"github.com/sallyport/sallyport/proto/id"
)

// IDPrefix is the prefix of access tokens' ids ("tok_…").
const IDPrefix = id.AccessToken

const (
	secretPrefix = "spat_" // Sallyport access token; secret scanners look for it
	secretBytes  = 32
)

// secretEncoding has no character that ends a word, so that a double click selects a whole token.
var secretEncoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// Token is an access token as it is stored: without its secret.
type Token struct {
	ID          string // "tok_…"
	Name        string
	Description string
	Role        Role              // built in, everywhere; "": what role bindings say
	Digest      [sha256.Size]byte // of the whole text of the token
	CreatedAt   time.Time
	ExpiresAt   time.Time // zero: never
	User        string    // id of the user that it belongs to; "": it is a service token
	Scope       Scope
}

// Credential is a token with whom it stands for, as one look finds it.
type Credential struct {
	Token
	UserName string // of the user that it belongs to
	Disabled bool   // that user is
	Grants   Grants // of the user, or of the service token; the token's own role left out
}

// expired tells whether the token has stopped working at now.
func (t *Token) expired(now time.Time) bool {
	return !t.ExpiresAt.IsZero() && !now.Before(t.ExpiresAt)
}

// newSecret returns the text of a new token: "spat_", the id's 26 digits, "_", 256 random bits.
func newSecret(tokenID string) string {
	var random [secretBytes]byte
	rand.Read(random[:]) // never fails: the runtime ends the process instead
	digits := strings.TrimPrefix(tokenID, IDPrefix+"_")
	return secretPrefix + digits + "_" + secretEncoding.EncodeToString(random[:])
}

// parseSecret returns the id that a token's text names; false for a text that newSecret can't have
// made, which then needs no look-up.
func parseSecret(text string) (tokenID string, ok bool) {
	rest, ok := strings.CutPrefix(text, secretPrefix)
	if !ok {
		return "", false
	}
	digits, secret, ok := strings.Cut(rest, "_")
	if !ok || len(secret) != secretEncoding.EncodedLen(secretBytes) {
		return "", false
	}
	if _, err := secretEncoding.DecodeString(secret); err != nil {
		return "", false
	}
	tokenID = IDPrefix + "_" + digits
	_, err := id.Parse(IDPrefix, tokenID)
	return tokenID, err == nil
}

// digestOf returns what is stored of a token's text.
func digestOf(text string) [sha256.Size]byte { return sha256.Sum256([]byte(text)) }
