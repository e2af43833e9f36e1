package resource

import (
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/guardrail"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource/form"
)

// maxRule is how long a rule may be; longer ones are told of by their field's rule, and not read.
const maxRule = 4096

// checkGuardrail reads a guardrail's rule.
func checkGuardrail(g *configv1.Guardrail) []problem.Violation {
	if g.GetRule() == "" || g.GetAppliesTo() == "" || len(g.GetRule()) > maxRule {
		return nil // told of by their rules
	}
	switch g.GetAppliesTo() {
	case "services", "routes", "policies", "settings", "waf-exclusions":
	default:
		return nil // the same
	}
	if _, err := guardrail.Compile(g.GetAppliesTo(), g.GetRule()); err != nil {
		return []problem.Violation{{
			Pointer: "/rule", Code: problem.ViolationInvalidValue, Detail: err.Error(), Given: form.Given(g.GetRule()),
			Allowed: "a CEL expression over " + g.GetAppliesTo() + " that is true or false",
		}}
	}
	return nil
}
