package headers

import (
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/policy"
)

// capability is the least of a node that knows the kind.
const capability = 3

// Kind is the contract of "headers". It merges: what an environment sets for all of its answers would be lost on each route
// that has a need of its own, if the route's policy took its place.
var Kind = policy.Define(policy.Contract[*policyv1.Headers]{
	Name: "headers",
	Description: "Removes, sets and adds header fields of requests and of answers, with values that may hold what is known " +
		"of the request, its route and its caller.",
	Phases:     []policy.Phase{policy.Transform},
	Validate:   validate,
	Capability: capability,
	Merges:     true,
})
