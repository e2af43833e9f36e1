package token

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/proto/jwk"
)

// What is taken says to encoding/json, as a service behind may read it, just what it says here.
func FuzzATokenThatIsTakenSaysTheSameToOthers(f *testing.F) {
	for _, s := range issuer() {
		f.Add(s.header(), goodClaims, []byte("signature"))
	}
	f.Add(`{"alg":"ES256","crit":["b64"],"b64":false}`, `{"exp":1.7e9,"aud":"a"}`, []byte{0})
	f.Add(`{"ALG":"ES256"}`, `{"exp":1,"EXP":2}`, []byte{})
	f.Fuzz(func(t *testing.T, header, payload string, signature []byte) {
		text := part(header) + "." + part(payload) + "." + part(string(signature))
		got, err := Parse(text)
		if err != nil {
			if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrAlgorithm) {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		var theirs struct {
			Alg  string          `json:"alg"`
			Kid  string          `json:"kid"`
			Crit json.RawMessage `json:"crit"`
			JWK  json.RawMessage `json:"jwk"`
		}
		if err := json.Unmarshal([]byte(header), &theirs); err != nil {
			t.Fatalf("header %q: %v", header, err)
		}
		if jwk.AlgorithmNamed(theirs.Alg) != got.Algorithm || theirs.Kid != got.KeyID || theirs.Crit != nil || theirs.JWK != nil {
			t.Fatalf("header %q is %+v to others, and %+v here", header, theirs, got)
		}
		var claims struct {
			Iss string          `json:"iss"`
			Sub string          `json:"sub"`
			Exp json.Number     `json:"exp"`
			Aud json.RawMessage `json:"aud"`
		}
		if err := json.Unmarshal([]byte(payload), &claims); err != nil {
			t.Fatalf("payload %q: %v", payload, err)
		}
		if claims.Iss != got.Claims.Issuer() || claims.Sub != got.Claims.Subject() || (claims.Exp != "") != got.HasExpires || (claims.Aud != nil) != (got.Claims.Get("aud") != nil) {
			t.Fatalf("payload %q is %+v to others", payload, claims)
		}
		if seconds, err := claims.Exp.Float64(); err == nil && got.HasExpires && (float64(got.Expires) > seconds+1 || float64(got.Expires) < seconds-1.001) {
			t.Fatalf("exp %s is %d here", claims.Exp, got.Expires)
		}
		checkAudience(t, claims.Aud, got.Audience)
	})
}

func checkAudience(t *testing.T, text json.RawMessage, got []string) {
	t.Helper()
	if text == nil {
		return
	}
	want := []string{""}
	if json.Unmarshal(text, &want[0]) != nil {
		if err := json.Unmarshal(text, &want); err != nil {
			t.Fatalf("aud %s: %v", text, err)
		}
	}
	if len(want)+len(got) > 0 && !reflect.DeepEqual(got, want) {
		t.Fatalf("aud %s is %q here", text, got)
	}
}

// A text that is taken has one spelling: what it decodes to encodes to the same text.
func FuzzATokenHasOneSpelling(f *testing.F) {
	good := issuer()["EdDSA"].token(goodClaims)
	f.Add(good)
	f.Add(good + "=")
	f.Add(strings.Replace(good, ".", ".\n", 1))
	f.Add(`{"payload":"AA","signatures":[]}`)
	f.Fuzz(func(t *testing.T, text string) {
		parsed, payload, err := readJWS(text)
		if err != nil {
			return
		}
		header, _, _ := strings.Cut(text, ".")
		first, err := base64.RawURLEncoding.DecodeString(header)
		if err != nil || part(string(first))+"."+part(string(payload))+"."+part(string(parsed.signature)) != text || !bytes.HasPrefix([]byte(text), parsed.signed) {
			t.Fatalf("%q has another spelling", text)
		}
		if _, err := parsed.Verify(issuerKeys(), everything); err == nil && text != good && !strings.HasPrefix(text, part(issuer()["EdDSA"].header())) {
			t.Fatalf("%q was verified", text)
		}
	})
}
