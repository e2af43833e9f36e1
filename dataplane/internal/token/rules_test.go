package token

import (
	"errors"
	"testing"
	"time"

	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
)

// noon is when the tokens below are looked at.
var noon = time.Unix(1_700_000_000, 0)

func TestATokenIsHeldAgainstTheRulesOfItsIssuer(t *testing.T) {
	usual := Rules{Issuer: "https://issuer.example", Audiences: []string{"https://api.example", "b"}, ClockSkew: 30 * time.Second}
	changed := func(change func(*Rules)) Rules { r := usual; change(&r); return r }
	access := changed(func(r *Rules) { r.Profile = configv1.TokenProfile_TOKEN_PROFILE_ACCESS_TOKEN })
	brief := changed(func(r *Rules) { r.MaxLifetime = time.Hour })
	roles := changed(func(r *Rules) { r.Required = []Requirement{Require("sub"), Require("realm.roles")} })
	exact := changed(func(r *Rules) { r.ClockSkew = 0 })
	fine := changed(func(r *Rules) { r.ClockSkew = 500 * time.Millisecond })
	const parties = `"iss":"https://issuer.example","aud":"https://api.example"`
	const accessClaims = `{` + parties + `,"exp":1700000100,"iat":1699999900,"sub":"s","jti":"j","client_id":"c"}`
	for name, test := range map[string]struct {
		rules   Rules
		typ     string
		payload string
		at      time.Time
		want    error
	}{
		"usual":                         {usual, "", `{` + parties + `,"exp":1700000100}`, noon, nil},
		"zero rules":                    {Rules{}, "", `{` + parties + `,"exp":1700000100}`, noon, ErrIssuer},
		"no audiences":                  {changed(func(r *Rules) { r.Audiences = nil }), "", `{` + parties + `,"exp":1700000100}`, noon, ErrAudience},
		"one of two audiences":          {usual, "", `{"iss":"https://issuer.example","aud":["a","b"],"exp":1700000100}`, noon, nil},
		"another audience":              {usual, "", `{"iss":"https://issuer.example","aud":["a","c"],"exp":1700000100}`, noon, ErrAudience},
		"part of an audience":           {usual, "", `{"iss":"https://issuer.example","aud":"https://api.example/","exp":1700000100}`, noon, ErrAudience},
		"audience in other letters":     {usual, "", `{"iss":"https://issuer.example","aud":"https://API.example","exp":1700000100}`, noon, ErrAudience},
		"no audience":                   {usual, "", `{"iss":"https://issuer.example","exp":1700000100}`, noon, ErrClaimMissing},
		"an empty audience":             {usual, "", `{"iss":"https://issuer.example","aud":[],"exp":1700000100}`, noon, ErrClaimMissing},
		"another issuer":                {usual, "", `{"iss":"https://issuer.example.evil","aud":"b","exp":1700000100}`, noon, ErrIssuer},
		"issuer with a slash":           {usual, "", `{"iss":"https://issuer.example/","aud":"b","exp":1700000100}`, noon, ErrIssuer},
		"no issuer":                     {usual, "", `{"aud":"b","exp":1700000100}`, noon, ErrClaimMissing},
		"no issuer, and none wanted":    {Rules{Audiences: []string{"b"}}, "", `{"aud":"b","exp":1700000100}`, noon, ErrClaimMissing},
		"never expires":                 {usual, "", `{` + parties + `}`, noon, ErrClaimMissing},
		"expired":                       {usual, "", `{` + parties + `,"exp":1699990000}`, noon, ErrExpired},
		"expired long ago":              {usual, "", `{` + parties + `,"exp":0}`, noon, ErrExpired},
		"expired within the skew":       {usual, "", `{` + parties + `,"exp":1699999971}`, noon, nil},
		"expired by the skew":           {usual, "", `{` + parties + `,"exp":1699999970}`, noon, ErrExpired},
		"the last moment":               {exact, "", `{` + parties + `,"exp":1700000001}`, noon.Add(time.Second - 1), nil},
		"the moment it expires":         {exact, "", `{` + parties + `,"exp":1700000000}`, noon, ErrExpired},
		"a fraction is rounded down":    {exact, "", `{` + parties + `,"exp":1700000000.9}`, noon, ErrExpired},
		"a skew below a second":         {fine, "", `{` + parties + `,"exp":1700000000}`, noon.Add(499 * time.Millisecond), nil},
		"a skew below a second ends":    {fine, "", `{` + parties + `,"exp":1700000000}`, noon.Add(500 * time.Millisecond), ErrExpired},
		"not yet valid":                 {usual, "", `{` + parties + `,"exp":1800000000,"nbf":1700000031}`, noon, ErrNotYetValid},
		"valid within the skew":         {usual, "", `{` + parties + `,"exp":1800000000,"nbf":1700000030}`, noon, nil},
		"a fraction is rounded up":      {usual, "", `{` + parties + `,"exp":1800000000,"nbf":1700000030.1}`, noon, ErrNotYetValid},
		"issued in the future":          {usual, "", `{` + parties + `,"exp":1800000000,"iat":1700000031}`, noon, ErrIssuedInFuture},
		"issued within the skew":        {usual, "", `{` + parties + `,"exp":1800000000,"iat":1700000030}`, noon, nil},
		"an hour":                       {brief, "", `{` + parties + `,"exp":1700003600,"iat":1700000000}`, noon, nil},
		"more than an hour":             {brief, "", `{` + parties + `,"exp":1700003601,"iat":1700000000}`, noon, ErrLifetime},
		"who knows how long":            {brief, "", `{` + parties + `,"exp":1700000100}`, noon, ErrClaimMissing},
		"required":                      {roles, "", `{` + parties + `,"exp":1700000100,"sub":"s","realm":{"roles":[]}}`, noon, nil},
		"required, by its whole name":   {roles, "", `{` + parties + `,"exp":1700000100,"sub":"s","realm.roles":"a"}`, noon, nil},
		"required is null":              {roles, "", `{` + parties + `,"exp":1700000100,"sub":"s","realm":{"roles":null}}`, noon, ErrClaimMissing},
		"required isn't there":          {roles, "", `{` + parties + `,"exp":1700000100,"sub":"s","realm":{"Roles":[]}}`, noon, ErrClaimMissing},
		"typ JWT":                       {usual, "JWT", `{` + parties + `,"exp":1700000100}`, noon, nil},
		"typ application/jwt":           {usual, "application/JWT", `{` + parties + `,"exp":1700000100}`, noon, nil},
		"an access token anyway":        {usual, "at+jwt", `{` + parties + `,"exp":1700000100}`, noon, nil},
		"a log-out":                     {usual, "logout+jwt", `{` + parties + `,"exp":1700000100}`, noon, ErrType},
		"an event":                      {usual, "application/secevent+jwt", `{` + parties + `,"exp":1700000100}`, noon, ErrType},
		"a proof":                       {usual, "dpop+jwt", `{` + parties + `,"exp":1700000100}`, noon, ErrType},
		"a request":                     {usual, "oauth-authz-req+jwt", `{` + parties + `,"exp":1700000100}`, noon, ErrType},
		"serialised as JSON":            {usual, "JOSE+JSON", `{` + parties + `,"exp":1700000100}`, noon, ErrType},
		"another tree":                  {usual, "text/jwt", `{` + parties + `,"exp":1700000100}`, noon, ErrType},
		"twice the prefix":              {usual, "application/application/jwt", `{` + parties + `,"exp":1700000100}`, noon, ErrType},
		"access token":                  {access, "at+jwt", accessClaims, noon, nil},
		"access token, the long way":    {access, "Application/AT+JWT", accessClaims, noon, nil},
		"access token, untyped":         {access, "", accessClaims, noon, ErrType},
		"access token, a mere JWT":      {access, "JWT", accessClaims, noon, ErrType},
		"access token, nobody's":        {access, "at+jwt", `{` + parties + `,"exp":1700000100,"iat":1,"jti":"j","client_id":"c"}`, noon, ErrClaimMissing},
		"access token, of an empty one": {access, "at+jwt", `{` + parties + `,"exp":1700000100,"iat":1,"sub":"","jti":"j","client_id":"c"}`, noon, ErrClaimMissing},
		"access token, of no client":    {access, "at+jwt", `{` + parties + `,"exp":1700000100,"iat":1,"sub":"s","jti":"j"}`, noon, ErrClaimMissing},
		"access token, client 7":        {access, "at+jwt", `{` + parties + `,"exp":1700000100,"iat":1,"sub":"s","jti":"j","client_id":7}`, noon, ErrClaimMissing},
		"access token without an id":    {access, "at+jwt", `{` + parties + `,"exp":1700000100,"iat":1,"sub":"s","client_id":"c"}`, noon, ErrClaimMissing},
		"access token, issued never":    {access, "at+jwt", `{` + parties + `,"exp":1700000100,"sub":"s","jti":"j","client_id":"c"}`, noon, ErrClaimMissing},
		"access token, expired":         {access, "at+jwt", accessClaims, noon.Add(time.Hour), ErrExpired},
	} {
		t.Run(name, func(t *testing.T) {
			header := `{"alg":"EdDSA","kid":"ed"}`
			if test.typ != "" {
				header = `{"alg":"EdDSA","kid":"ed","typ":"` + test.typ + `"}`
			}
			parsed, err := Parse(issuer()["EdDSA"].sign(header, test.payload))
			if err != nil {
				t.Fatal(err)
			}
			if err := test.rules.Check(parsed, test.at); !errors.Is(err, test.want) {
				t.Errorf("%v instead of %v", err, test.want)
			}
		})
	}
}

func TestAMissingClaimIsNamed(t *testing.T) {
	parsed, err := Parse(issuer()["EdDSA"].token(goodClaims))
	must(err)
	r := Rules{Issuer: "https://issuer.example", Audiences: []string{"other"}, Required: []Requirement{Require("realm_access.roles")}}
	if err := r.Check(parsed, noon); err == nil || err.Error() != `lacks a claim: "realm_access.roles"` {
		t.Error(err)
	}
}
