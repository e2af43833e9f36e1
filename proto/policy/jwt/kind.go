package jwt

import (
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/policy"
)

// Kind is the contract of "jwt".
var Kind = policy.Define(policy.Contract[*policyv1.Jwt]{
	Name: "jwt",
	Description: "Authenticates a consumer by a JSON Web Token of a trusted issuer, and can demand an audience and scopes of it. " +
		"The token goes no further unless the policy says so.",
	Phases:     []policy.Phase{policy.Authenticate},
	Validate:   validate,
	Effects:    effects,
	Access:     access,
	Traits:     policy.Traits{Decides: true, Waits: true}, // it waits where unknown_key_wait says so
	Capability: 5,
})
