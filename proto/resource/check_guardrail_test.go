package resource

import (
	"strings"
	"testing"

	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
)

func TestAGuardrailsRuleIsReadWhenItIsWritten(t *testing.T) {
	kind, _ := ByCollection("guardrails")
	for rule, want := range map[string]string{
		`object.public`:           "",
		`object.publik`:           "/rule invalid_value",
		`object.name`:             "/rule invalid_value",
		``:                        "/rule required",
		strings.Repeat("x", 5000): "/rule too_long",
	} {
		g := &configv1.Guardrail{Name: "g", AppliesTo: "routes", Rule: rule, Message: "m"}
		var got []string
		for _, v := range kind.Validate(g) {
			got = append(got, v.Pointer+" "+v.Code)
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%.20q: %v, not %q", rule, got, want)
		}
	}
	elsewhere := &configv1.Guardrail{Name: "g", AppliesTo: "consumers", Rule: "true", Message: "m"}
	if v := kind.Validate(elsewhere); len(v) != 1 || v[0].Pointer != "/applies_to" {
		t.Errorf("over consumers: %+v", v)
	}
}

// A node that doesn't know the collection refuses the whole revision.
func TestEveryGuardrailNeedsANodeThatKnowsThem(t *testing.T) {
	needs := Needs(&configv1.Guardrail{Name: "g", AppliesTo: "routes", Rule: "true", Message: "m"})
	if len(needs) != 1 || needs[0].Capability != 3 {
		t.Errorf("%+v", needs)
	}
}
