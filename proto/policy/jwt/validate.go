package jwt

import (
	"fmt"
	"strings"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

// unfitHeaders are headers that can't hold a token, with what to do instead. Names in lower case.
var unfitHeaders = map[string]string{
	"cookie":            "name the cookie as cookie",
	"host":              "it names the host asked for",
	"connection":        "it ends at the gateway",
	"content-length":    "it frames the body",
	"transfer-encoding": "it frames the body",
	"te":                "it ends at the gateway",
	"trailer":           "it ends at the gateway",
	"upgrade":           "it ends at the gateway",
	"keep-alive":        "it ends at the gateway",
	"user-agent":        "it is kept with requests, for operators to read",
	"content-type":      "it is kept with requests, for operators to read",
}

// validate finds places that are there twice, and headers that can't hold a token.
func validate(config *policyv1.Jwt) []problem.Violation {
	var violations []problem.Violation
	first := map[string]int{}
	for i, location := range config.GetLocations() {
		member, name := placeOf(location)
		if member == "" {
			continue // required: told of by its rule
		}
		violation := problem.Violation{Pointer: problem.Pointer("locations", i, member), Given: name}
		if member == "header" {
			name = strings.ToLower(name)
			if why, unfit := unfitHeaders[name]; unfit {
				violation.Code, violation.Detail = problem.ViolationInvalidValue, "can't hold a token: "+why
				violations = append(violations, violation)
			}
		}
		if j, twice := first[member+" "+name]; twice {
			violation.Code = problem.ViolationNotUnique
			violation.Detail = fmt.Sprintf("is looked at in location %d already; give it once", j)
			violations = append(violations, violation)
			continue
		}
		first[member+" "+name] = i
	}
	return violations
}

// placeOf returns the name of the member that is given, and what it names.
func placeOf(location *policyv1.TokenLocation) (member, name string) {
	switch place := location.GetPlace().(type) {
	case *policyv1.TokenLocation_Header:
		return "header", place.Header
	case *policyv1.TokenLocation_Query:
		return "query", place.Query
	case *policyv1.TokenLocation_Cookie:
		return "cookie", place.Cookie
	}
	return "", ""
}
