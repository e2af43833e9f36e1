package anonymous

import (
	"fmt"
	"testing"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/policy"
)

func TestItRunsBehindAllOthersThatAuthenticate(t *testing.T) {
	if phase := Kind.Phase(&policyv1.Anonymous{}); phase != policy.Authenticate || !Kind.Traits.Fallback || !Kind.Traits.Decides {
		t.Fatalf("runs in %s, %+v", phase, Kind.Traits)
	}
}

func TestThatARouteBecomesOpenIsSaidAsADanger(t *testing.T) {
	one, other := &policyv1.Anonymous{Consumer: "a"}, &policyv1.Anonymous{Consumer: "b"}
	for want, change := range map[string][2]*policyv1.Anonymous{
		"[danger anonymous_allowed]":     {nil, one},
		"[danger anonymous_refused]":     {one, nil},
		"[attention anonymous_consumer]": {one, other},
		"[]":                             {one, one},
	} {
		said := []string{}
		for _, e := range effects(change[0], change[1]) {
			said = append(said, e.Severity.String()+" "+e.Code)
		}
		if got := fmt.Sprint(said); got != want {
			t.Errorf("said %s, want %s", got, want)
		}
	}
	if effects(nil, nil) != nil {
		t.Error("of nothing something is said")
	}
}
