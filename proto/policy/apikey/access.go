package apikey

import (
	"fmt"
	"slices"
	"strconv"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/policy"
)

// access says where a key is taken from, and what it must be good for.
func access(config *policyv1.ApiKey, _ policy.Names) []policy.Statement {
	var places []string
	for _, location := range config.GetLocations() {
		switch place := location.GetPlace().(type) {
		case *policyv1.KeyLocation_Header:
			places = append(places, fmt.Sprintf("the header %q", place.Header))
		case *policyv1.KeyLocation_Query:
			places = append(places, fmt.Sprintf("the query parameter %q", place.Query))
		case *policyv1.KeyLocation_Cookie:
			places = append(places, fmt.Sprintf("the cookie %q", place.Cookie))
		}
	}
	said := []policy.Statement{{
		Part: policy.Way, Code: "api_key", Text: "An API key is taken from " + policy.List(places, "or", policy.Bare) + ".", Values: places,
	}}
	if scopes := config.GetRequiredScopes(); len(scopes) > 0 {
		said = append(said, policy.Statement{
			Part: policy.Demand, Code: "scope_required", Text: "The key needs the scope " + policy.List(scopes, "and", strconv.Quote) + ".", Values: scopes,
		})
	}
	return said
}

// admits tells whether a key has the scopes that are demanded. Of who shows another credential, or none, it says nothing.
func admits(config *policyv1.ApiKey) func(policy.Caller) policy.Admission {
	return func(caller policy.Caller) policy.Admission {
		lacks := func(scope string) bool { return !slices.Contains(caller.Scopes, scope) }
		if !caller.Token && !caller.Guest && slices.ContainsFunc(config.GetRequiredScopes(), lacks) {
			return policy.Never
		}
		return policy.Admits
	}
}
