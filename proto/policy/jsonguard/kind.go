package jsonguard

import (
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/policy"
)

// Kind is the contract of "json-guard".
var Kind = policy.Define(policy.Contract[*policyv1.JsonGuard]{
	Name: "json-guard",
	Description: "Lets through only JSON that every parser reads alike, within bounds: depth, keys, lengths, numbers, no key twice, no keys by which " +
		"JavaScript reaches prototypes.",
	Phases:     []policy.Phase{policy.Inspect},
	Access:     access,
	Traits:     policy.Traits{Decides: true, Body: policy.BodyBuffered},
	Capability: 6,
	Merges:     true,
})
