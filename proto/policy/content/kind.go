package content

import (
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/policy"
)

// Kind is the contract of "content".
var Kind = policy.Define(policy.Contract[*policyv1.Content]{
	Name: "content",
	Description: "Holds a body against what its Content-Type and Content-Encoding say it is, and refuses what parsers would read differently: " +
		"XML with a document type or entities, sloppy multipart, archives that unpack without end.",
	Phases:     []policy.Phase{policy.Inspect},
	Validate:   validate,
	Access:     access,
	Traits:     policy.Traits{Decides: true, Body: policy.BodyBuffered},
	Capability: 6,
	Merges:     true,
})
