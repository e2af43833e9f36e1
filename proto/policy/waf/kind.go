package waf

import (
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/policy"
)

// capability is the least of a node that knows the kind.
const capability = 6

// Kind is the contract of "waf".
var Kind = policy.Define(policy.Contract[*policyv1.Waf]{
	Name: "waf",
	Description: "Inspects requests, and answers where asked, by the OWASP Core Rule Set and by rules of your own: each rule that finds something adds to " +
		"a score, and what reaches the threshold is refused. What a caller may cost is bounded.",
	Phases:     []policy.Phase{policy.Inspect},
	Validate:   validate,
	Effects:    effects,
	Access:     access,
	Traits:     policy.Traits{Decides: true, Dear: true, Body: policy.BodyBuffered, Waits: true},
	Capability: capability,
})
