package headers

import (
	"fmt"
	"slices"
	"strings"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

func validate(config *policyv1.Headers) []problem.Violation {
	return slices.Concat(
		checkChanges("/request", Request, config.GetRequest()),
		checkChanges("/response", Response, config.GetResponse()),
	)
}

func checkChanges(at string, side Side, changes *policyv1.HeaderChanges) []problem.Violation {
	var violations []problem.Violation
	for i, name := range changes.GetRemove() {
		if v := checkName(side, name); v != nil {
			v.Pointer = problem.Pointer("remove", i)
			violations = append(violations, *v)
		}
	}
	violations = append(violations, checkTwice(changes)...)
	for list, fields := range lists(changes) {
		for i, field := range fields {
			violations = append(violations, problem.Prefix(checkField(side, field), problem.Pointer(list, i))...)
		}
	}
	return problem.Prefix(violations, at)
}

// lists yields the fields that are written, by the name of their list.
func lists(changes *policyv1.HeaderChanges) func(yield func(string, []*policyv1.HeaderField) bool) {
	return func(yield func(string, []*policyv1.HeaderField) bool) {
		_ = yield("set", changes.GetSet()) && yield("set_if_absent", changes.GetSetIfAbsent()) && yield("add", changes.GetAdd())
	}
}

func checkField(side Side, field *policyv1.HeaderField) []problem.Violation {
	var violations []problem.Violation
	if v := checkName(side, field.GetName()); v != nil {
		v.Pointer = "/name"
		violations = append(violations, *v)
	} else if side == Response && Fold(field.GetName()) == "set-cookie" {
		violations = append(violations, problem.Violation{
			Pointer: "/name", Code: problem.ViolationInvalidValue, Given: field.GetName(),
			Detail: "can be removed but not written: a cookie is its service's to give",
		})
	}
	if _, err := Parse(field.GetValue()); err != nil {
		violations = append(violations, problem.Violation{
			Pointer: "/value", Code: problem.ViolationInvalidFormat, Given: shorten(field.GetValue()),
			Detail: err.Error(), Allowed: Names(),
		})
	} else if strings.TrimSpace(field.GetValue()) != field.GetValue() {
		violations = append(violations, problem.Violation{
			Pointer: "/value", Code: problem.ViolationInvalidFormat, Given: shorten(field.GetValue()),
			Detail: "begins or ends with a space, which no receiver gets to see",
		})
	}
	return violations
}

// checkName refuses names that nobody may change. A prefix is refused when all that begin like it are the gateway's.
func checkName(side Side, name string) *problem.Violation {
	exact, prefix := strings.CutSuffix(name, "*")
	why := Refused(side, exact)
	if prefix && why != "" && !allRefused(side, exact) {
		return nil
	}
	if why == "" {
		return nil
	}
	return &problem.Violation{Code: problem.ViolationInvalidValue, Given: name, Detail: "can't be changed: it " + why}
}

// allRefused tells whether every name that begins with prefix is refused.
func allRefused(side Side, prefix string) bool { return Refused(side, prefix+"any") != "" }

// checkTwice finds names that are set twice, of which only one can be meant.
func checkTwice(changes *policyv1.HeaderChanges) []problem.Violation {
	var violations []problem.Violation
	for list, fields := range lists(changes) {
		if list == "add" {
			continue
		}
		first := map[string]int{}
		for i, field := range fields {
			name := strings.ToLower(field.GetName())
			if j, twice := first[name]; twice {
				violations = append(violations, problem.Violation{
					Pointer: problem.Pointer(list, i, "name"), Code: problem.ViolationNotUnique, Given: field.GetName(),
					Detail: fmt.Sprintf("is set by entry %d already; give it once", j),
				})
				continue
			}
			first[name] = i
		}
	}
	return violations
}
