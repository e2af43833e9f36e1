package content

import (
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/mediatype"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource/form"
)

func validate(config *policyv1.Content) []problem.Violation {
	var violations []problem.Violation
	for i, text := range config.GetTypes() {
		if _, err := mediatype.ParsePattern(text); err != nil {
			violations = append(violations, problem.Violation{
				Pointer: problem.Pointer("types", i), Code: problem.ViolationInvalidFormat, Given: form.Given(text), Detail: err.Error(),
			})
		}
	}
	return violations
}
