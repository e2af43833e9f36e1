package jwk

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
)

// object is a JWK that a test takes apart.
type object map[string]any

func (o object) with(name string, value any) object {
	o = maps.Clone(o)
	o[name] = value
	return o
}

func (o object) without(name string) object {
	o = maps.Clone(o)
	delete(o, name)
	return o
}

func (o object) json(t testing.TB) []byte {
	t.Helper()
	b, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func rsaObject() object {
	return object{"kty": "RSA", "n": encode(rsaKey().N.Bytes()), "e": "AQAB"}
}

func ecObject(t testing.TB, curve elliptic.Curve) object {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	x, y := coordinates(&key.PublicKey)
	return object{"kty": "EC", "crv": curve.Params().Name, "x": encode(x), "y": encode(y)}
}

func edObject(t testing.TB) object {
	t.Helper()
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return object{"kty": "OKP", "crv": "Ed25519", "x": encode(public)}
}

func TestAKeyIsReadAndWrittenAsItIs(t *testing.T) {
	names := func(k Key) (fitting []string) {
		for algorithm := range configv1.SignatureAlgorithm_name {
			if k.Fits(configv1.SignatureAlgorithm(algorithm)) {
				fitting = append(fitting, AlgorithmName(configv1.SignatureAlgorithm(algorithm)))
			}
		}
		slices.Sort(fitting)
		return fitting
	}
	for name, test := range map[string]struct {
		in   object
		fits string
	}{
		"RSA":          {rsaObject(), "PS256 PS384 PS512 RS256 RS384 RS512"},
		"RSA for one":  {rsaObject().with("alg", "PS384").with("kid", "a"), "PS384"},
		"P-256":        {ecObject(t, elliptic.P256()), "ES256"},
		"P-384":        {ecObject(t, elliptic.P384()).with("use", "sig"), "ES384"},
		"P-521":        {ecObject(t, elliptic.P521()).with("alg", "ES512"), "ES512"},
		"Ed25519":      {edObject(t).with("key_ops", []string{"verify"}), "EdDSA"},
		"EdDSA":        {edObject(t).with("alg", "EdDSA"), "EdDSA"},
		"newer name":   {edObject(t).with("alg", "Ed25519"), "EdDSA"},
		"unknown":      {edObject(t).with("x5t#S256", "a").with("vendor", object{"d": 1}), "EdDSA"},
		"odd id":       {rsaObject().with("kid", `"\é /../'; --`), "PS256 PS384 PS512 RS256 RS384 RS512"},
		"several uses": {rsaObject().with("key_ops", []string{"sign", "verify"}), "PS256 PS384 PS512 RS256 RS384 RS512"},
	} {
		t.Run(name, func(t *testing.T) {
			k, err := Parse(test.in.json(t))
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(names(k), " "); got != test.fits {
				t.Errorf("fits %s instead of %s", got, test.fits)
			}
			if id, _ := test.in["kid"].(string); k.ID != id {
				t.Errorf("is called %q instead of %q", k.ID, id)
			}
			written := k.AppendJSON(nil)
			again, err := Parse(written)
			if err != nil {
				t.Fatalf("%s: %v", written, err)
			}
			if !again.Public.(interface{ Equal(crypto.PublicKey) bool }).Equal(k.Public) || again.ID != k.ID || again.Algorithm != k.Algorithm ||
				again.Thumbprint != k.Thumbprint || !bytes.Equal(again.AppendJSON(nil), written) {
				t.Errorf("%s was read as %+v", written, again)
			}
			var sorted map[string]any
			if err := json.Unmarshal(written, &sorted); err != nil {
				t.Fatal(err)
			}
			var want bytes.Buffer
			encoder := json.NewEncoder(&want)
			encoder.SetEscapeHTML(false)
			if err := encoder.Encode(sorted); err != nil || strings.TrimSpace(want.String()) != string(written) {
				t.Errorf("%s isn't canonical: %s, %v", written, &want, err)
			}
		})
	}
}

// The key and its thumbprint are those of RFC 7638, section 3.1, and RFC 8037, appendix A.3.
func TestThumbprintsAreThoseOfTheStandards(t *testing.T) {
	for text, want := range map[string]string{
		`{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}`: "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
		`{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`: "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
	} {
		k, err := Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if got := encode(k.Thumbprint[:]); got != want {
			t.Errorf("thumbprint %s instead of %s", got, want)
		}
	}
}

func TestAKeyThatCannotBeTrustedIsRefused(t *testing.T) {
	good, ec, ed := rsaObject(), ecObject(t, elliptic.P256()), edObject(t)
	n := rsaKey().N
	short, err := hex.DecodeString(strings.Repeat("ff", 128))
	if err != nil {
		t.Fatal(err)
	}
	private := object{"d": "AQ", "p": "AQ", "q": "AQ", "dp": "AQ", "dq": "AQ", "qi": "AQ", "oth": []any{}, "k": "AQ"}
	type refusal struct {
		in   object
		want error
	}
	refused := map[string]refusal{
		"symmetric":               {object{"kty": "oct", "k": "c2VjcmV0"}, errSymmetric},
		"for encryption":          {good.with("use", "enc"), errUse},
		"use is no text":          {good.with("use", []string{"sig"}), errUse},
		"use is null":             {good.with("use", nil), errUse},
		"operations of others":    {good.with("key_ops", []string{"encrypt"}), errOps},
		"no operation":            {good.with("key_ops", []string{}), errOps},
		"an operation twice":      {good.with("key_ops", []string{"verify", "verify"}), errOps},
		"operations are no list":  {good.with("key_ops", "verify"), errOps},
		"an operation is a list":  {good.with("key_ops", []any{"verify", []string{"verify"}}), errOps},
		"unknown kind":            {good.with("kty", "AKP"), errKind},
		"kind in other letters":   {good.with("kty", "rsa"), errKind},
		"kind of another":         {ec.with("kty", "RSA"), nil},
		"no kind":                 {good.without("kty"), nil},
		"1024 bits":               {good.with("n", encode(short)), errSize},
		"too many bits":           {good.with("n", encode(slices.Concat(n.Bytes(), bytes.Repeat([]byte{1}, 1024)))), nil},
		"more than 8192 bits":     {good.with("n", encode(append(bytes.Repeat([]byte{255}, 1024), 1))), nil},
		"an even modulus":         {good.with("n", encode(new(big.Int).Sub(n, big.NewInt(1)).Bytes())), errEven},
		"no modulus":              {good.without("n"), nil},
		"a zero before":           {good.with("n", encode(append([]byte{0}, n.Bytes()...))), nil},
		"exponent 1":              {good.with("e", "AQ"), errExponent},
		"exponent 3":              {good.with("e", "Aw"), errExponent},
		"an even exponent":        {good.with("e", encode([]byte{1, 0, 2})), errExponent},
		"an exponent beyond":      {good.with("e", encode([]byte{1, 0, 0, 0, 1})), errExponent},
		"a huge exponent":         {good.with("e", encode(bytes.Repeat([]byte{1}, 100))), errExponent},
		"no exponent":             {good.with("e", ""), nil},
		"exponent is a number":    {good.with("e", 65537), nil},
		"padded":                  {good.with("e", "AQAB===="), nil},
		"a line break":            {good.with("e", "AQ\nAB"), nil},
		"a space":                 {good.with("e", " AQAB"), nil},
		"the other alphabet":      {ed.with("x", strings.Repeat("+/", 21)+"A"), nil},
		"bits that nobody sees":   {ed.with("x", strings.Repeat("A", 42)+"B"), nil},
		"unknown curve":           {ec.with("crv", "secp256k1"), errCurve},
		"P-224":                   {ec.with("crv", "P-224"), errCurve},
		"another curve":           {ec.with("crv", "P-384"), nil},
		"off its curve":           {ec.with("y", ec["x"]), errPoint},
		"infinity":                {ec.with("x", encode(make([]byte, 32))).with("y", encode(make([]byte, 32))), errPoint},
		"beyond the prime":        {ec.with("x", encode(bytes.Repeat([]byte{255}, 32))), errPoint},
		"a short coordinate":      {ec.with("x", encode(make([]byte, 31))), nil},
		"a long coordinate":       {ec.with("x", encode(make([]byte, 33))), nil},
		"no y":                    {ec.without("y"), nil},
		"X25519":                  {ed.with("crv", "X25519"), errOKP},
		"Ed448":                   {ed.with("crv", "Ed448"), errOKP},
		"Ed25519 with y":          {ed.with("y", ed["x"]), nil},
		"Ed25519 too short":       {ed.with("x", encode(make([]byte, 31))), nil},
		"algorithm of another":    {good.with("alg", "ES256"), errAlgorithm},
		"algorithm of encryption": {good.with("alg", "RSA-OAEP"), errAlgorithm},
		"algorithm none":          {good.with("alg", "none"), errAlgorithm},
		"no algorithm":            {good.with("alg", ""), errAlgorithm},
		"algorithm in other case": {good.with("alg", "rs256"), errAlgorithm},
		"symmetric algorithm":     {good.with("alg", "HS256"), errAlgorithm},
		"algorithm is no text":    {good.with("alg", 1), errAlgorithm},
		"another curve's":         {ec.with("alg", "ES384"), errAlgorithm},
		"an empty id":             {good.with("kid", ""), errID},
		"an id of control bytes":  {good.with("kid", "a\x00b"), errID},
		"an id of C1 bytes":       {good.with("kid", "a\u0085b"), errID},
		"an overlong id":          {good.with("kid", strings.Repeat("a", mostID+1)), errID},
		"an id that is a number":  {good.with("kid", 1), errID},
		"in other letters":        {good.with("Use", "enc"), nil},
		"shouted":                 {good.with("KID", "a"), nil},
		"too long":                {good.with("x5c", strings.Repeat("a", mostKey)), errLong},
	}
	for name, value := range private {
		refused["private "+name] = refusal{good.with(name, value), errPrivate}
	}
	for name, test := range refused {
		t.Run(name, func(t *testing.T) {
			k, err := Parse(test.in.json(t))
			if err == nil {
				t.Fatalf("was taken: %+v", k)
			}
			if test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("%v instead of %v", err, test.want)
			}
		})
	}
	for name, text := range map[string]string{
		"nothing": "", "no object": `["a"]`, "null": "null", "twice": `{"kty":"OKP","kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`,
		"twice, escaped": `{"kty":"OKP","k\u0074y":"oct","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`,
		"behind it":      `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}x`,
	} {
		if k, err := Parse([]byte(text)); err == nil {
			t.Errorf("%s: was taken: %+v", name, k)
		}
	}
}

