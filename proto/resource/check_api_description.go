package resource

import (
	"errors"

	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/openapi"
	"github.com/sallyport/sallyport/proto/problem"
)

// maxDescription is what an API description takes as stored: its document, and some room for what stands beside it.
const maxDescription = openapi.MaxDocument + 64<<10

// checkAPIDescription compiles the document, as nodes do: each place in it that is wrong is told of.
func checkAPIDescription(m *configv1.ApiDescription) []problem.Violation {
	text := m.GetDocument()
	if text == "" || len(text) > openapi.MaxDocument {
		return nil // told of by its rule
	}
	_, err := openapi.Compile([]byte(text))
	if err == nil {
		return nil
	}
	var broken openapi.DocumentErrors
	if !errors.As(err, &broken) {
		return []problem.Violation{{Pointer: "/document", Code: problem.ViolationInvalidFormat, Detail: err.Error()}}
	}
	violations := make([]problem.Violation, len(broken))
	for i, fault := range broken {
		detail := fault.Detail
		if fault.Pointer != "" {
			detail = "at " + fault.Pointer + " of the document: " + fault.Detail
		}
		violations[i] = problem.Violation{Pointer: "/document", Code: problem.ViolationInvalidFormat, Detail: detail}
	}
	return violations
}
