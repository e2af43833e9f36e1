package apikey

import (
	"fmt"
	"testing"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
)

func TestAnEffectIsSaidOfEachScopeThatIsNeededOrNoLonger(t *testing.T) {
	a := &policyv1.ApiKey{RequiredScopes: []string{"read", "write"}}
	b := &policyv1.ApiKey{RequiredScopes: []string{"admin", "read"}}
	said := ""
	for _, e := range Kind.Effects(a, b) {
		said += fmt.Sprintf("%s %s: %s; ", e.Severity, e.Code, e.Text)
	}
	if want := `attention scope_required: requests need the scope "admin"; danger scope_not_required: requests no longer need the scope "write"; `; said != want {
		t.Errorf("said %q", said)
	}
	if n := len(Kind.Effects(nil, a)); n != 2 {
		t.Errorf("of a policy that comes %d effects are said", n)
	}
	if n := len(Kind.Effects(a, a)) + len(Kind.Effects(nil, nil)); n != 0 {
		t.Errorf("%d effects of nothing", n)
	}
}
