package respond

import (
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/policy"
)

// Kind is the contract of "respond".
var Kind = policy.Define(policy.Contract[*policyv1.Respond]{
	Name: "respond",
	Description: "Answers in place of the service: with something fixed, with a redirect, or with a notice of maintenance that " +
		"chosen addresses don't see.",
	Phases:     []policy.Phase{policy.Guard, policy.Transform},
	Phase:      phase,
	Validate:   validate,
	Access:     access,
	Capability: 3,
})

// phase is after everything else unless the policy asks to answer anybody.
func phase(config *policyv1.Respond) policy.Phase {
	if config.GetBeforeAuthentication() {
		return policy.Guard
	}
	return policy.Transform
}
