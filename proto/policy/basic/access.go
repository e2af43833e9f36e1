package basic

import (
	"fmt"
	"strconv"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/policy"
)

// access says that passwords are taken, and what they must be good for.
func access(config *policyv1.Basic, _ policy.Names) []policy.Statement {
	said := []policy.Statement{{
		Part: policy.Way, Code: "password", Text: fmt.Sprintf("A username and password are taken (HTTP Basic, realm %q).", config.GetRealm()),
		Values: []string{config.GetRealm()},
	}}
	if scopes := config.GetRequiredScopes(); len(scopes) > 0 {
		said = append(said, policy.Statement{
			Part: policy.Demand, Code: "scope_required", Text: "The password needs the scope " + policy.List(scopes, "and", strconv.Quote) + ".", Values: scopes,
		})
	}
	if config.GetForwardCredentials() {
		said = append(said, policy.Statement{Part: policy.Note, Code: "passwords_forwarded", Text: "The service sees the password of its caller."})
	}
	return said
}
