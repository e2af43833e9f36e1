package token

import (
	"errors"
	"fmt"
)

// Why a token is refused. Errors of Parse, Verify and Check wrap one of these; none holds anything of the token.
var (
	// ErrMalformed: it isn't a token, or not only one.
	ErrMalformed = errors.New("no well-formed token")
	// ErrAlgorithm: its algorithm isn't known, isn't on the list, or doesn't fit the key that it names.
	ErrAlgorithm = errors.New("signed by an algorithm that isn't allowed")
	// ErrUnknownKey: the issuer has no key of that name.
	ErrUnknownKey = errors.New("signed by a key that isn't known")
	// ErrSignature: the key didn't sign it.
	ErrSignature = errors.New("the signature is wrong")

	ErrIssuer         = errors.New("is of another issuer")
	ErrAudience       = errors.New("is meant for another audience")
	ErrType           = errors.New("is of another type")
	ErrClaimMissing   = errors.New("lacks a claim")
	ErrExpired        = errors.New("has expired")
	ErrNotYetValid    = errors.New("isn't valid yet")
	ErrIssuedInFuture = errors.New("was issued in the future")
	ErrLifetime       = errors.New("lives longer than is allowed")
)

// malformed makes an error once, so that a flood of bad tokens costs no memory.
func malformed(reason string) error { return fmt.Errorf("%w: %s", ErrMalformed, reason) }

var (
	errTooLong    = malformed(fmt.Sprintf("it is longer than %d bytes", MaxLength))
	errEmpty      = malformed("it is empty")
	errCharacter  = malformed("it holds a character that no part of a token has (RFC 7515 section 7.1)")
	errParts      = malformed("it isn't header, payload and signature with dots between")
	errEncrypted  = malformed("it is encrypted (RFC 7516); only signed tokens are taken")
	errUnsigned   = malformed("it has no signature")
	errBase64     = malformed("a part isn't in the one spelling of Base64url that there is (RFC 7515 section 2)")
	errHeader     = malformed("the header isn't a JSON object with each name once")
	errTwisted    = malformed("a name in the header is a known one in other letters")
	errHeaderText = malformed("alg, kid, typ or cty isn't a text")
	errKeyID      = malformed("kid: isn't a text of 1 to 256 bytes without control characters")
	errType       = malformed("typ: isn't a media type")
	errOwnKey     = malformed("jwk, x5c, jku or x5u: it brings a key, or says where one is; keys come from the issuer's key set alone")
	errCritical   = malformed("crit: it asks for an extension, of which none is known")
	errUnencoded  = malformed("b64: unencoded payloads (RFC 7797) aren't taken")
	errZip        = malformed("zip: a signed token isn't compressed")
	errNested     = malformed("cty: its payload is another token")
	errNoneAlg    = fmt.Errorf("%w: alg: none of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512 and EdDSA", ErrAlgorithm)
	errText       = malformed("iss, sub or jti isn't a text")
	errAudience   = malformed("aud: isn't a text or a list of texts")
	errTime       = malformed("exp, nbf or iat isn't a number of seconds from 1970 to 9999")
)
