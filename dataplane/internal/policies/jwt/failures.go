package jwt

import (
	"errors"
	"hash/maphash"
	"strconv"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/backoff"
	"github.com/sallyport/sallyport/dataplane/internal/issuers"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/token"
	contract "github.com/sallyport/sallyport/proto/policy/jwt"
)

// unknownKey is the sort of an attempt with a key that nobody knows. It is counted against its address alone, once for each key, and never
// waits by itself: the key may be the issuer's next.
const unknownKey = "jwt/key"

// attempt is a token that isn't remembered, as the back-off counts it: by its text and by the keys that it is held against. No other token shares
// its failures, so that nobody slows down another's; and where the issuer's keys have changed it is a token that was never seen.
func (s *stage) attempt(ex *pipeline.Exchange, issuer *issuers.Issuer, text string) backoff.Attempt {
	held := maphash.Comparable(s.seed, struct {
		text string
		keys *token.KeySet
	}{text, issuer.Keys().Set()})
	return s.failures.Of(contract.Kind.Name, ex.Client.Address, strconv.FormatUint(held, 36))
}

// unverified refuses a token that no key of its issuer has signed. A signature that is wrong and a key that nobody knows are what guesses look
// like: they count, and an address with too many of them isn't told any more which it was.
func (s *stage) unverified(ex *pipeline.Exchange, attempt backoff.Attempt, keyID string, guessing time.Duration, err error) *pipeline.Rejection {
	switch {
	case errors.Is(err, token.ErrSignature):
	case errors.Is(err, token.ErrUnknownKey):
		attempt = s.failures.Of(unknownKey, ex.Client.Address, keyID)
	default:
		return s.refuse(ex, err)
	}
	if ex.Counts() {
		attempt.Failed(ex.Now)
	}
	if guessing > 0 {
		return ex.TooManyFailures(guessing, "too many tokens from this address that nobody signed")
	}
	return s.refuse(ex, err)
}
