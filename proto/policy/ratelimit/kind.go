package ratelimit

import (
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/policy"
)

// Kind is the contract of "rate-limit".
var Kind = policy.Define(policy.Contract[*policyv1.RateLimit]{
	Name: "rate-limit",
	Description: "Bounds how many requests a caller may make in one or several windows; a caller is told apart by " +
		"address, API key, consumer, route, header, or several of them. What is over the limit is answered with 429.",
	Phases:   []policy.Phase{policy.Guard, policy.Limit},
	Phase:    phase,
	Validate: validate,
	Effects:  effects,
	Access:   access,
	Traits:   policy.Traits{Decides: true},
	Fleet:    func(c *policyv1.RateLimit) bool { return c.GetScope() == policyv1.Scope_SCOPE_FLEET },
	Merges:   true,
})

// phase is Guard when everything that is counted by is known before Authenticate.
func phase(config *policyv1.RateLimit) policy.Phase {
	for _, by := range config.GetBy() {
		if by.GetKey() || by.GetConsumer() {
			return policy.Limit
		}
	}
	return policy.Guard
}
