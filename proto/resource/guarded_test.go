package resource

import (
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
)

// wafPolicy is a policy of this configuration.
func wafPolicy(t *testing.T, config *policyv1.Waf) *configv1.Policy {
	t.Helper()
	packed, err := anypb.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return &configv1.Policy{Name: "inspected", Kind: "waf", Config: packed}
}

func TestFieldsWithAPermissionAreToldOfWhenGivenChangedAndTakenAway(t *testing.T) {
	const before, after = "/config/seclang_before", "/config/seclang_after"
	none := wafPolicy(t, &policyv1.Waf{})
	one := wafPolicy(t, &policyv1.Waf{SeclangBefore: "SecMarker A"})
	other := wafPolicy(t, &policyv1.Waf{SeclangBefore: "SecMarker B"})
	moved := wafPolicy(t, &policyv1.Waf{SeclangAfter: "SecMarker A"})
	tuned := wafPolicy(t, &policyv1.Waf{SeclangBefore: "SecMarker A", Exceptions: []*policyv1.WafException{{Rules: []string{"942100"}}}})
	for name, tt := range map[string]struct {
		before, after proto.Message
		want          []string
	}{
		"nothing":                 {nil, none, nil},
		"given with the object":   {nil, one, []string{before}},
		"given later":             {none, one, []string{before}},
		"changed":                 {one, other, []string{before}},
		"taken away":              {one, none, []string{before}},
		"taken away with all":     {one, nil, []string{before}},
		"in another field":        {one, moved, []string{after, before}},
		"left alone":              {one, proto.Clone(one), nil},
		"left alone beside it":    {one, tuned, nil},
		"of another type":         {one, &configv1.Policy{Name: "inspected"}, []string{before}},
		"of an object without it": {nil, &configv1.Service{Name: "s"}, nil},
	} {
		var got []string
		for _, change := range GuardedChanges(tt.before, tt.after) {
			got = append(got, change.Pointer)
			if change.Permission != "waf.raw_rules" {
				t.Errorf("%s: %s takes %q", name, change.Pointer, change.Permission)
			}
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, not %v", name, got, tt.want)
		}
	}
}
