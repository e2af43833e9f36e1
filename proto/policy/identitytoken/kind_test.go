package identitytoken

import (
	"slices"
	"testing"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
)

func TestOnlyATokenIsSigned(t *testing.T) {
	if !Kind.Signs(&policyv1.IdentityToken{Form: &policyv1.IdentityToken_Token{Token: &policyv1.SignedIdentity{}}}) {
		t.Error("a token is not signed")
	}
	if Kind.Signs(&policyv1.IdentityToken{Form: &policyv1.IdentityToken_Headers{Headers: &policyv1.IdentityHeaders{}}}) || Kind.Signs(&policyv1.IdentityToken{}) {
		t.Error("plain fields are signed")
	}
}

func TestValidateCopesWithAnythingTheRulesRefuse(t *testing.T) {
	for _, config := range []*policyv1.IdentityToken{
		nil,
		{},
		{Form: &policyv1.IdentityToken_Token{}},
		{Form: &policyv1.IdentityToken_Token{Token: &policyv1.SignedIdentity{Claims: []*policyv1.ForwardedClaim{nil, {}, {}}}}},
		{Form: &policyv1.IdentityToken_Headers{Headers: &policyv1.IdentityHeaders{Fields: []*policyv1.IdentityHeader{nil, {}}}}},
	} {
		if v := Kind.Validate(config); len(v) != 0 {
			t.Errorf("%v: %v", config, v)
		}
	}
}

func TestAnIssuerIsAnAddressOrAName(t *testing.T) {
	for _, good := range []string{"https://gateway.example.com", "http://gateway", "https://gateway.example.com:8443/prod", "urn:example:gateway", ""} {
		if flaw := flawOfIssuer(good); flaw != "" {
			t.Errorf("%s %s", good, flaw)
		}
	}
	for _, bad := range []string{
		"gateway", "https://", "https:///x", "ftp://a.example", "https://u@a.example", "https://a.example?x", "https://a.example?", "https://a.example#", "urn:",
		"https://a.example/ ", "https://a.example/\u200b", "https://a.example/\n", "https://a.example/\xff", "javascript:alert(1)",
	} {
		if flawOfIssuer(bad) == "" {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestNoFieldSpeaksOfCallersThatSaysSomethingElse(t *testing.T) {
	for _, name := range []string{
		"Host", "Connection", "content-length", "X-Sallyport-Consumer", "x_sallyport_consumer", "X-Request-Id", "X_Request_Id", "X-Forwarded-User", "Cookie",
		"Content_Type", "TE", "Transfer-Encoding", "X-HTTP-Method-Override", "Traceparent",
	} {
		if Refused(name) == "" {
			t.Errorf("%s may speak of callers", name)
		}
	}
	for _, name := range []string{"X-Identity-Token", "Authorization", "X-User", "X-Consumer-Name"} {
		if why := Refused(name); why != "" {
			t.Errorf("%s: %s", name, why)
		}
	}
	if !IsAuthorization("AUTHORIZATION") || IsAuthorization("X-Authorization") {
		t.Error("another field is taken for Authorization")
	}
}

func TestNamesThatServicesReadAsOneAreOne(t *testing.T) {
	for _, name := range []string{"X-Identity-Token", "x_identity_token", "X.IDENTITY-TOKEN", "X-Identity_Token"} {
		if !Reads(name, "X-Identity-Token") {
			t.Errorf("%s isn't", name)
		}
	}
	if Reads("X-Identity-Tokens", "X-Identity-Token") || Reads("X-Identity-Taken", "X-Identity-Token") {
		t.Error("another name is")
	}
}

// What a verifier decides by is the gateway's to say.
func TestTheGatewaysOwnClaimsAreTheGatewaysAlone(t *testing.T) {
	for _, name := range slices.Concat(own, forConfirmation, []string{"ISS", "Consumer", "Exp"}) {
		for _, c := range []*policyv1.ForwardedClaim{{Claim: name}, {Claim: "x", Name: name}} {
			if v := validateClaims([]*policyv1.ForwardedClaim{c}); len(v) != 1 {
				t.Errorf("%v: %v", c, v)
			}
		}
		if v := validateClaims([]*policyv1.ForwardedClaim{{Claim: name, Name: "other"}}); len(v) != 0 {
			t.Errorf("%s under another name: %v", name, v)
		}
	}
}
