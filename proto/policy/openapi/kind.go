package openapi

import (
	"strings"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/path"
	"github.com/sallyport/sallyport/proto/policy"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource/form"
)

// capability is the least of a node that knows the kind.
const capability = 6

// Kind is the contract of "openapi".
var Kind = policy.Define(policy.Contract[*policyv1.Openapi]{
	Name: "openapi",
	Description: "Holds requests against an API description (OpenAPI 3.0 or 3.1): paths, methods, parameters, content types and bodies. Each place that breaks it is " +
		"told. Answers are held against it in shadow, while they pass.",
	Phases:     []policy.Phase{policy.Inspect},
	Validate:   validate,
	Effects:    effects,
	Access:     access,
	Traits:     policy.Traits{Decides: true, Body: policy.BodyBuffered},
	Capability: capability,
})

// validate checks what stands in front of the description's paths.
func validate(config *policyv1.Openapi) []problem.Violation {
	base := config.GetBasePath()
	if !strings.HasPrefix(base, "/") || base == "/" {
		return nil // absent, or told of by its rule
	}
	canonical, err := path.Canonical(base)
	var detail string
	switch {
	case err != nil:
		detail = err.Error()
	case strings.HasSuffix(base, "/"):
		detail = "leave out the slash at its end"
	case canonical != base:
		detail = "isn't canonical, write " + canonical
	default:
		return nil
	}
	return []problem.Violation{{
		Pointer: "/base_path", Code: problem.ViolationInvalidFormat, Given: form.Given(base), Detail: detail, Allowed: `a canonical path without a slash at its end, or "/"`,
	}}
}

// effects says what becomes of requests that pass or don't any more.
func effects(before, after *policyv1.Openapi) []policy.Effect {
	if before == nil && after == nil {
		return nil
	}
	var all []policy.Effect
	changed := func(was, is policyv1.OpenapiVerdict, what, strict, loose string) {
		const refuse = policyv1.OpenapiVerdict_OPENAPI_VERDICT_REFUSE
		switch {
		case was != refuse && is == refuse:
			all = append(all, policy.Effect{Code: strict, Opposite: loose, Severity: policy.Attention, Text: what + " are refused"})
		case was == refuse && is != refuse:
			all = append(all, policy.Effect{Code: loose, Opposite: strict, Severity: policy.Danger, Text: what + " pass"})
		}
	}
	changed(before.GetUndocumented(), after.GetUndocumented(), "requests for what isn't described", "undocumented_refused", "undocumented_passes")
	changed(before.GetRequests(), after.GetRequests(), "requests that break the API description", "schema_required", "schema_dropped")
	if before != nil && after != nil && (before.GetDescription() != after.GetDescription() || before.GetBasePath() != after.GetBasePath()) {
		all = append(all, policy.Effect{Code: "description_replaced", Severity: policy.Danger, Text: "requests are held against another API description"})
	}
	return all
}

// access says what requests must hold to.
func access(config *policyv1.Openapi, names policy.Names) []policy.Statement {
	var all []policy.Statement
	name := names(config.GetDescription())
	add := func(code, text string) {
		all = append(all, policy.Statement{Part: policy.Demand, Code: code, Text: text, Values: []string{name}})
	}
	if config.GetRequests() == policyv1.OpenapiVerdict_OPENAPI_VERDICT_REFUSE {
		add("schema", "Requests hold to the API description \""+name+"\".")
	}
	if config.GetUndocumented() == policyv1.OpenapiVerdict_OPENAPI_VERDICT_REFUSE {
		add("documented", "Only what the API description \""+name+"\" has is answered.")
	}
	return all
}
