package identitytoken

import (
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/policy"
)

// Kind is the contract of "identity-token".
var Kind = policy.Define(policy.Contract[*policyv1.IdentityToken]{
	Name: "identity-token",
	Description: "Tells services who calls: by a short-lived token that the edge signs and they check, or by plain fields. No client can " +
		"say it for itself.",
	Phases:     []policy.Phase{policy.Transform},
	Validate:   validate,
	Capability: 5,
	Access:     access,
	Signs:      func(config *policyv1.IdentityToken) bool { return config.GetToken() != nil },
})
