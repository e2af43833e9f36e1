package cel

import (
	"fmt"
	"strings"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/policy"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource/form"
)

// capability is the least of a node that knows the kind.
const capability = 5

// Kind is the contract of "cel".
var Kind = policy.Define(policy.Contract[*policyv1.Cel]{
	Name: "cel",
	Description: "Lets a request pass if an expression (CEL) is true of it: over the request, the consumer, the claims of its token, the client's " +
		"address and the time. What can't be told is refused.",
	Phases:     []policy.Phase{policy.Authorize},
	Validate:   validate,
	Effects:    effects,
	Access:     access,
	Admits:     admits,
	Traits:     policy.Traits{Decides: true},
	Capability: capability,
	Merges:     true,
})

// validate compiles the expression.
func validate(config *policyv1.Cel) []problem.Violation {
	text := config.GetExpression()
	if text == "" || len(text) > 4*maxExpression {
		return nil // told of by the field's rule
	}
	if _, err := Compile(text); err != nil {
		return []problem.Violation{{
			Pointer: "/expression", Code: problem.ViolationInvalidValue, Detail: err.Error(), Given: form.Given(text),
			Allowed: "a CEL expression over request, consumer, claims, client, now, route and service that is true or false",
		}}
	}
	return nil
}

// effects says that other requests pass than before.
func effects(before, after *policyv1.Cel) []policy.Effect {
	is, was := brief(after.GetExpression()), brief(before.GetExpression())
	switch {
	case after == nil && before == nil, after != nil && before != nil && before.GetExpression() == after.GetExpression():
		return nil
	case before == nil:
		return []policy.Effect{{Code: "expression_required", Opposite: "expression_dropped", Severity: policy.Attention, Text: "requests pass only if this is true: " + is}}
	case after == nil:
		return []policy.Effect{{Code: "expression_dropped", Opposite: "expression_required", Severity: policy.Danger, Text: "requests pass without this being true: " + was}}
	}
	return []policy.Effect{{
		Code: "expression_changed", Severity: policy.Danger, Text: fmt.Sprintf("requests pass only if this is true: %s (it was: %s)", is, was),
	}}
}

func access(config *policyv1.Cel, _ policy.Names) []policy.Statement {
	text := "Requests pass only if this is true: " + brief(config.GetExpression())
	if message := config.GetMessage(); message != "" {
		text += " (" + message + ")"
	}
	return []policy.Statement{{Part: policy.Demand, Code: "expression", Text: text + ".", Values: []string{config.GetExpression()}}}
}

// brief returns an expression on one line, cut where it is long.
func brief(expression string) string {
	const most = 200
	line := []rune(strings.Join(strings.Fields(expression), " "))
	if len(line) > most {
		return string(line[:most]) + "…"
	}
	return string(line)
}