// With S and R of nothing, a signature of any of these keys is good for every eighth message at least, whoever wrote it.
func TestKeysOfSmallOrderAreThoseThatAnybodySignsFor(t *testing.T) {
	identity := append([]byte{1}, make([]byte, 31)...)
	forged := slices.Concat(identity, make([]byte, 32))
	for _, point := range smallOrder {
		for _, sign := range []byte{0, 0x80} {
			key := bytes.Clone(point)
			key[31] |= sign
			if _, err := Parse(object{"kty": "OKP", "crv": "Ed25519", "x": encode(key)}.json(t)); !errors.Is(err, errSmall) {
				t.Errorf("%x: %v", key, err)
			}
		}
		forgeries := 0
		for i := range 256 {
			if ed25519.Verify(point, []byte{byte(i)}, forged) {
				forgeries++
			}
		}
		if forgeries == 0 {
			t.Errorf("%x isn't of small order", point)
		}
	}
}

func TestOfASetWhatIsNoUseIsLeftOutWithTheReason(t *testing.T) {
	a, b, c := rsaObject().with("kid", "a"), ecObject(t, elliptic.P256()).with("kid", "b"), edObject(t)
	set := func(keys ...any) []byte { return object{"keys": keys, "issuer": "x"}.json(t) }
	for name, test := range map[string]struct {
		in       []byte
		keys     string
		unusable map[int]error
	}{
		"all good":                 {set(a, b, c, c), "a b - -", nil},
		"none":                     {[]byte(`{"keys":[]}`), "", nil},
		"one of encryption":        {set(a, b.with("use", "enc")), "a", map[int]error{1: errUse}},
		"that has the same id":     {set(a, b.with("use", "enc").with("kid", "a")), "a", map[int]error{1: errUse}},
		"two of one id":            {set(a, b.with("kid", "a"), c), "-", map[int]error{0: errSameID, 1: errSameID}},
		"three of one id":          {set(a, b, a, a), "b", map[int]error{0: errSameID, 2: errSameID, 3: errSameID}},
		"a symmetric one":          {set(object{"kty": "oct", "k": "AQ"}, a), "a", map[int]error{0: errSymmetric}},
		"a private one":            {set(a.with("d", "AQ"), b), "b", map[int]error{0: errPrivate}},
		"no objects":               {set(nil, 1, "a", []any{a}, a), "a", map[int]error{0: errNoObject, 1: errNoObject, 2: errNoObject, 3: errNoObject}},
		"one with a name twice":    {[]byte(`{"keys":[{"kty":"RSA","kty":"RSA"},` + string(b.json(t)) + `]}`), "b", map[int]error{0: errTwice}},
		"one that isn't Unicode":   {[]byte(`{"keys":[` + string(b.json(t)) + `,{"kty":"` + "\xff" + `"}]}`), "b", map[int]error{1: errTwice}},
		"with a name twice inside": {[]byte(`{"keys":[` + string(b.json(t)) + `,{"kty":"RSA","x":{"a":1,"a":1}}]}`), "b", map[int]error{1: errTwice}},
	} {
		t.Run(name, func(t *testing.T) {
			keys, unusable, err := ParseSet(test.in)
			if err != nil {
				t.Fatal(err)
			}
			var ids []string
			for _, k := range keys {
				ids = append(ids, cmp.Or(k.ID, "-"))
			}
			if got := strings.Join(ids, " "); got != test.keys {
				t.Errorf("keys %q instead of %q", got, test.keys)
			}
			if len(unusable) != len(test.unusable) {
				t.Errorf("left out: %v", unusable)
			}
			for _, one := range unusable {
				if !errors.Is(one.Err, test.unusable[one.Index]) {
					t.Errorf("%d was left out for %v", one.Index, one.Err)
				}
			}
		})
	}
	for name, text := range map[string]string{
		"nothing": "", "no object": `[]`, "one key": string(a.json(t)), "no list": `{"keys":{}}`, "in other letters": `{"Keys":[]}`, "twice": `{"keys":[],"keys":[]}`,
		"too deep": `{"keys":` + strings.Repeat("[", 100), "too many": `{"keys":[` + strings.Repeat("1,", MaxKeys) + `1]}`, "too long": `{"keys":[]` + strings.Repeat(" ", MaxSet) + `}`,
		"too much to tell": `{"keys":[{` + strings.Repeat(`"a":1,`, 2000) + `"a":1}]}`,
	} {
		if keys, _, err := ParseSet([]byte(text)); err == nil {
			t.Errorf("%s: was taken: %v", name, keys)
		}
	}
}

