package respond

import (
	"fmt"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/policy"
)

// access says what callers are answered in the service's place.
func access(config *policyv1.Respond, _ policy.Names) []policy.Statement {
	said := policy.Statement{Part: policy.Answer}
	switch answer := config.GetAnswer().(type) {
	case *policyv1.Respond_Fixed:
		said.Code, said.Text = "fixed", fmt.Sprintf("The gateway answers with %d, and the service isn't asked.", answer.Fixed.GetStatus())
	case *policyv1.Respond_Redirect:
		said.Code, said.Text = "redirect", fmt.Sprintf("Callers are sent elsewhere with %d: %s", answer.Redirect.GetStatus(), answer.Redirect.GetLocation())
		said.Values = []string{answer.Redirect.GetLocation()}
	case *policyv1.Respond_Maintenance:
		said.Code, said.Text = "maintenance", "The route is closed for maintenance."
		if exempt := answer.Maintenance.GetExempt(); len(exempt) > 0 {
			said.Text = "The route is closed for maintenance, but for clients in " + policy.List(exempt, "or", policy.Bare) + "."
			said.Values = exempt
		}
	default:
		return nil
	}
	if config.GetBeforeAuthentication() {
		said.Text += " Nobody has to prove who they are for that."
	}
	return []policy.Statement{said}
}
