package access

import (
	"fmt"
	"slices"
	"strings"
	"time"

	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource"
	"github.com/sallyport/sallyport/proto/resource/form"
	"github.com/sallyport/sallyport/proto/validate"
)

// check returns everything that is wrong with a wanted token by itself.
func check(wanted *adminv1.AccessToken, now time.Time) []problem.Violation {
	violations := resource.CheckName(wanted.GetName())
	violations = append(violations, validateOutputOnly(wanted)...)
	violations = append(violations, validate.Message(wanted)...)
	violations = append(violations, checkOwnRole(wanted)...)
	violations = append(violations, checkPermissions("scope/permissions", wanted.GetScope().GetPermissions())...)
	if at := wanted.GetExpiresAt(); at != nil && !at.AsTime().After(now) {
		violations = append(violations, problem.Violation{
			Pointer: "/expires_at", Code: problem.ViolationOutOfRange,
			Detail: "The token would have expired already.", Given: at.AsTime().Format(time.RFC3339), Allowed: "a time to come",
		})
	}
	return violations
}

// checkOwnRole refuses a role that a token can't have by itself.
func checkOwnRole(wanted *adminv1.AccessToken) []problem.Violation {
	role := wanted.GetRole()
	if role == "" {
		return nil
	}
	if wanted.GetUser() != "" {
		return []problem.Violation{{
			Pointer: "/role", Code: problem.ViolationInvalidValue, Given: form.Given(role),
			Detail: "A token that belongs to a user has that user's roles; leave this out, or the user.",
		}}
	}
	if _, ok := BuiltIn(Role(role)); ok {
		return nil
	}
	var names []string
	for _, b := range BuiltInRoles() {
		names = append(names, string(b))
	}
	return []problem.Violation{{
		Pointer: "/role", Code: problem.ViolationUnknownReference, Given: form.Given(role),
		Detail: "This is no built-in role. Any other is given by a role binding.", Allowed: strings.Join(names, ", "),
	}}
}

// checkPermissions refuses permissions that there aren't: what is misspelt would allow nothing, or narrow to nothing.
func checkPermissions(field string, given []string) []problem.Violation {
	var violations []problem.Violation
	for i, p := range given {
		if slices.Contains(permissions[:], Permission(p)) {
			continue
		}
		violations = append(violations, problem.Violation{
			Pointer: fmt.Sprintf("/%s/%d", field, i), Code: problem.ViolationInvalidValue, Given: form.Given(p),
			Detail: "There is no such permission.", Allowed: strings.Join(texts(permissions[:]), ", "),
		})
	}
	return violations
}

func unknownReference(pointer, collection, given string) problem.Violation {
	return problem.Violation{
		Pointer: pointer, Code: problem.ViolationUnknownReference, Given: form.Given(given),
		Detail: "There is no object of this id or name among the " + collection + ".", Allowed: "the id or name of one of the " + collection,
	}
}

// validateOutputOnly refuses what only the server sets.
func validateOutputOnly(wanted *adminv1.AccessToken) []problem.Violation {
	var violations []problem.Violation
	for _, field := range []struct {
		name  string
		given bool
	}{
		{"id", wanted.GetId() != ""},
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
