package addressaccess

import (
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/policy"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/ranges"
)

// Kind is the contract of "address-access".
var Kind = policy.Define(policy.Contract[*policyv1.AddressAccess]{
	Name: "address-access",
	Description: "Lets requests in or keeps them out by the client's address, from lists of addresses and ranges. " +
		"What is denied is refused even where it is allowed; where anything is allowed, everything else is refused.",
	Phases:     []policy.Phase{policy.Guard},
	Validate:   validate,
	Access:     access,
	Traits:     policy.Traits{Decides: true},
	Capability: 3,
	Merges:     true,
})

// Texts returns the ranges of a list as they are written.
func Texts(list []*policyv1.AddressRange) []string {
	texts := make([]string, len(list))
	for i, entry := range list {
		texts[i] = entry.GetRange()
	}
	return texts
}

func validate(config *policyv1.AddressAccess) []problem.Violation {
	if len(config.GetAllow()) == 0 && len(config.GetDeny()) == 0 {
		return []problem.Violation{{
			Code: problem.ViolationRequired, Detail: "must allow or deny something; a policy without any list does nothing", Allowed: "allow, deny",
		}}
	}
	return append(check("allow", config.GetAllow()), check("deny", config.GetDeny())...)
}

func check(list string, entries []*policyv1.AddressRange) []problem.Violation {
	return ranges.Check(Texts(entries), func(i int) string { return problem.Pointer(list, i, "range") })
}
