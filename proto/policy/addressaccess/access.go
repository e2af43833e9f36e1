package addressaccess

import (
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/policy"
)

// access says from where one can call.
func access(config *policyv1.AddressAccess, _ policy.Names) []policy.Statement {
	var said []policy.Statement
	if denied := Texts(config.GetDeny()); len(denied) > 0 {
		said = append(said, policy.Statement{
			Part: policy.Demand, Code: "addresses_denied", Text: "Clients in " + policy.List(denied, "or", policy.Bare) + " are refused.", Values: denied,
		})
	}
	if allowed := Texts(config.GetAllow()); len(allowed) > 0 {
		said = append(said, policy.Statement{
			Part: policy.Demand, Code: "addresses_allowed", Text: "Clients must be in " + policy.List(allowed, "or", policy.Bare) + ".", Values: allowed,
		})
	}
	return said
}
