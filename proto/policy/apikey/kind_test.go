package apikey

import (
	"testing"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/policy"
)

func TestAKeyIsAlwaysCheckedInAuthenticate(t *testing.T) {
	if phase := Kind.Phase(&policyv1.ApiKey{}); phase != policy.Authenticate {
		t.Fatalf("runs in %s", phase)
	}
	if !Kind.Traits.Decides || Kind.Merges {
		t.Fatal("a more specific api-key policy takes the place of a general one, and may shadow")
	}
}

func TestValidateCopesWithAnythingTheRulesRefuse(t *testing.T) {
	for _, config := range []*policyv1.ApiKey{nil, {}, {Locations: []*policyv1.KeyLocation{nil, {}, {}}}} {
		if v := Kind.Validate(config); len(v) != 0 {
			t.Errorf("%v: %v", config, v)
		}
	}
}
