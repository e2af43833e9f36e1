package token

import (
	"fmt"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/claims"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/resource/jsontree"
)

// Rules are what an issuer asks of its tokens besides the signature. They are checked on every request, since each depends on the moment or
// on the configuration. The zero rules refuse every token.
type Rules struct {
	// Issuer is what "iss" must say, to the letter.
	Issuer string
	// Audiences: "aud" must have at least one of them.
	Audiences []string
	// ClockSkew is by how much the issuer's clock may be off, either way.
	ClockSkew time.Duration
	// MaxLifetime bounds the time from "iat" to "exp"; 0: it doesn't.
	MaxLifetime time.Duration
	// Required are claims that must be there and not null.
	Required []Requirement
	// Profile is the kind of tokens; unspecified: the same as TOKEN_PROFILE_JWT.
	Profile configv1.TokenProfile
}

// Requirement is a claim that must be there.
type Requirement struct {
	path    claims.Path
	missing error
}

// Require makes a requirement of the name of a claim, or a path to it.
func Require(name string) Requirement {
	return Requirement{path: claims.NewPath(name), missing: missing(name)}
}

func missing(name string) error { return fmt.Errorf("%w: %q", ErrClaimMissing, name) }

var (
	errNoIssuer   = missing("iss")
	errNoAudience = missing("aud")
	errNoExpiry   = missing("exp")
	errNoIssued   = missing("iat")
)

// accessTokenTexts are the texts that an access token must have (RFC 9068, section 2.2).
var accessTokenTexts = []Requirement{Require("sub"), Require("client_id"), Require("jti")}

// Check tells whether a token is good at a moment. It doesn't allocate.
func (r *Rules) Check(t *Token, now time.Time) error {
	if err := r.checkType(t); err != nil {
		return err
	}
	if err := r.checkParties(t); err != nil {
		return err
	}
	if err := r.checkTimes(t, now); err != nil {
		return err
	}
	for i := range r.Required {
		if v := t.Claims.At(r.Required[i].path); v == nil || v.Kind == jsontree.Null {
			return r.Required[i].missing
		}
	}
	return nil
}

// checkType tells one kind of token from another (RFC 8725, section 3.11): what was made for a log-out, an event or a proof is signed by the
// same keys, and no access token. Kinds that we don't know aren't either.
func (r *Rules) checkType(t *Token) error {
	if r.Profile != configv1.TokenProfile_TOKEN_PROFILE_ACCESS_TOKEN {
		if t.Type != "" && t.Type != "jwt" && t.Type != "at+jwt" {
			return ErrType
		}
		return nil
	}
	if t.Type != "at+jwt" {
		return ErrType
	}
	for i := range accessTokenTexts {
		if v := t.Claims.At(accessTokenTexts[i].path); v == nil || v.Kind != jsontree.String || v.Text == "" {
			return accessTokenTexts[i].missing
		}
	}
	if !t.HasIssuedAt {
		return errNoIssued
	}
	return nil
}

func (r *Rules) checkParties(t *Token) error {
	issuer := t.Claims.Issuer()
	switch {
	case issuer == "":
		return errNoIssuer
	case issuer != r.Issuer:
		return ErrIssuer
	case len(t.Audience) == 0:
		return errNoAudience
	case !t.For(r.Audiences):
		return ErrAudience
	}
	return nil
}

func (r *Rules) checkTimes(t *Token, now time.Time) error {
	// Whole seconds on both sides: a time that has begun isn't over before its end, so that rounding down decides as fractions would.
	earliest, latest := now.Add(-r.ClockSkew).Unix(), now.Add(r.ClockSkew).Unix()
	switch {
	case !t.HasExpires:
		return errNoExpiry
	case earliest >= t.Expires: // RFC 7519, section 4.1.4: on or after
		return ErrExpired
	case t.HasNotBefore && latest < t.NotBefore:
		return ErrNotYetValid
	case t.HasIssuedAt && latest < t.IssuedAt:
		return ErrIssuedInFuture
	case r.MaxLifetime == 0:
		return nil
	case !t.HasIssuedAt:
		return errNoIssued
	case t.Expires-t.IssuedAt > int64(r.MaxLifetime/time.Second):
		return ErrLifetime
	}
	return nil
}
