package identitytoken_test

import (
	"slices"
	"strings"
	"testing"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/policy"
	"github.com/sallyport/sallyport/proto/policy/identitytoken"
	"github.com/sallyport/sallyport/proto/resource"
)

func TestItSaysHowTheServiceLearnsWhoCalls(t *testing.T) {
	for text, want := range map[string]struct {
		said   string
		values []string
	}{
		`{"token": {"issuer": "https://gw.example"}}`:                                                             {`The service learns who calls from a signed token in "X-Identity-Token".`, []string{"X-Identity-Token"}},
		`{"token": {"issuer": "https://gw.example", "header": "X-Who"}}`:                                          {`The service learns who calls from a signed token in "X-Who".`, []string{"X-Who"}},
		`{"headers": {"fields": [{"name": "X-User", "fact": "subject"}, {"name": "X-Roles", "claim": "roles"}]}}`: {`The service learns who calls from plain fields: "X-User" and "X-Roles".`, []string{"X-User", "X-Roles"}},
	} {
		var given policyv1.IdentityToken
		if violations := resource.Decode([]byte(text), &given); len(violations) > 0 {
			t.Fatalf("%s: %v", text, violations)
		}
		said := identitytoken.Kind.Access(resource.Defaulted(&given), strings.ToUpper)
		if len(said) != 1 || said[0].Part != policy.Note || said[0].Code != "identity_token" || said[0].Text != want.said || !slices.Equal(said[0].Values, want.values) {
			t.Errorf("%s: %+v", text, said)
		}
	}
	if said := identitytoken.Kind.Access(&policyv1.IdentityToken{}, strings.ToUpper); said != nil {
		t.Errorf("of no form: %+v", said)
	}
}