// wycheproofKeys is what the tests need of the file.
type wycheproofKeys struct {
	TestGroups []struct {
		Comment         string
		Public, Private json.RawMessage
		Tests           []struct {
			ID     int `json:"tcId"`
			Result string
		}
	}
}

// stricter are vectors that are called valid, and whose keys we refuse.
var stricter = map[int]string{
	2: "symmetric keys", 13: "a symmetric key", 14: "a symmetric key", 15: "a symmetric key",
}

// The signatures of these vectors are the concern of package token of the edge; here it is the keys.
func TestWycheproofKeysAreTakenOrRefused(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "wycheproof", "json_web_key_test.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file wycheproofKeys
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	taken, refused := 0, 0
	for _, group := range file.TestGroups {
		set := group.Public
		if set == nil {
			set = group.Private // symmetric keys have no public half
		}
		keys, unusable, err := ParseSet(set)
		if err != nil {
			t.Fatal(err)
		}
		for _, test := range group.Tests {
			// A set that holds a bad key beside a good one is read without it.
			valid := test.Result == "valid" && stricter[test.ID] == ""
			if valid && len(unusable) > 0 {
				t.Errorf("%d %s: %v", test.ID, group.Comment, unusable)
			}
			if !valid && len(unusable) == 0 {
				t.Errorf("%d %s: %v was taken", test.ID, group.Comment, keys)
			}
			if valid {
				taken++
			} else {
				refused++
			}
		}
		if group.Private != nil && group.Public != nil {
			if keys, _, err := ParseSet(group.Private); err != nil || len(keys) > 0 {
				t.Errorf("%s: private keys were taken: %v, %v", group.Comment, keys, err)
			}
		}
	}
	if taken != 1 || refused != 25 {
		t.Errorf("%d taken, %d refused", taken, refused)
	}
}

