package token

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/proto/jwk"
)

type wycheproof struct {
	TestGroups []struct {
		Comment         string
		Public, Private json.RawMessage
		Tests           []struct {
			ID      int `json:"tcId"`
			Comment string
			JWS     json.RawMessage
			Result  string
		}
	}
}

func readWycheproof(t *testing.T, name string) wycheproof {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "wycheproof", name))
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(name, ".gz") {
		r, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if data, err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	var file wycheproof
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	return file
}

const (
	symmetric = "HMAC: whoever can check such a token can make one, so that no issuer's are"
	es521     = `the key says "alg": "ES521", which is no algorithm (RFC 7518 section 3.1 has ES512)`
	ps384For  = `the key says "alg": "PS256", and the token is signed by PS384 (RFC 7517 section 4.4)`
)

// stricter are the vectors that are called valid and that we refuse, with the reason.
var stricter = map[string]map[int]string{
	"json_web_key_test.json": {2: symmetric, 13: symmetric, 14: symmetric, 15: symmetric},
	"json_web_signature_test.json.gz": {
		1: symmetric, 346: ps384For, 347: es521, 348: symmetric, 350: ps384For, 351: es521, 352: symmetric,
		357: symmetric, 358: symmetric, 359: symmetric, 372: symmetric, 373: symmetric, 376: symmetric, 377: symmetric,
	},
}

// The payloads of the vectors aren't claims; what is before them, keys, headers and signatures, is read and verified as of any token.
func TestWycheproofVectorsAreAcceptedOrRefused(t *testing.T) {
	for name, counts := range map[string][2]int{"json_web_key_test.json": {1, 25}, "json_web_signature_test.json.gz": {32, 369}} {
		accepted, refused := 0, 0
		for _, group := range readWycheproof(t, name).TestGroups {
			keys := wycheproofKeys(t, group.Public, group.Private)
			for _, test := range group.Tests {
				var text string
				if json.Unmarshal(test.JWS, &text) != nil {
					text = string(test.JWS) // JSON serialisation
				}
				parsed, _, err := readJWS(text)
				if err == nil {
					_, err = parsed.Verify(keys, everything)
				}
				reason, isStricter := stricter[name][test.ID]
				want := test.Result == "valid" && !isStricter
				if (err == nil) != want {
					t.Errorf("%s: %d %s (%s), called %s: %v %s", name, test.ID, test.Comment, group.Comment, test.Result, err, reason)
				}
				if isStricter && test.Result != "valid" {
					t.Errorf("%s: %d isn't called valid, so that we aren't stricter", name, test.ID)
				}
				if want {
					accepted++
				} else {
					refused++
				}
			}
		}
		if got := [2]int{accepted, refused}; got != counts {
			t.Errorf("%s: %v accepted and refused instead of %v", name, got, counts)
		}
	}
}

// misspelled are the vectors about spelling on which we differ, with the reason.
var misspelled = map[int]string{
	367: "to the letter the same as the valid 357: its padding got lost", 370: "to the letter the same as the valid 357: its padding got lost",
	372: "called valid if a reader passes over the question mark, which RFC 7515 section 2 doesn't have", 373: "as 372",
}

// The symmetric vectors about Base64url say how a part may be spelled, whoever signed it.
func TestWycheproofSpellingsOfBase64AreAcceptedOrRefused(t *testing.T) {
	spelled := 0
	for _, group := range readWycheproof(t, "json_web_signature_test.json.gz").TestGroups {
		if group.Comment != "base64" {
			continue
		}
		for _, test := range group.Tests {
			var text string
			if err := json.Unmarshal(test.JWS, &text); err != nil {
				t.Fatal(err)
			}
			spelled++
			_, differs := misspelled[test.ID]
			if want := (test.Result == "valid") != differs; (spelling(text) == nil) != want {
				t.Errorf("%d %s, called %s: %v %s", test.ID, test.Comment, test.Result, spelling(text), misspelled[test.ID])
			}
		}
	}
	if spelled != 21 {
		t.Errorf("%d vectors", spelled)
	}
}

func spelling(text string) error {
	first, second, err := dots(text)
	if err != nil {
		return err
	}
	for _, part := range []string{text[:first], text[first+1 : second], text[second+1:]} {
		if _, err := decode([]byte(part)); err != nil {
			return err
		}
	}
	return nil
}

func wycheproofKeys(t *testing.T, public, private json.RawMessage) *KeySet {
	t.Helper()
	text := public
	if text == nil {
		text = private // symmetric keys have no public half; none is taken
	}
	keys, _, err := jwk.ParseSet(text)
	if err != nil { // not a set but a key
		var key jwk.Key
		if key, err = jwk.Parse(text); err == nil {
			keys = append(keys, key)
		}
	}
	return NewKeySet(keys)
}
