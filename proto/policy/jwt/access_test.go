package jwt_test

import (
	"slices"
	"strings"
	"testing"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/policy"
	"github.com/sallyport/sallyport/proto/policy/jwt"
	"github.com/sallyport/sallyport/proto/resource"
)

func TestTheWaysOfATokenAreToldInWords(t *testing.T) {
	for text, want := range map[string][]string{
		`{"issuers": ["iss_main"]}`: {`way token: A token of the issuer "main" is taken from the header "Authorization" (Bearer). [iss_main]`},
		`{"issuers": ["iss_main", "iss_shop"], "audiences": ["a", "b"], "required_scopes": ["x", "y"], "forward_token": true,
			"locations": [{"header": "authorization"}, {"header": "X-Token"}, {"cookie": "c"}, {"query": "q"}]}`: {
			`way token: A token of the issuer "main" is taken from the header "authorization" (Bearer), the header "X-Token", the cookie "c" or the query parameter "q", for the audience "a" or "b", with the scope "x" and "y". [iss_main]`,
			`way token: A token of the issuer "shop" is taken from the header "authorization" (Bearer), the header "X-Token", the cookie "c" or the query parameter "q", for the audience "a" or "b", with the scope "x" and "y". [iss_shop]`,
			`note token_forwarded: The service gets the token of its caller. []`,
		},
	} {
		var given policyv1.Jwt
		if violations := resource.Decode([]byte(text), &given); len(violations) > 0 {
			t.Fatalf("%s: %v", text, violations)
		}
		config := resource.Defaulted(&given)
		var said []string
		for _, s := range jwt.Kind.Access(config, func(id string) string { return strings.TrimPrefix(id, "iss_") }) {
			said = append(said, s.Part.String()+" "+s.Code+": "+s.Text+" ["+strings.Join(s.Values, " ")+"]")
		}
		if !slices.Equal(said, want) {
			t.Errorf("said\n%s\nwant\n%s", strings.Join(said, "\n"), strings.Join(want, "\n"))
		}
		// What a token is good for only a request shows: the kind shuts nobody out beforehand.
		if got := jwt.Kind.Admits(config)(policy.Caller{Consumer: "con_a", Token: true}); got != policy.Admits {
			t.Errorf("a caller with a token: %s", got)
		}
	}
}