func TestOurOwnKeysAreCheckedLikeOthers(t *testing.T) {
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	k, err := New("k1", configv1.SignatureAlgorithm_SIGNATURE_ALGORITHM_EDDSA, public)
	if err != nil || k.ID != "k1" || k.Algorithm != "EdDSA" || k.Thumbprint == [32]byte{} {
		t.Errorf("%+v, %v", k, err)
	}
	if _, err := New("k1", configv1.SignatureAlgorithm_SIGNATURE_ALGORITHM_ES256, public); !errors.Is(err, errAlgorithm) {
		t.Errorf("an algorithm of another key: %v", err)
	}
	if _, err := New("a\nb", configv1.SignatureAlgorithm_SIGNATURE_ALGORITHM_EDDSA, public); err == nil {
		t.Error("an id with a line break was taken")
	}
}

func FuzzAKeyThatIsTakenIsWrittenAndReadAlike(f *testing.F) {
	for _, o := range []object{rsaObject().with("kid", "a"), ecObject(f, elliptic.P256()).with("alg", "ES256"), ecObject(f, elliptic.P521()), edObject(f).with("use", "sig")} {
		f.Add(o.json(f))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		k, err := Parse(data)
		if err != nil {
			return
		}
		again, err := Parse(k.AppendJSON(nil))
		if err != nil {
			t.Fatalf("%q was taken, but not what was written of it: %v", data, err)
		}
		if again.Thumbprint != k.Thumbprint || again.ID != k.ID || again.Algorithm != k.Algorithm {
			t.Fatalf("%q: %+v became %+v", data, k, again)
		}
		keys, unusable, err := ParseSet(slices.Concat([]byte(`{"keys":[`), data, []byte(`]}`)))
		if err != nil || len(keys) != 1 || len(unusable) != 0 {
			t.Fatalf("%q: is a key, but not of a set: %v, %v", data, unusable, err)
		}
	})
}

func FuzzKeysOfASetAreUsableAndHaveDifferentNames(f *testing.F) {
	key := string(edObject(f).with("kid", "a").json(f))
	f.Add([]byte(`{"keys":[` + key + `]}`))
	f.Add([]byte(`{"keys":[` + key + `,` + key + `,{"kty":"oct","k":"` + base64.RawURLEncoding.EncodeToString([]byte("secret")) + `"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, unusable, err := ParseSet(data)
		if err != nil {
			return
		}
		names := map[string]bool{}
		for _, k := range keys {
			if k.ID != "" && names[k.ID] {
				t.Fatalf("%q: two keys %q", data, k.ID)
			}
			names[k.ID] = true
			if _, err := Parse(k.AppendJSON(nil)); err != nil {
				t.Fatalf("%q: %v", data, err)
			}
		}
		for _, one := range unusable {
			if one.Err == nil {
				t.Fatalf("%q: left out without a reason", data)
			}
		}
	})
}
