package token

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport/sallyport/dataplane/internal/claims"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/resource/jsontree"
)

// Token is what a token says. That anybody said so is not known before it is verified. It is immutable, and keeps nothing of the text that
// it was read from.
type Token struct {
	// KeyID names the key; "": the issuer must have but one.
	KeyID string
	// Algorithm is what it claims to be signed by.
	Algorithm configv1.SignatureAlgorithm
	// Type is the media type ("typ") in small letters, without "application/"; "": it says none.
	Type string
	// Claims are all of them, those below included.
	Claims *claims.Claims
	// Audience is whom it is for ("aud"), in its own order.
	Audience []string
	// Expires, NotBefore and IssuedAt are in whole seconds since 1970, where it has them. Fractions (RFC 7519, section 2) are rounded to
	// the shorter life, and IssuedAt down.
	Expires, NotBefore, IssuedAt          int64
	HasExpires, HasNotBefore, HasIssuedAt bool

	signed    []byte // header and payload, as they were signed
	signature []byte
}

// Parse reads a token strictly, and verifies nothing. Its errors wrap [ErrMalformed] or [ErrAlgorithm].
func Parse(text string) (*Token, error) {
	t, payload, err := readJWS(text)
	if err != nil {
		return nil, err
	}
	if err := t.readClaims(payload); err != nil {
		return nil, err
	}
	return &t, nil
}

// readClaims reads the claims, of which the registered ones (RFC 7519, section 4.1) must be of their types.
func (t *Token) readClaims(payload []byte) (err error) {
	if t.Claims, err = claims.Parse(payload); err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	members := t.Claims.All()
	for i := range members {
		v := &members[i].Value
		switch members[i].Name {
		case "iss", "sub", "jti":
			if v.Kind != jsontree.String {
				err = errText
			}
		case "aud":
			t.Audience, err = audience(v)
		case "exp":
			t.Expires, _, err = instant(v)
			t.HasExpires = true
		case "nbf":
			var fraction bool
			t.NotBefore, fraction, err = instant(v)
			if t.HasNotBefore = true; fraction {
				t.NotBefore++
			}
		case "iat":
			t.IssuedAt, _, err = instant(v)
			t.HasIssuedAt = true
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func audience(v *jsontree.Value) ([]string, error) {
	if v.Kind == jsontree.String {
		return []string{v.Text}, nil
	}
	if v.Kind != jsontree.Array {
		return nil, errAudience
	}
	all := make([]string, len(v.Items))
	for i := range v.Items {
		if v.Items[i].Kind != jsontree.String {
			return nil, errAudience
		}
		all[i] = v.Items[i].Text
	}
	return all, nil
}

// For tells whether the token is meant for at least one of the audiences, to the letter (RFC 7519, section 4.1.3).
func (t *Token) For(audiences []string) bool {
	return slices.ContainsFunc(t.Audience, func(one string) bool { return slices.Contains(audiences, one) })
}

const (
	maxNumber   = 64           // bytes of a time as it is written
	maxExponent = 64           // of ten
	maxInstant  = 253402300799 // the last second of 9999
)

// instant reads a NumericDate (RFC 7519, section 2): seconds since 1970, and whether there is a fraction of one more. It calculates with the
// digits as they are, since a float has room for less than a number can say.
func instant(v *jsontree.Value) (seconds int64, fraction bool, err error) {
	if v.Kind != jsontree.Number || len(v.Text) > maxNumber || v.Text[0] == '-' {
		return 0, false, errTime
	}
	digits, point, ok := decimal(v.Text)
	if !ok {
		return 0, false, errTime
	}
	for i := range max(len(digits), point) {
		digit := byte('0')
		if i < len(digits) {
			digit = digits[i]
		}
		if i >= point {
			fraction = fraction || digit != '0'
			continue
		}
		if seconds = seconds*10 + int64(digit-'0'); seconds > maxInstant {
			return 0, false, errTime
		}
	}
	return seconds, fraction, nil
}

// decimal takes a JSON number apart: its digits, and how many of them are before the point, which may be fewer than none or more than all.
func decimal(number string) (digits string, point int, ok bool) {
	mantissa, exponent := number, 0
	if i := strings.IndexAny(number, "eE"); i >= 0 {
		if exponent, ok = smallInt(number[i+1:]); !ok {
			return "", 0, false
		}
		mantissa = number[:i]
	}
	whole, part, _ := strings.Cut(mantissa, ".")
	return whole + part, len(whole) + exponent, true
}

// smallInt reads an exponent of a JSON number.
func smallInt(text string) (n int, ok bool) {
	negative := text[0] == '-'
	for _, digit := range []byte(strings.TrimLeft(text, "+-")) {
		if n = n*10 + int(digit-'0'); n > maxExponent {
			return 0, false
		}
	}
	if negative {
		n = -n
	}
	return n, true
}
