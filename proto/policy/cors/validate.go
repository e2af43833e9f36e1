package cors

import (
	"fmt"
	"slices"
	"strings"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource/form"
)

func validate(config *policyv1.Cors) []problem.Violation {
	return slices.Concat(
		checkOrigins(config),
		checkNames("headers", config.GetHeaders(), config.GetCredentials()),
		checkNames("exposed_headers", config.GetExposedHeaders(), config.GetCredentials()),
		checkMethods(config.GetMethods()),
		checkMaxAge(config),
	)
}

func checkOrigins(config *policyv1.Cors) []problem.Violation {
	var violations []problem.Violation
	for i, origin := range config.GetOrigins() {
		switch origin {
		case "", Null: // the former told of by its rule
		case Any:
			if config.GetCredentials() {
				violations = append(violations, problem.Violation{
					Pointer: problem.Pointer("origins", i), Code: problem.ViolationMutuallyExcluded, Given: Any,
					Detail: "would let any page act with its visitor's credentials; with credentials name the origins",
				})
			}
		default:
			if _, err := ParseOrigin(origin); err != nil {
				violations = append(violations, problem.Violation{
					Pointer: problem.Pointer("origins", i), Code: problem.ViolationInvalidFormat, Given: form.Given(origin), Detail: err.Error(),
					Allowed: `"https://app.example.com", "https://*.example.com", "http://localhost:3000", "*", "null"`,
				})
			}
		}
	}
	return violations
}

// checkNames finds header names that are there twice, and "*" where browsers read it as a name: together with credentials (Fetch, section 3.3.5).
func checkNames(field string, names []string, credentials bool) []problem.Violation {
	var violations []problem.Violation
	first := map[string]int{}
	for i, name := range names {
		if name == "*" && credentials {
			violations = append(violations, problem.Violation{
				Pointer: problem.Pointer(field, i), Code: problem.ViolationMutuallyExcluded, Given: name,
				Detail: "stands for all headers only without credentials; name them",
			})
		}
		key := strings.ToLower(name)
		// Of equal spelling the field's rule tells.
		if j, twice := first[key]; twice && names[j] != name {
			violations = append(violations, problem.Violation{
				Pointer: problem.Pointer(field, i), Code: problem.ViolationNotUnique, Given: form.Given(name),
				Detail: fmt.Sprintf("is the same header as entry %d; give it once", j),
			})
		} else if !twice {
			first[key] = i
		}
	}
	return violations
}

// checkMethods refuses those that browsers let no page use (Fetch, "forbidden method").
func checkMethods(methods []string) []problem.Violation {
	var violations []problem.Violation
	for i, method := range methods {
		if method == "CONNECT" || method == "TRACE" || method == "TRACK" {
			violations = append(violations, problem.Violation{
				Pointer: problem.Pointer("methods", i), Code: problem.ViolationInvalidValue, Given: method, Detail: "is a method that no page may use",
			})
		}
	}
	return violations
}

// checkMaxAge refuses parts of a second, which the field can't say.
func checkMaxAge(config *policyv1.Cors) []problem.Violation {
	if config.GetMaxAge().GetNanos() == 0 {
		return nil
	}
	return []problem.Violation{{
		Pointer: "/max_age", Code: problem.ViolationInvalidValue, Given: form.Duration(config.GetMaxAge()), Detail: "must be in whole seconds",
	}}
}
