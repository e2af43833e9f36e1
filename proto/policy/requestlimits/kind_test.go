package requestlimits

import (
	"testing"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
)

func TestABoundOfNothingIsABound(t *testing.T) {
	none := uint64(0)
	if v := Kind.Validate(&policyv1.RequestLimits{MaxBodyBytes: &none}); len(v) != 0 {
		t.Errorf("no body at all: %v", v)
	}
	for _, config := range []*policyv1.RequestLimits{nil, {}} {
		if v := Kind.Validate(config); len(v) != 1 {
			t.Errorf("%v: %v", config, v)
		}
	}
	if v := Kind.Validate(&policyv1.RequestLimits{ContentTypes: []string{"", ""}}); len(v) != 2 {
		t.Errorf("empty types: %v", v)
	}
}
