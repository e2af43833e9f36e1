package requestlimits

import (
	"fmt"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/mediatype"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource/form"
)

func validate(config *policyv1.RequestLimits) []problem.Violation {
	if !bounds(config) {
		return []problem.Violation{{
			Code: problem.ViolationRequired, Detail: "must bound something; a policy without any bound does nothing",
			Allowed: "methods, max_body_bytes, max_header_bytes, max_headers, max_target_bytes, max_query_bytes, max_query_parameters, content_types, require_content_type",
		}}
	}
	return checkTypes(config.GetContentTypes())
}

// bounds tells whether there is any bound.
func bounds(c *policyv1.RequestLimits) bool {
	return c != nil && (len(c.GetMethods()) > 0 || c.MaxBodyBytes != nil || c.MaxHeaderBytes != nil || c.MaxHeaders != nil || c.MaxTargetBytes != nil ||
		c.MaxQueryBytes != nil || c.MaxQueryParameters != nil || len(c.GetContentTypes()) > 0 || c.GetRequireContentType())
}

func checkTypes(texts []string) []problem.Violation {
	var violations []problem.Violation
	first := map[mediatype.Pattern]int{}
	for i, text := range texts {
		media, err := mediatype.ParsePattern(text)
		if err != nil {
			violations = append(violations, problem.Violation{
				Pointer: problem.Pointer("content_types", i), Code: problem.ViolationInvalidFormat, Given: form.Given(text), Detail: err.Error(),
			})
			continue
		}
		// Of equal spelling the field's rule tells.
		if j, twice := first[media]; twice && texts[j] != text {
			violations = append(violations, problem.Violation{
				Pointer: problem.Pointer("content_types", i), Code: problem.ViolationNotUnique, Given: form.Given(text),
				Detail: fmt.Sprintf("is the same as entry %d; give it once", j),
			})
		} else if !twice {
			first[media] = i
		}
	}
	return violations
}
