package token

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/proto/jwk"
)

// try reads and verifies a token as a request does.
func try(text string) error {
	parsed, err := Parse(text)
	if err == nil {
		_, err = parsed.Verify(issuerKeys(), everything)
	}
	return err
}

// Each is signed by the issuer's own key, where the attack allows: it's not the signature that saves us.
func TestATokenWhoseHeaderIsHostileIsRefused(t *testing.T) {
	s := issuer()["ES256"]
	mallory, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	embedded := string(signer{"p256", es256, mallory}.key().AppendJSON(nil))
	for name, test := range map[string]struct {
		header string
		want   error
	}{
		"jwk":                   {`{"alg":"ES256","kid":"p256","jwk":` + embedded + `}`, errOwnKey},
		"jku":                   {`{"alg":"ES256","kid":"p256","jku":"https://evil.example/keys"}`, errOwnKey},
		"x5u":                   {`{"alg":"ES256","kid":"p256","x5u":"http://169.254.169.254/"}`, errOwnKey},
		"x5c":                   {`{"alg":"ES256","kid":"p256","x5c":["MII="]}`, errOwnKey},
		"crit empty":            {`{"alg":"ES256","kid":"p256","crit":[]}`, errCritical},
		"crit unknown":          {`{"alg":"ES256","kid":"p256","crit":["http://x.example"],"http://x.example":1}`, errCritical},
		"crit of what is known": {`{"alg":"ES256","kid":"p256","crit":["alg"]}`, errCritical},
		"crit null":             {`{"alg":"ES256","kid":"p256","crit":null}`, errCritical},
		"crit b64":              {`{"alg":"ES256","kid":"p256","crit":["b64"],"b64":false}`, errCritical},
		"b64 false":             {`{"alg":"ES256","kid":"p256","b64":false}`, errUnencoded},
		"b64 true":              {`{"alg":"ES256","kid":"p256","b64":true}`, errUnencoded},
		"zip":                   {`{"alg":"ES256","kid":"p256","zip":"DEF"}`, errZip},
		"enc":                   {`{"alg":"ES256","kid":"p256","enc":"A128GCM"}`, errEncrypted},
		"cty JWT":               {`{"alg":"ES256","kid":"p256","cty":"JWT"}`, errNested},
		"cty with a prefix":     {`{"alg":"ES256","kid":"p256","cty":"application/jwt"}`, errNested},
		"cty number":            {`{"alg":"ES256","kid":"p256","cty":1}`, errNested},
		"alg twice":             {`{"alg":"ES256","kid":"p256","alg":"none"}`, errHeader},
		"alg twice, escaped":    {`{"alg":"ES256","kid":"p256","\u0061lg":"none"}`, errHeader},
		"kid twice":             {`{"alg":"ES256","kid":"p256","kid":"rsa"}`, errHeader},
		"an unknown name twice": {`{"alg":"ES256","kid":"p256","x":1,"x":2}`, errHeader},
		"ALG":                   {`{"alg":"ES256","kid":"p256","ALG":"none"}`, errTwisted},
		"Alg alone":             {`{"Alg":"ES256","kid":"p256"}`, errTwisted},
		"Kid":                   {`{"alg":"ES256","Kid":"p256"}`, errTwisted},
		"KID of the Kelvins":    {`{"alg":"ES256","\u212aid":"p256"}`, errTwisted},
		"Crit":                  {`{"alg":"ES256","kid":"p256","Crit":["x"]}`, errTwisted},
		"JWK":                   {`{"alg":"ES256","kid":"p256","JWK":{}}`, errTwisted},
		"no alg":                {`{"kid":"p256"}`, errNoneAlg},
		"alg null":              {`{"alg":null,"kid":"p256"}`, errHeaderText},
		"alg list":              {`{"alg":["ES256"],"kid":"p256"}`, errHeaderText},
		"alg number":            {`{"alg":256,"kid":"p256"}`, errHeaderText},
		"kid number":            {`{"alg":"ES256","kid":1}`, errHeaderText},
		"kid object":            {`{"alg":"ES256","kid":{"p256":1}}`, errHeaderText},
		"kid empty":             {`{"alg":"ES256","kid":""}`, errKeyID},
		"kid of control bytes":  {`{"alg":"ES256","kid":"p256\u0000"}`, errKeyID},
		"kid with a line break": {`{"alg":"ES256","kid":"p256\r\nX-Admin: 1"}`, errKeyID},
		"kid overlong":          {`{"alg":"ES256","kid":"` + strings.Repeat("a", 257) + `"}`, errKeyID},
		"kid path":              {`{"alg":"ES256","kid":"../../../../dev/null"}`, ErrUnknownKey},
		"kid SQL":               {`{"alg":"ES256","kid":"x' UNION SELECT 'key' --"}`, ErrUnknownKey},
		"kid URL":               {`{"alg":"ES256","kid":"https://evil.example/key"}`, ErrUnknownKey},
		"kid command":           {`{"alg":"ES256","kid":"$(id)|id"}`, ErrUnknownKey},
		"kid in other letters":  {`{"alg":"ES256","kid":"P256"}`, ErrUnknownKey},
		"kid with a space":      {`{"alg":"ES256","kid":"p256 "}`, ErrUnknownKey},
		"kid of another kind":   {`{"alg":"ES256","kid":"rsa"}`, ErrAlgorithm},
		"another curve's":       {`{"alg":"ES384","kid":"p256"}`, ErrAlgorithm},
		"the key's, PS for ES":  {`{"alg":"PS256","kid":"p256"}`, ErrAlgorithm},
		"typ null":              {`{"alg":"ES256","kid":"p256","typ":null}`, errHeaderText},
		"typ empty":             {`{"alg":"ES256","kid":"p256","typ":""}`, errType},
		"typ with a NUL":        {`{"alg":"ES256","kid":"p256","typ":"at+jwt\u0000"}`, errType},
		"typ with a space":      {`{"alg":"ES256","kid":"p256","typ":"at+jwt "}`, errType},
		"typ in wide letters":   {`{"alg":"ES256","kid":"p256","typ":"\uff41t+jwt"}`, errType},
		"typ overlong":          {`{"alg":"ES256","kid":"p256","typ":"` + strings.Repeat("a", maxType+1) + `"}`, errType},
		"no object":             {`["alg","ES256"]`, errHeader},
		"no JSON":               {`{"alg":"ES256",}`, errHeader},
		"two objects":           {`{"alg":"ES256","kid":"p256"}{}`, errHeader},
		"a byte order mark":     {"\ufeff" + `{"alg":"ES256","kid":"p256"}`, errHeader},
		"not Unicode":           {"{\"alg\":\"ES256\",\"kid\":\"\xff\"}", errHeader},
		"too deep":              {`{"alg":"ES256","kid":"p256","x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, errHeader},
	} {
		t.Run(name, func(t *testing.T) {
			if err := try(s.sign(test.header, goodClaims)); !errors.Is(err, test.want) {
				t.Errorf("%v instead of %v", err, test.want)
			}
		})
	}
	for _, header := range []string{`{"alg":"ES256","kid":"p256"}`, `{"typ":"at+JWT","kid":"p256","alg":"ES256","x5t":"a","cty":"json","vendor":{"alg":"none"}}`} {
		if err := try(s.sign(header, goodClaims)); err != nil {
			t.Errorf("%s: %v", header, err)
		}
	}
}

func TestNoSpellingOfNoneAndNoOtherAlgorithmIsTaken(t *testing.T) {
	for _, algorithm := range []string{
		"none", "None", "NONE", "nOnE", "none ", " none", "none\\u0000", "", "null", "HS256", "HS384", "HS512", "hs256", "es256", "ES256 ", "ES256K", "RS1", "RS257",
		"ES521", "A128KW", "RSA-OAEP", "RSA1_5", "dir", "Ed448", "eddsa", "ed25519", "SHA256", "ESP256",
	} {
		for _, signature := range []string{"", "AA"} {
			text := part(`{"alg":"`+algorithm+`","kid":"p256"}`) + "." + part(goodClaims) + "." + signature
			if err := try(text); err == nil || signature != "" && !errors.Is(err, ErrAlgorithm) {
				t.Errorf("%q with signature %q: %v", algorithm, signature, err)
			}
		}
	}
}

// Who takes a public key for a secret, checks these by what everybody knows.
func TestAPublicKeyIsNoSecretToSignWith(t *testing.T) {
	s := issuer()["RS256"]
	der, err := x509.MarshalPKIXPublicKey(s.private.Public())
	must(err)
	k := s.key()
	for _, secret := range [][]byte{der, k.AppendJSON(nil), k.Thumbprint[:], nil} {
		for _, algorithm := range []string{"HS256", "RS256", "ES256"} {
			signed := part(`{"alg":"`+algorithm+`","kid":"rsa"}`) + "." + part(goodClaims)
			mac := hmac.New(sha256.New, secret)
			mac.Write([]byte(signed))
			if err := try(signed + "." + part(string(mac.Sum(nil)))); !errors.Is(err, ErrAlgorithm) && !errors.Is(err, ErrSignature) {
				t.Errorf("%s: %v", algorithm, err)
			}
		}
	}
}

func TestATokenIsReadInOneSpellingOnly(t *testing.T) {
	good := issuer()["EdDSA"].token(goodClaims)
	parts := strings.Split(good, ".")
	join := func(header, payload, signature string) string { return header + "." + payload + "." + signature }
	twist := func(text string) string { // other bits in the last character, which no byte has
		last := strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", text[len(text)-1])
		return text[:len(text)-1] + string("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[last|1])
	}
	if len(parts[2])%4 == 0 {
		t.Fatal("the signature fills its last character")
	}
	for name, test := range map[string]struct {
		text string
		want error
	}{
		"nothing":                {"", errEmpty},
		"dots":                   {"..", errParts},
		"one part":               {parts[0], errParts},
		"two parts":              {parts[0] + "." + parts[1], errParts},
		"no signature":           {parts[0] + "." + parts[1] + ".", errUnsigned},
		"no header":              {join("", parts[1], parts[2]), errParts},
		"no payload":             {join(parts[0], "", parts[2]), ErrMalformed},
		"four parts":             {good + ".AA", errParts},
		"a dot behind":           {good + ".", errParts},
		"a dot before":           {"." + good, errParts},
		"five parts":             {good + ".AA.AA", errEncrypted},
		"many parts":             {strings.Repeat("AA.", 2000), errParts},
		"a space before":         {" " + good, errCharacter},
		"a space behind":         {good + " ", errCharacter},
		"a space inside":         {join(parts[0], parts[1][:8]+" "+parts[1][8:], parts[2]), errCharacter},
		"a line break inside":    {join(parts[0], parts[1][:8]+"\n"+parts[1][8:], parts[2]), errCharacter},
		"CR LF in the signature": {join(parts[0], parts[1], parts[2][:8]+"\r\n"+parts[2][8:]), errCharacter},
		"a tab":                  {good + "\t", errCharacter},
		"a NUL":                  {good + "\x00", errCharacter},
		"a wide character":       {good + "\u00a0", errCharacter},
		"padding":                {good + "==", errCharacter},
		"padding of the header":  {join(parts[0]+"=", parts[1], parts[2]), errCharacter},
		"percent":                {good + "%3d", errCharacter},
		"the other alphabet":     {join(parts[0], parts[1], "+/"+parts[2][2:]), errCharacter},
		"a comma":                {good + "," + good, errCharacter},
		"bits of the signature":  {join(parts[0], parts[1], twist(parts[2])), errBase64},
		"one character too many": {good + "AAA", errBase64},
		"JSON serialisation":     {`{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`, errCharacter},
		"general serialisation":  {`{"payload":"` + parts[1] + `","signatures":[{"protected":"` + parts[0] + `","signature":"` + parts[2] + `"}]}`, errCharacter},
		"oversized":              {issuer()["EdDSA"].token(`{"a":"` + strings.Repeat("a", MaxLength) + `"}`), errTooLong},
		"too many claims":        {issuer()["EdDSA"].token(`{"a":[` + strings.Repeat("1,", 3000) + `1]}`), ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			if err := try(test.text); !errors.Is(err, test.want) {
				t.Errorf("%v instead of %v", err, test.want)
			}
		})
	}
	for i := range len(good) {
		if err := try(good[:i]); err == nil {
			t.Fatalf("the first %d bytes of %d were taken", i, len(good))
		}
	}
}

func TestClaimsOfTheWrongKindAreMalformed(t *testing.T) {
	for _, payload := range []string{
		`"a"`, `[]`, `null`, `{}{}`, `{`, part(goodClaims), issuer()["EdDSA"].token(goodClaims), "\ufeff{}",
		`{"iss":1}`, `{"iss":null}`, `{"iss":["a"]}`, `{"sub":1}`, `{"sub":null}`, `{"jti":7}`, `{"jti":{}}`,
		`{"aud":1}`, `{"aud":null}`, `{"aud":{"a":1}}`, `{"aud":["a",1]}`, `{"aud":["a",null]}`, `{"aud":[["a"]]}`,
		`{"exp":1,"exp":2}`, `{"exp":1,"\u0065xp":2}`, `{"EXP":9}`, `{"exp":9,"Exp":1}`, `{"ISS":"a"}`, `{"\u017fub":"a"}`, `{"Aud":"a"}`, `{"Client_ID":"a"}`, `{"SCOPE":"a"}`,
	} {
		if err := try(issuer()["EdDSA"].token(payload)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", payload, err)
		}
	}
}

func TestTimesAreReadAsTheyAreWritten(t *testing.T) {
	read := func(number string) (*Token, error) {
		return Parse(issuer()["EdDSA"].token(`{"exp":` + number + `,"nbf":` + number + `,"iat":` + number + `}`))
	}
	for number, want := range map[string][2]int64{ // rounded down, and up
		"0": {0, 0}, "1700000000": {1700000000, 1700000000}, "1.7e9": {1700000000, 1700000000}, "17E8": {1700000000, 1700000000}, "1700000000.0": {1700000000, 1700000000},
		"1700000000.5": {1700000000, 1700000001}, "1699999999.999999999999999999": {1699999999, 1700000000}, "17000000005e-1": {1700000000, 1700000001}, "1e-9": {0, 1}, "0e-64": {0, 0},
		"0.00000000000000000000017e31": {1700000000, 1700000000}, "253402300799": {253402300799, 253402300799}, "1.5": {1, 2}, "15e-1": {1, 2}, "1e+1": {10, 10}, "0e64": {0, 0},
		"1700000000.00000000000000000001": {1700000000, 1700000001},
	} {
		got, err := read(number)
		if err != nil || got.Expires != want[0] || got.IssuedAt != want[0] || got.NotBefore != want[1] || !got.HasExpires || !got.HasNotBefore || !got.HasIssuedAt {
			t.Errorf("%s: %+v, %v", number, got, err)
		}
	}
	for _, number := range []string{
		`"1700000000"`, `-1`, `-0`, `-0.5`, `-1e400`, `1e400`, `1e18`, `9223372036854775808`, `253402300800`, `1e64`, `1e65`, `1e-65`, `1e999999999999999999999`, `1e-999999999999999999999`,
		`true`, `null`, `[1700000000]`, `{}`, `NaN`, `Infinity`, `01`, `+1`, `1.`, `.5`, `0x10`, `1_000`, strings.Repeat("1", 65), `0.` + strings.Repeat("0", 64),
	} {
		if got, err := read(number); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %+v, %v", number, got, err)
		}
	}
}

func TestASignatureThatIsAlmostRightIsWrong(t *testing.T) {
	for name, s := range issuer() {
		signed := part(s.header()) + "." + part(goodClaims)
		good := s.signature(signed)
		flipped := func(i int) []byte { b := slices.Clone(good); b[i] ^= 1; return b }
		for what, signature := range map[string][]byte{
			"first bit": flipped(0), "last bit": flipped(len(good) - 1), "short": good[:len(good)-1], "short in front": good[1:], "long": append(slices.Clone(good), 0),
			"long in front": append([]byte{0}, good...), "zero": make([]byte, len(good)), "ones": []byte(strings.Repeat("\xff", len(good))), "one byte": {1}, "twice": slices.Concat(good, good),
			"of another text": s.signature(signed + "A"),
		} {
			if err := try(signed + "." + part(string(signature))); !errors.Is(err, ErrSignature) {
				t.Errorf("%s: %s: %v", name, what, err)
			}
		}
		for other := range issuer() {
			if other == name {
				continue
			}
			if err := try(signed + "." + part(string(issuer()[other].signature(signed)))); !errors.Is(err, ErrSignature) {
				t.Errorf("%s: a signature of %s: %v", name, other, err)
			}
		}
		if err := try(part(s.header()) + "." + part(strings.Replace(goodClaims, "alice", "admin", 1)) + "." + part(string(good))); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: other claims: %v", name, err)
		}
	}
}

func TestECDSASignaturesAreRAndSWithinTheOrder(t *testing.T) {
	for _, name := range []string{"ES256", "ES384", "ES512"} {
		s := issuer()[name]
		signed := part(s.header()) + "." + part(goodClaims)
		good := s.signature(signed)
		half := len(good) / 2
		n := s.private.Public().(*ecdsa.PublicKey).Params().N
		r, v := new(big.Int).SetBytes(good[:half]), new(big.Int).SetBytes(good[half:])
		raw := func(r, s *big.Int) []byte {
			return append(r.FillBytes(make([]byte, half)), s.FillBytes(make([]byte, half))...)
		}
		der, err := asn1.Marshal(struct{ R, S *big.Int }{r, v})
		must(err)
		zero := new(big.Int)
		for what, signature := range map[string][]byte{
			"DER": der, "r 0": raw(zero, v), "s 0": raw(r, zero), "both 0": raw(zero, zero), "r n": raw(n, v), "s n": raw(r, n), "both n": raw(n, n), "s and r": raw(v, r),
			"one more": slices.Concat(good[:half], []byte{0}, good[half:]), "wider": slices.Concat([]byte{0}, good[:half], []byte{0}, good[half:]),
		} {
			if err := try(signed + "." + part(string(signature))); !errors.Is(err, ErrSignature) {
				t.Errorf("%s: %s: %v", name, what, err)
			}
		}
		// The twin of a good one says what that says, and is as good (RFC 7518, section 3.4 doesn't choose between them).
		if err := try(signed + "." + part(string(raw(r, new(big.Int).Sub(n, v))))); err != nil {
			t.Errorf("%s: n-s: %v", name, err)
		}
	}
}

func TestOnlyTheKeyThatATokenNamesMaySign(t *testing.T) {
	es, ed := issuer()["ES256"], issuer()["EdDSA"]
	mallory, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	forged := signer{"p256", es256, mallory}
	twin := signer{"p256b", es256, es.private}
	pinned := es.key()
	pinned.Algorithm = "ES384"
	nameless := es.key()
	nameless.ID = ""
	unnamed := es.sign(`{"alg":"ES256"}`, goodClaims)
	for name, test := range map[string]struct {
		keys    []jwk.Key
		allowed Algorithms
		text    string
		want    error
	}{
		"good":                         {[]jwk.Key{es.key(), ed.key()}, NewAlgorithms(), es.token(goodClaims), nil},
		"no key":                       {nil, NewAlgorithms(), es.token(goodClaims), ErrUnknownKey},
		"forged":                       {[]jwk.Key{es.key()}, NewAlgorithms(), forged.token(goodClaims), ErrSignature},
		"not on the list":              {[]jwk.Key{es.key()}, NewAlgorithms(rs256), es.token(goodClaims), ErrAlgorithm},
		"no list":                      {[]jwk.Key{es.key()}, 0, es.token(goodClaims), ErrAlgorithm},
		"not on the default list":      {[]jwk.Key{issuer()["PS256"].key()}, NewAlgorithms(), issuer()["PS256"].token(goodClaims), ErrAlgorithm},
		"the key is for another":       {[]jwk.Key{pinned}, everything, es.token(goodClaims), ErrAlgorithm},
		"two keys of the name":         {[]jwk.Key{es.key(), forged.key()}, NewAlgorithms(), es.token(goodClaims), ErrUnknownKey},
		"the key from two sources":     {[]jwk.Key{es.key(), es.key()}, NewAlgorithms(), es.token(goodClaims), nil},
		"the key by another name":      {[]jwk.Key{twin.key()}, NewAlgorithms(), es.token(goodClaims), ErrUnknownKey},
		"a key without a name":         {[]jwk.Key{nameless}, NewAlgorithms(), es.token(goodClaims), ErrUnknownKey},
		"no name, one key":             {[]jwk.Key{es.key(), ed.key()}, NewAlgorithms(), unnamed, nil},
		"no names at all":              {[]jwk.Key{nameless}, NewAlgorithms(), unnamed, nil},
		"no name, one by two names":    {[]jwk.Key{es.key(), twin.key()}, NewAlgorithms(), unnamed, nil},
		"no name, several keys":        {[]jwk.Key{es.key(), signer{"other", es256, mallory}.key()}, NewAlgorithms(), unnamed, ErrUnknownKey},
		"no name, no key that fits":    {[]jwk.Key{ed.key()}, NewAlgorithms(), unnamed, ErrUnknownKey},
		"the newer name of Ed25519":    {[]jwk.Key{ed.key()}, NewAlgorithms(), ed.sign(`{"alg":"Ed25519","kid":"ed"}`, goodClaims), nil},
		"an issuer that says too much": {[]jwk.Key{es.key()}, NewAlgorithms(0, 99, es256), es.token(goodClaims), nil},
	} {
		t.Run(name, func(t *testing.T) {
			parsed, err := Parse(test.text)
			if err != nil {
				t.Fatal(err)
			}
			if _, err = parsed.Verify(NewKeySet(test.keys), test.allowed); !errors.Is(err, test.want) {
				t.Errorf("%v instead of %v", err, test.want)
			}
		})
	}
	parsed, err := Parse(es.token(goodClaims))
	must(err)
	var none *KeySet
	if _, err := parsed.Verify(none, everything); !errors.Is(err, ErrUnknownKey) || none.Has(es.key().Thumbprint) || none.Len() != 0 {
		t.Errorf("no key set: %v", err)
	}
	v, err := parsed.Verify(issuerKeys(), everything)
	must(err)
	if _, err := v.Verify(issuerKeys(), everything); !errors.Is(err, ErrSignature) {
		t.Errorf("verified again without its signature: %v", err)
	}
}
