package addressaccess

import (
	"fmt"
	"strings"
	"testing"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
)

func TestValidateCopesWithAnythingTheRulesRefuse(t *testing.T) {
	for _, config := range []*policyv1.AddressAccess{
		{Allow: []*policyv1.AddressRange{nil, {}}},
		{Deny: []*policyv1.AddressRange{{}, nil, {Description: "x"}}},
	} {
		if v := Kind.Validate(config); len(v) != 0 {
			t.Errorf("%v: %v", config, v)
		}
	}
	if v := Kind.Validate((*policyv1.AddressAccess)(nil)); len(v) != 1 {
		t.Errorf("nothing is a policy: %v", v)
	}
}

func TestWhatIsWrongWithARangeNamesTheRightForm(t *testing.T) {
	config := &policyv1.AddressAccess{Deny: []*policyv1.AddressRange{{Range: "10.9.8.7/8"}}}
	if v := Kind.Validate(config); len(v) != 1 || !strings.Contains(v[0].Detail, "10.0.0.0/8") || v[0].Pointer != "/deny/0/range" {
		t.Errorf("%+v", v)
	}
}

func TestTenThousandEntriesAreChecked(t *testing.T) {
	config := new(policyv1.AddressAccess)
	for i := range 10_000 {
		config.Allow = append(config.Allow, &policyv1.AddressRange{Range: fmt.Sprintf("10.%d.%d.0/24", i>>8, i&0xff)})
	}
	if v := Kind.Validate(config); len(v) != 0 {
		t.Errorf("%d violations, the first: %+v", len(v), v[0])
	}
	config.Allow = append(config.Allow, &policyv1.AddressRange{Range: "10.3.7.0/24"})
	if v := Kind.Validate(config); len(v) != 1 || v[0].Pointer != "/allow/10000/range" {
		t.Errorf("the one that is there twice isn't found: %+v", v)
	}
}
