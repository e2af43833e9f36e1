package jwt

import (
	"fmt"
	"testing"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
)

func said(before, after *policyv1.Jwt) (all string) {
	for _, e := range effects(before, after) {
		all += fmt.Sprintf("%s %s: %s; ", e.Severity, e.Code, e.Text)
	}
	return all
}

func TestWhatWidensAPolicyIsToldAsADanger(t *testing.T) {
	yes := true
	a := &policyv1.Jwt{Issuers: []string{"a"}, Audiences: []string{"x"}, RequiredScopes: []string{"read"}}
	b := &policyv1.Jwt{Issuers: []string{"b"}, Audiences: []string{"x", "y"}, RequiredScopes: []string{"write"}, ForwardToken: &yes}
	for name, test := range map[string]struct {
		before, after *policyv1.Jwt
		want          string
	}{
		"changed": {a, b, `danger issuer_trusted: tokens of the issuer b are taken; attention issuer_not_trusted: tokens of the issuer a are no longer taken; ` +
			`attention scope_required: requests need the scope "write"; danger scope_not_required: requests no longer need the scope "read"; ` +
			`danger audience_taken: tokens for "y" are taken; danger token_forwarded: services get the tokens of their callers; `},
		"new":             {nil, &policyv1.Jwt{Issuers: []string{"a"}, Audiences: []string{"x"}}, `danger issuer_trusted: tokens of the issuer a are taken; `},
		"any audience":    {a, &policyv1.Jwt{Issuers: []string{"a"}, RequiredScopes: []string{"read"}}, `danger audience_taken: tokens for any audience of their issuer are taken; `},
		"some audiences":  {&policyv1.Jwt{}, &policyv1.Jwt{Audiences: []string{"x", "y"}}, `attention audience_not_taken: only tokens for "x" or "y" are taken; `},
		"held back again": {&policyv1.Jwt{ForwardToken: &yes}, &policyv1.Jwt{}, `attention token_not_forwarded: services no longer get the tokens of their callers; `},
		"the same":        {b, b, ""},
		"nothing":         {nil, nil, ""},
	} {
		if got := said(test.before, test.after); got != test.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}
