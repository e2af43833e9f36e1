package acl

import (
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/policy"
)

// capability is the least of a node that knows the kind.
const capability = 3

// Kind is the contract of "acl".
var Kind = policy.Define(policy.Contract[*policyv1.Acl]{
	Name: "acl",
	Description: "Lets consumers make requests, or refuses them, by who they are, by their labels, by the scopes of their credential and by " +
		"the roles and claims of their token, for all methods and paths or some. What no rule allows is refused, and a deny rule beats " +
		"every allow rule.",
	Phases:     []policy.Phase{policy.Authorize},
	Validate:   validate,
	Effects:    effects,
	Access:     access,
	Admits:     admits,
	Traits:     policy.Traits{Decides: true},
	Capability: capability,
	Merges:     true,
})
