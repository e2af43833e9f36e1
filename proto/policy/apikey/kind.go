package apikey

import (
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/policy"
)

// Kind is the contract of "api-key".
var Kind = policy.Define(policy.Contract[*policyv1.ApiKey]{
	Name: "api-key",
	Description: "Authenticates a consumer by an API key in a header, query parameter or cookie, " +
		"and can demand scopes of it. The key never reaches the upstream.",
	Phases:   []policy.Phase{policy.Authenticate},
	Validate: validate,
	Effects:  effects,
	Access:   access,
	Admits:   admits,
	Traits:   policy.Traits{Decides: true},
})
