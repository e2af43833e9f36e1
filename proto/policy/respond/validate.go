package respond

import (
	"slices"
	"strings"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/ranges"
	"github.com/sallyport/sallyport/proto/resource/form"
)

func validate(config *policyv1.Respond) []problem.Violation {
	switch answer := config.GetAnswer().(type) {
	case *policyv1.Respond_Fixed:
		return problem.Prefix(checkFixed(answer.Fixed), "/fixed")
	case *policyv1.Respond_Redirect:
		return problem.Prefix(checkRedirect(answer.Redirect), "/redirect")
	case *policyv1.Respond_Maintenance:
		return problem.Prefix(checkMaintenance(answer.Maintenance), "/maintenance")
	}
	return nil // required: told of by its rule
}

// Bodyless tells whether an answer of this status has no body (RFC 9110, section 6.4.1 and 15.3.6).
func Bodyless(status uint32) bool { return status == 204 || status == 205 || status == 304 }

func checkFixed(answer *policyv1.FixedAnswer) []problem.Violation {
	var violations []problem.Violation
	if Bodyless(answer.GetStatus()) && answer.GetBody() != "" {
		violations = append(violations, problem.Violation{
			Pointer: "/body", Code: problem.ViolationMutuallyExcluded, Detail: "can't be sent with a status that has no body (204, 205, 304)",
		})
	}
	for i, header := range answer.GetHeaders() {
		if Reserved(header.GetName()) {
			violations = append(violations, problem.Violation{
				Pointer: problem.Pointer("headers", i, "name"), Code: problem.ViolationInvalidValue, Given: form.Given(header.GetName()),
				Detail: "is a field of the connection, of framing, or the gateway's own (Content-Type has a place beside the headers)",
			})
		}
	}
	return violations
}

// reserved are names that no policy sets on an answer. Lower case.
var reserved = []string{
	"connection", "proxy-connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "content-length", "content-type", "date",
	"proxy-authenticate", "proxy-authorization", "proxy-authentication-info", "http2-settings", "expect", "host", "x-request-id",
}

// Reserved tells whether a header field isn't a policy's to set.
func Reserved(name string) bool {
	name = strings.ToLower(name)
	return slices.Contains(reserved, name) || strings.HasPrefix(name, "x-sallyport-")
}

func checkRedirect(redirect *policyv1.Redirect) []problem.Violation {
	if redirect.GetLocation() == "" {
		return nil // required: told of by its rule
	}
	if _, err := ParseLocation(redirect.GetLocation()); err != nil {
		return []problem.Violation{{
			Pointer: "/location", Code: problem.ViolationInvalidFormat, Given: form.Given(redirect.GetLocation()), Detail: err.Error(),
			Allowed: `"https://new.example.com{path}?{query}", "/v2/orders/{param.id}"`,
		}}
	}
	return nil
}

func checkMaintenance(m *policyv1.Maintenance) []problem.Violation {
	violations := ranges.Check(m.GetExempt(), func(i int) string { return problem.Pointer("exempt", i) })
	if m.GetRetryAfter().GetNanos() != 0 {
		violations = append(violations, problem.Violation{
			Pointer: "/retry_after", Code: problem.ViolationInvalidValue, Given: form.Duration(m.GetRetryAfter()), Detail: "must be in whole seconds",
		})
	}
	return violations
}
