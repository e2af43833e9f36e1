package jwt

import (
	"testing"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/policy"
)

func TestATokenIsAlwaysCheckedInAuthenticate(t *testing.T) {
	if phase := Kind.Phase(&policyv1.Jwt{}); phase != policy.Authenticate {
		t.Fatalf("runs in %s", phase)
	}
	if !Kind.Traits.Decides || Kind.Merges || Kind.Capability != 5 {
		t.Fatal("a more specific jwt policy takes the place of a general one, may shadow, and nodes must know it")
	}
}

func TestValidateCopesWithAnythingTheRulesRefuse(t *testing.T) {
	for _, config := range []*policyv1.Jwt{nil, {}, {Locations: []*policyv1.TokenLocation{nil, {}, {}}}} {
		if v := Kind.Validate(config); len(v) != 0 {
			t.Errorf("%v: %v", config, v)
		}
	}
}
