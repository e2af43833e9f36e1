package signin

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"strings"
)

// What secrets begin with; scanners look for it.
const (
	sessionPrefix    = "sps_" // of a session, as a cookie holds it
	invitationPrefix = "spi_" // of an invitation, as a link holds it
)

const secretBytes = 32

// secretEncoding has no character that ends a word, so that a double click selects a whole secret.
var secretEncoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// newSecret returns the text of a new secret: 256 random bits.
func newSecret(prefix string) string {
	var random [secretBytes]byte
	rand.Read(random[:]) // never fails: the runtime ends the process instead
	return prefix + secretEncoding.EncodeToString(random[:])
}

// parseSecret returns what is kept of a secret; false for a text that newSecret can't have made, which then needs no look-up.
func parseSecret(prefix, text string) (digest [sha256.Size]byte, ok bool) {
	rest, ok := strings.CutPrefix(text, prefix)
	if !ok || len(rest) != secretEncoding.EncodedLen(secretBytes) {
		return digest, false
	}
	if _, err := secretEncoding.DecodeString(rest); err != nil {
		return digest, false
	}
	return sha256.Sum256([]byte(text)), true
}

const (
	recoveryCodes = 10
	recoveryBytes = 10 // 80 random bits, 16 characters
	recoveryGroup = 4
)

// newRecoveryCodes returns codes as they are shown: "xxxx-xxxx-xxxx-xxxx".
func newRecoveryCodes() []string {
	codes := make([]string, recoveryCodes)
	for i := range codes {
		var random [recoveryBytes]byte
		rand.Read(random[:])
		text := secretEncoding.EncodeToString(random[:])
		var groups []string
		for at := 0; at < len(text); at += recoveryGroup {
			groups = append(groups, text[at:at+recoveryGroup])
		}
		codes[i] = strings.Join(groups, "-")
	}
	return codes
}

// recoveryDigest returns what is kept of a recovery code; false when the text can't be one. It is keyed: whoever reads the database alone
// can't try codes on it.
func recoveryDigest(key []byte, user, code string) (digest []byte, ok bool) {
	plain := strings.ToLower(strings.NewReplacer("-", "", " ", "").Replace(code))
	if len(plain) != secretEncoding.EncodedLen(recoveryBytes) {
		return nil, false
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("recovery-code\x00" + user + "\x00" + plain)) // a hash takes everything
	return mac.Sum(nil), true
}
