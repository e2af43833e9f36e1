package identity

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Caller is what a token says of who calls.
type Caller struct {
	// Subject is "sub": the consumer's id, or the subject of the caller's own token, as the gateway's policy says.
	Subject string
	// ConsumerID and ConsumerName are of the consumer that the gateway knows the caller as.
	ConsumerID, ConsumerName string
	// Scopes are what the caller's credential may be used for.
	Scopes []string
	// IDP and IDPSubject are the issuer and subject of the caller's own token; "": they came without one.
	IDP, IDPSubject string
	// Expires is when the token ends.
	Expires time.Time

	payload []byte
}

// Has tells whether the caller has a scope.
func (c *Caller) Has(scope string) bool {
	for _, s := range c.Scopes {
		if s == scope {
			return true
		}
	}
	return false
}

// Claims reads all that the token says into a value, as [json.Unmarshal] does.
func (c *Caller) Claims(into any) error {
	if err := json.Unmarshal(c.payload, into); err != nil {
		return fmt.Errorf("identity: the claims: %w", err)
	}
	return nil
}

type callerKey struct{}

// From returns who makes a request; nil where no [Checker.Require] stands before the handler.
func From(ctx context.Context) *Caller {
	c, _ := ctx.Value(callerKey{}).(*Caller)
	return c
}

// Require lets pass what carries a good token, and answers anything else 401.
func (c *Checker) Require(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, err := c.CheckRequest(r)
		if err != nil {
			w.Header().Set("Cache-Control", "no-store")
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "the gateway's identity token is missing or not good", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, caller)))
	})
}

// CheckRequest checks the token of a request. Two of them could be read in two ways and are refused.
func (c *Checker) CheckRequest(r *http.Request) (*Caller, error) {
	values := r.Header.Values(c.config.Header)
	if len(values) != 1 {
		return nil, fmt.Errorf("%w: %d fields %s", ErrRefused, len(values), c.config.Header)
	}
	token := values[0]
	if strings.EqualFold(c.config.Header, "Authorization") {
		scheme, rest, _ := strings.Cut(token, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return nil, fmt.Errorf("%w: Authorization isn't Bearer", ErrRefused)
		}
		token = rest
	}
	return c.Check(r.Context(), token)
}
