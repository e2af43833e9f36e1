package basic

import (
	"fmt"
	"slices"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/policy"
)

// capability is the least of a node that knows the kind.
const capability = 5

// Kind is the contract of "basic".
var Kind = policy.Define(policy.Contract[*policyv1.Basic]{
	Name: "basic",
	Description: "Authenticates a consumer by a username and password (HTTP Basic, RFC 7617), and can demand scopes of it. A password that " +
		"the node hasn't checked before waits for its turn: two are checked at a time.",
	Phases:     []policy.Phase{policy.Authenticate},
	Effects:    effects,
	Access:     access,
	Traits:     policy.Traits{Decides: true, Waits: true},
	Capability: capability,
})

// effects says which scopes are needed, which no longer, and that services come to see passwords.
func effects(before, after *policyv1.Basic) []policy.Effect {
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
	const forwarded, kept = "passwords_forwarded", "passwords_kept"
	if is := after.GetForwardCredentials(); is != before.GetForwardCredentials() {
		if is {
			all = append(all, policy.Effect{Code: forwarded, Opposite: kept, Severity: policy.Danger, Text: "the service sees callers' passwords"})
		} else {
			all = append(all, policy.Effect{Code: kept, Opposite: forwarded, Severity: policy.Attention, Text: "the service no longer sees callers' passwords"})
		}
	}
	return all
}
