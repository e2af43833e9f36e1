package token

import (
	"encoding/base64"
	"slices"
	"strings"

	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/jwk"
	"github.com/sallyport/sallyport/proto/resource/jsontree"
)

// MaxLength is how many bytes a token may have. Headers of requests are bounded to some of these anyway.
const MaxLength = 16 << 10

// maxType bounds a media type in bytes; the longest that is registered has not half of it.
const maxType = 128

// headerNames are those whose meaning is known (RFC 7515 section 4.1, RFC 7516 section 4.1, RFC 7797). One of them in other letters is a
// header that two readers read in two ways.
var headerNames = []string{"alg", "jku", "jwk", "kid", "x5u", "x5c", "x5t", "typ", "cty", "crit", "b64", "zip", "enc"}

// decoding knows one spelling for any bytes: no padding, and no bits that nobody looks at.
var decoding = base64.RawURLEncoding.Strict()

// readJWS takes a compact text apart. The payload may be anything yet.
func readJWS(text string) (t Token, payload []byte, err error) {
	first, second, err := dots(text)
	if err != nil {
		return Token{}, nil, err
	}
	raw := []byte(text)
	header, err := decode(raw[:first])
	if err != nil {
		return Token{}, nil, err
	}
	if err := t.readHeader(header); err != nil {
		return Token{}, nil, err
	}
	if payload, err = decode(raw[first+1 : second]); err != nil {
		return Token{}, nil, err
	}
	if t.signature, err = decode(raw[second+1:]); err != nil {
		return Token{}, nil, err
	}
	t.signed = raw[:second]
	return t, payload, nil
}

// dots returns the places of the two dots, once nothing but Base64url is around them.
func dots(text string) (first, second int, err error) {
	if text == "" {
		return 0, 0, errEmpty
	}
	if len(text) > MaxLength {
		return 0, 0, errTooLong
	}
	var at [4]int
	found := 0
	for i := range len(text) {
		switch c := text[i]; {
		case isBase64URL[c]:
		case c != '.':
			return 0, 0, errCharacter
		case found == len(at):
			return 0, 0, errParts
		default:
			at[found] = i
			found++
		}
	}
	switch {
	case found == len(at):
		return 0, 0, errEncrypted
	case found != 2 || at[0] == 0:
		return 0, 0, errParts
	case at[1] == len(text)-1:
		return 0, 0, errUnsigned
	}
	return at[0], at[1], nil
}

var isBase64URL = func() (is [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") {
		is[c] = true
	}
	return is
}()

func decode(part []byte) ([]byte, error) {
	b := make([]byte, decoding.DecodedLen(len(part)))
	n, err := decoding.Decode(b, part)
	if err != nil {
		return nil, errBase64
	}
	return b[:n], nil
}

// readHeader reads what of the header matters, and refuses what changes the meaning of the rest.
func (t *Token) readHeader(text []byte) error {
	header, violations, err := jsontree.Parse(text)
	if err != nil || len(violations) > 0 || header.Kind != jsontree.Object {
		return errHeader
	}
	var algorithm string
	for i := range header.Members {
		name, value := header.Members[i].Name, &header.Members[i].Value
		var err error
		switch name {
		case "alg":
			algorithm, err = headerText(value)
		case "kid":
			if t.KeyID, err = headerText(value); err == nil && !jwk.GoodID(t.KeyID) {
				err = errKeyID
			}
		case "typ":
			t.Type, err = mediaType(value)
		case "cty":
			err = checkContent(value)
		default:
			err = refusedMember(name)
		}
		if err != nil {
			return err
		}
	}
	t.Algorithm = jwk.AlgorithmNamed(algorithm)
	if t.Algorithm == configv1.SignatureAlgorithm_SIGNATURE_ALGORITHM_UNSPECIFIED {
		return errNoneAlg
	}
	return nil
}

// refusedMember says why a token with this in its header is refused; nil: it may be there, and nobody looks.
func refusedMember(name string) error {
	switch name {
	case "jwk", "x5c", "jku", "x5u":
		return errOwnKey
	case "crit":
		return errCritical
	case "b64":
		return errUnencoded
	case "zip":
		return errZip
	case "enc":
		return errEncrypted
	case "x5t":
		return nil
	}
	if slices.ContainsFunc(headerNames, func(known string) bool { return strings.EqualFold(name, known) }) {
		return errTwisted
	}
	return nil
}

func headerText(v *jsontree.Value) (string, error) {
	if v.Kind != jsontree.String {
		return "", errHeaderText
	}
	return v.Text, nil
}

// mediaType returns a media type in small letters, without the "application/" that may be left out (RFC 7515, section 4.1.9).
func mediaType(v *jsontree.Value) (string, error) {
	text, err := headerText(v)
	if err != nil {
		return "", err
	}
	if text == "" || len(text) > maxType || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return "", errType
	}
	text = strings.ToLower(text)
	if short, ok := strings.CutPrefix(text, "application/"); ok && short != "" && !strings.Contains(short, "/") {
		return short, nil
	}
	return text, nil
}

// checkContent refuses payloads that aren't claims. Tokens that aren't nested do without it (RFC 7519, section 5.2).
func checkContent(v *jsontree.Value) error {
	content, err := mediaType(v)
	if err != nil || content != "json" {
		return errNested
	}
	return nil
}
