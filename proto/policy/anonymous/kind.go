package anonymous

import (
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/policy"
)

// capability is the least of a node that knows the kind.
const capability = 5

// Kind is the contract of "anonymous".
var Kind = policy.Define(policy.Contract[*policyv1.Anonymous]{
	Name: "anonymous",
	Description: "Lets requests in that carry no credential, as one consumer: the route is open to anybody. It runs behind all " +
		"others that authenticate, and a credential that is wrong is still refused.",
	Phases:     []policy.Phase{policy.Authenticate},
	Effects:    effects,
	Access:     access,
	Traits:     policy.Traits{Decides: true, Fallback: true},
	Capability: capability,
})

// effects says that whoever comes is let in, or no longer, or as somebody else.
func effects(before, after *policyv1.Anonymous) []policy.Effect {
	const open, shut = "anonymous_allowed", "anonymous_refused"
	switch {
	case before == nil && after == nil:
		return nil
	case before == nil:
		return []policy.Effect{{Code: open, Opposite: shut, Severity: policy.Danger, Text: "anybody is let in without a credential"}}
	case after == nil:
		return []policy.Effect{{Code: shut, Opposite: open, Severity: policy.Danger, Text: "requests without a credential are refused"}}
	case before.GetConsumer() != after.GetConsumer():
		return []policy.Effect{{Code: "anonymous_consumer", Severity: policy.Attention, Text: "who shows no credential is another consumer"}}
	}
	return nil
}
