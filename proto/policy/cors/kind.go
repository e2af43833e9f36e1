package cors

import (
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/policy"
)

// Kind is the contract of "cors".
var Kind = policy.Define(policy.Contract[*policyv1.Cors]{
	Name: "cors",
	Description: "Says which web pages of other origins may call and read the answers (CORS). Preflights are answered by the gateway, " +
		"before authentication; refusals are readable by the page too.",
	Phases:     []policy.Phase{policy.Guard},
	Validate:   validate,
	Access:     access,
	Traits:     policy.Traits{Decides: true, Preflights: true},
	Capability: 3,
})
