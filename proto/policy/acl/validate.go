package acl

import (
	"fmt"
	"slices"
	"strings"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/path"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource/form"
)

func validate(config *policyv1.Acl) []problem.Violation {
	return slices.Concat(checkRules("allow", config.GetAllow()), checkRules("deny", config.GetDeny()))
}

func checkRules(list string, rules []*policyv1.AclRule) []problem.Violation {
	var violations []problem.Violation
	for i, rule := range rules {
		violations = append(violations, problem.Prefix(checkRule(rule), problem.Pointer(list, i))...)
	}
	return violations
}

// checkRule finds a rule that says of nobody whom it is about, one that says it twice, labels and claims that are there twice,
// claims of which nothing is said, and paths that no route could have.
func checkRule(rule *policyv1.AclRule) []problem.Violation {
	found := slices.Concat(checkLabels(rule.GetLabels()), checkClaims(rule.GetClaims()), checkPaths(rule.GetPaths()))
	given := conditions(rule)
	switch {
	case rule.GetEveryConsumer() && len(given) > 0:
		found = append(found, problem.Violation{
			Pointer: "/every_consumer", Code: problem.ViolationMutuallyExcluded, Given: "true",
			Detail: fmt.Sprintf("can't stand beside %s, which says that it isn't every consumer; give one of them", given[0]),
		})
	case !rule.GetEveryConsumer() && len(given) == 0:
		found = append(found, problem.Violation{
			Code: problem.ViolationRequired, Allowed: "every_consumer, " + strings.Join(positive, ", "), Detail: nobody(rule),
		})
	}
	return found
}

// nobody tells the author of a rule that says of nobody whom it is about what to give.
func nobody(rule *policyv1.AclRule) string {
	if len(rule.GetNoScope())+len(rule.GetNoRole())+len(rule.GetClaims()) > 0 {
		return "says only what callers must not have; give every_consumer beside it, or a condition on what they have"
	}
	return "says of nobody whom it is about; give a condition, or every_consumer, or delete the rule"
}

// positive are the conditions that say whom a rule is about. Those on what callers must not have are true of most, so that a rule that
// has nothing else may have lost what narrowed it.
var positive = []string{"consumers", "labels", "any_scope", "all_scopes", "any_role", "all_roles", "claims"}

// conditions returns the names of the positive conditions that a rule has.
func conditions(rule *policyv1.AclRule) []string {
	counts := map[string]int{
		"consumers": len(rule.GetConsumers()), "labels": len(rule.GetLabels()),
		"any_scope": len(rule.GetAnyScope()), "all_scopes": len(rule.GetAllScopes()),
		"any_role": len(rule.GetAnyRole()), "all_roles": len(rule.GetAllRoles()),
	}
	for _, claim := range rule.GetClaims() {
		if Insists(claim) {
			counts["claims"]++
		}
	}
	var given []string
	for _, name := range positive {
		if counts[name] > 0 {
			given = append(given, name)
		}
	}
	return given
}

// Insists tells whether a condition on a claim holds only of callers who have the claim.
func Insists(claim *policyv1.ClaimMatch) bool {
	return claim.GetExists() || len(claim.GetAnyOf()) > 0 || len(claim.GetAllOf()) > 0
}

// Absent tells whether a condition on a claim holds only of callers who don't have the claim.
func Absent(claim *policyv1.ClaimMatch) bool {
	return claim != nil && claim.Exists != nil && !claim.GetExists()
}

// SaysWho tells whether a rule says whom it is about: by a condition on what callers have, or by saying that it is everybody.
func SaysWho(rule *policyv1.AclRule) bool {
	return rule.GetEveryConsumer() || len(conditions(rule)) > 0
}

// checkLabels finds keys that are there twice: both would have to hold, which mostly nobody can.
func checkLabels(labels []*policyv1.LabelMatch) []problem.Violation {
	var violations []problem.Violation
	first := map[string]int{}
	for i, label := range labels {
		if j, twice := first[label.GetKey()]; twice {
			violations = append(violations, problem.Violation{
				Pointer: problem.Pointer("labels", i, "key"), Code: problem.ViolationNotUnique, Given: label.GetKey(),
				Detail: fmt.Sprintf("is the key of entry %d already, and both must hold; give all values in one entry", j),
			})
			continue
		}
		first[label.GetKey()] = i
	}
	return violations
}

// checkClaims finds claims that are there twice, of which nothing is said, or that must be there and must not.
func checkClaims(claims []*policyv1.ClaimMatch) []problem.Violation {
	var violations []problem.Violation
	first := map[string]int{}
	for i, claim := range claims {
		if j, twice := first[claim.GetClaim()]; twice {
			violations = append(violations, problem.Violation{
				Pointer: problem.Pointer("claims", i, "claim"), Code: problem.ViolationNotUnique, Given: claim.GetClaim(),
				Detail: fmt.Sprintf("is the claim of entry %d already; say all of it in one entry", j),
			})
		} else {
			first[claim.GetClaim()] = i
		}
		values := len(claim.GetAnyOf()) + len(claim.GetAllOf()) + len(claim.GetNoneOf())
		switch {
		case !claim.GetExists() && !Absent(claim) && values == 0:
			violations = append(violations, problem.Violation{
				Pointer: problem.Pointer("claims", i), Code: problem.ViolationRequired, Allowed: "exists, any_of, all_of, none_of",
				Detail: "says nothing of the claim; give one of exists, any_of, all_of and none_of, or delete the entry",
			})
		case Absent(claim) && values > 0:
			violations = append(violations, problem.Violation{
				Pointer: problem.Pointer("claims", i, "exists"), Code: problem.ViolationMutuallyExcluded, Given: "false",
				Detail: "can't be false where something is said of the claim's values; give one of them",
			})
		}
	}
	return violations
}

// checkPaths finds paths that aren't written as a route's templates are.
func checkPaths(paths []string) []problem.Violation {
	var violations []problem.Violation
	for i, text := range paths {
		if text == "" {
			continue // told of by the field's own rule
		}
		if _, err := path.ParseTemplate(text); err != nil {
			violations = append(violations, problem.Violation{
				Pointer: problem.Pointer("paths", i), Code: problem.ViolationInvalidFormat, Given: form.Given(text), Detail: err.Error(),
			})
		}
	}
	return violations
}
