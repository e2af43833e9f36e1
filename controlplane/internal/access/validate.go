package access

import (
	"time"

	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource"
	"github.com/sallyport/sallyport/proto/validate"
)

// check returns everything that is wrong with a wanted token.
func check(wanted *adminv1.AccessToken, now time.Time) []problem.Violation {
	violations := resource.CheckName(wanted.GetName())
	violations = append(violations, validateOutputOnly(wanted)...)
	violations = append(violations, validate.Message(wanted)...)
	if at := wanted.GetExpiresAt(); at != nil && !at.AsTime().After(now) {
		violations = append(violations, problem.Violation{
			Pointer: "/expires_at", Code: problem.ViolationOutOfRange,
			Detail: "The token would have expired already.", Given: at.AsTime().Format(time.RFC3339), Allowed: "a time to come",
		})
	}
	return violations
}

// validateOutputOnly refuses what only the server sets: a role that is asked for and not given would
// mislead.
func validateOutputOnly(wanted *adminv1.AccessToken) []problem.Violation {
	var violations []problem.Violation
	for _, field := range []struct {
		name  string
		given bool
	}{
		{"id", wanted.GetId() != ""},
		{"role", wanted.GetRole() != "" && wanted.GetRole() != string(RoleOwner)},
		{"token", wanted.GetToken() != ""},
		{"created_at", wanted.GetCreatedAt() != nil},
	} {
		if field.given {
			violations = append(violations, problem.Violation{
				Pointer: problem.Pointer(field.name), Code: problem.ViolationImmutable,
				Detail: "The server alone sets this field; leave it out.",
			})
		}
	}
	return violations
}
