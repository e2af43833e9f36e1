package identitytoken

import (
	"fmt"
	"strconv"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/policy"
)

// access says how the service learns who calls.
func access(config *policyv1.IdentityToken, _ policy.Names) []policy.Statement {
	said := policy.Statement{Part: policy.Note, Code: "identity_token"}
	switch form := config.GetForm().(type) {
	case *policyv1.IdentityToken_Token:
		header := form.Token.GetHeader()
		said.Text, said.Values = fmt.Sprintf("The service learns who calls from a signed token in %q.", header), []string{header}
	case *policyv1.IdentityToken_Headers:
		for _, field := range form.Headers.GetFields() {
			said.Values = append(said.Values, field.GetName())
		}
		said.Text = "The service learns who calls from plain fields: " + policy.List(said.Values, "and", strconv.Quote) + "."
	default:
		return nil
	}
	return []policy.Statement{said}
}
