package resource

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/proto/certificate/certificatetest"
)

const publicKey = `{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`

// issuerOf is an issuer's body with these fields in the place of, or beside, those that it needs.
func issuerOf(t *testing.T, fields map[string]any) string {
	t.Helper()
	body := map[string]any{"name": "login", "issuer": "https://login.test", "audiences": []string{"api"}, "consumer": map[string]any{"name_claim": "client_id"}}
	for name, value := range fields {
		if body[name] = value; value == nil {
			delete(body, name)
		}
	}
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestWhereAnIssuersKeysComeFrom(t *testing.T) {
	type fields = map[string]any
	keys := func(all ...string) string { return `{"keys":[` + strings.Join(all, ",") + `]}` }
	var many []string
	for i := range 65 {
		many = append(many, strings.Replace(publicKey, `"a"`, fmt.Sprintf(`"a%d"`, i), 1))
	}
	tests := map[string]struct {
		fields fields
		want   []string
	}{
		"its own document":              {fields{"discovery": fields{}}, nil},
		"a document elsewhere":          {fields{"discovery": fields{"url": "https://x.test/.well-known/oauth-authorization-server"}, "issuer": "any name: at all"}, nil},
		"a key set":                     {fields{"jwks_url": "https://login.test/keys?v=1"}, nil},
		"a key set on this machine":     {fields{"jwks_url": "http://127.0.0.1:8080/keys"}, nil},
		"this machine by its name":      {fields{"jwks_url": "http://localhost:8080/keys"}, []string{"/jwks_url invalid_format"}},
		"this machine, IPv6":            {fields{"jwks_url": "http://[::1]:8080/keys"}, nil},
		"given":                         {fields{"jwks": keys(publicKey)}, nil},
		"nowhere":                       {fields{}, []string{" required"}},
		"in plain":                      {fields{"jwks_url": "http://login.test/keys"}, []string{"/jwks_url invalid_format"}},
		"in plain, like this machine":   {fields{"jwks_url": "http://127.0.0.1.test/"}, []string{"/jwks_url invalid_format"}},
		"with a password":               {fields{"jwks_url": "https://a:b@login.test/"}, []string{"/jwks_url invalid_format"}},
		"a fragment":                    {fields{"jwks_url": "https://login.test/#"}, []string{"/jwks_url invalid_format"}},
		"no host":                       {fields{"jwks_url": "https:///keys"}, []string{"/jwks_url invalid_format"}},
		"a file":                        {fields{"jwks_url": "file:///etc/passwd"}, []string{"/jwks_url invalid_format"}},
		"a document in plain":           {fields{"discovery": fields{"url": "http://login.test"}}, []string{"/discovery/url invalid_format"}},
		"an issuer that is no address":  {fields{"discovery": fields{}, "issuer": "login"}, []string{"/issuer invalid_format"}},
		"an issuer with a line break":   {fields{"jwks_url": "https://login.test/keys", "issuer": "https://login.test\n"}, []string{"/issuer invalid_format"}},
		"given, none":                   {fields{"jwks": keys()}, []string{"/jwks invalid_format"}},
		"given, a private one":          {fields{"jwks": keys(publicKey[:len(publicKey)-1] + `,"d":"c2VjcmV0LXNlY3JldC1zZWNyZXQ"}`)}, []string{"/jwks invalid_format"}},
		"given, one of two of no use":   {fields{"jwks": keys(publicKey, `{"kty":"oct","k":"c2VjcmV0LXNlY3JldC1zZWNyZXQ"}`)}, []string{"/jwks invalid_format"}},
		"given, two of one name":        {fields{"jwks": keys(publicKey, publicKey)}, []string{"/jwks invalid_format", "/jwks invalid_format"}},
		"given, too many":               {fields{"jwks": keys(many...)}, []string{"/jwks invalid_format"}},
		"given, no set":                 {fields{"jwks": publicKey}, []string{"/jwks invalid_format"}},
		"given, and fetched by nodes":   {fields{"jwks": keys(publicKey), "fetch_from": "both"}, []string{"/fetch_from invalid_value"}},
		"authorities that are none":     {fields{"discovery": fields{}, "authorities": "-----BEGIN PRIVATE KEY-----\nMA==\n-----END PRIVATE KEY-----\n"}, []string{"/authorities invalid_format"}},
		"authorities":                   {fields{"discovery": fields{}, "authorities": certificatetest.NewAuthority(t).PEM()}, nil},
		"claims":                        {fields{"discovery": fields{}, "required_claims": []string{"azp", "realm_access.roles", "https://x.test/a..b"}, "scope_claims": []string{"scp"}}, nil},
		"claims that are no paths":      {fields{"discovery": fields{}, "required_claims": []string{"a", ".b", "a..b", "c."}, "scope_claims": []string{" a"}}, []string{"/required_claims/1 invalid_format", "/required_claims/2 invalid_format", "/required_claims/3 invalid_format", "/scope_claims/0 invalid_format"}},
		"a consumer's claim":            {fields{"discovery": fields{}, "consumer": fields{"id_claim": "a..b"}}, []string{"/consumer/id_claim invalid_format"}},
		"a consumer's name in a claim":  {fields{"discovery": fields{}, "consumer": fields{"name_claim": "."}}, []string{"/consumer/name_claim invalid_format"}},
		"one consumer, and another":     {fields{"discovery": fields{}, "consumer": fields{"consumer": "shop", "otherwise": "other"}}, []string{"/consumer/otherwise mutually_excluded"}},
		"one consumer":                  {fields{"discovery": fields{}, "consumer": fields{"consumer": "shop"}}, nil},
		"no audience":                   {fields{"discovery": fields{}, "audiences": []string{}}, []string{"/audiences too_few"}},
		"no consumer":                   {fields{"discovery": fields{}, "consumer": nil}, []string{"/consumer required"}},
		"an interval that is too short": {fields{"discovery": fields{}, "refresh_interval": "4s"}, []string{"/refresh_interval out_of_range"}},
		"algorithms":                    {fields{"discovery": fields{}, "algorithms": []string{"rs256", "eddsa"}}, nil},
		"an algorithm twice":            {fields{"discovery": fields{}, "algorithms": []string{"es256", "es256"}}, []string{"/algorithms/1 not_unique"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) { validated(t, "issuers", issuerOf(t, tt.fields), tt.want...) })
	}
}

func TestNothingOfKeysThatWereGivenIsQuoted(t *testing.T) {
	kind := typeOf(t, "issuers")
	const secret = "c2VjcmV0LXNlY3JldC1zZWNyZXQ"
	for _, jwks := range []string{`{"keys":[{"kty":"oct","k":"` + secret + `"}]}`, `{"keys":[` + publicKey[:len(publicKey)-1] + `,"d":"` + secret + `"}]}`, secret} {
		m := kind.New()
		decoded(t, issuerOf(t, map[string]any{"jwks": jwks}), m)
		violations := kind.Validate(m)
		if len(violations) == 0 {
			t.Errorf("%s is taken", jwks)
		}
		for _, v := range violations {
			if strings.Contains(v.Given+v.Detail+v.Allowed, secret) {
				t.Errorf("quoted in %+v", v)
			}
		}
	}
}

func TestAnIssuerNeedsNodesThatKnowIssuers(t *testing.T) {
	m := typeOf(t, "issuers").New()
	decoded(t, issuerOf(t, map[string]any{"discovery": map[string]any{}}), m)
	if got := Needs(m); !slices.Equal(got, []Need{{"/issuer", 5}}) {
		t.Errorf("it needs %v", got)
	}
}
