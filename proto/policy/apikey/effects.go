package apikey

import (
	"fmt"
	"slices"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/policy"
)

// effects says which scopes are needed, and which no longer.
func effects(before, after *policyv1.ApiKey) []policy.Effect {
	const required, dropped = "scope_required", "scope_not_required"
	was, is := before.GetRequiredScopes(), after.GetRequiredScopes()
	var all []policy.Effect
	for _, scope := range is {
		if !slices.Contains(was, scope) {
			all = append(all, policy.Effect{
				Code: required, Opposite: dropped, Severity: policy.Attention, Text: fmt.Sprintf("requests need the scope %q", scope),
			})
		}
	}
	for _, scope := range was {
		if !slices.Contains(is, scope) {
			all = append(all, policy.Effect{
				Code: dropped, Opposite: required, Severity: policy.Danger, Text: fmt.Sprintf("requests no longer need the scope %q", scope),
			})
		}
	}
	return all
}
