package acl

import (
	"fmt"
	"slices"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/problem"
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

// checkRule finds a rule that says of nobody whom it is about, one that says it twice, and labels that are there twice.
func checkRule(rule *policyv1.AclRule) []problem.Violation {
	given := conditions(rule)
	switch {
	case rule.GetEveryConsumer() && len(given) > 0:
		return []problem.Violation{{
			Pointer: "/every_consumer", Code: problem.ViolationMutuallyExcluded, Given: "true",
			Detail: fmt.Sprintf("can't stand beside %s, which says that it isn't every consumer; give one of them", given[0]),
		}}
	case !rule.GetEveryConsumer() && len(given) == 0:
		return []problem.Violation{{
			Code: problem.ViolationRequired, Allowed: "every_consumer, consumers, labels, any_scope, all_scopes",
			Detail: "says of nobody whom it is about; give a condition, or every_consumer, or delete the rule",
		}}
	}
	return checkLabels(rule.GetLabels())
}

// conditions returns the names of the conditions that a rule has.
func conditions(rule *policyv1.AclRule) []string {
	var given []string
	for _, condition := range [...]struct {
		name  string
		count int
	}{
		{"consumers", len(rule.GetConsumers())},
		{"labels", len(rule.GetLabels())},
		{"any_scope", len(rule.GetAnyScope())},
		{"all_scopes", len(rule.GetAllScopes())},
	} {
		if condition.count > 0 {
			given = append(given, condition.name)
		}
	}
	return given
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
