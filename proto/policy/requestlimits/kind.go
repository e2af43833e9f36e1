package requestlimits

import (
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/policy"
)

// Kind is the contract of "request-limits".
var Kind = policy.Define(policy.Contract[*policyv1.RequestLimits]{
	Name: "request-limits",
	Description: "Bounds what a request may look like: its methods, the sizes of body, headers, path and query, and the content types " +
		"of its body. A body is never let through further than it may be long, however it is sent.",
	Phases:     []policy.Phase{policy.Guard},
	Validate:   validate,
	Access:     access,
	Admits:     admits,
	Traits:     policy.Traits{Decides: true, Body: policy.BodyStream},
	Capability: 3,
	Merges:     true,
})
