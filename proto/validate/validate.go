package validate

import (
	"errors"
	"sync"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/proto/problem"
)

// validator is compiled once; it compiles the rules of each message type when it first meets it, and is safe for
// concurrent use.
var validator = sync.OnceValues(func() (protovalidate.Validator, error) { return protovalidate.New() })

// Message returns every field rule that m breaks, in the order of the fields; nil when none. Absent fields count as
// absent: fill in defaults first. A message type whose rules don't compile breaks one rule, always.
func Message(m proto.Message) []problem.Violation {
	v, err := validator()
	if err == nil {
		err = v.Validate(m)
	}
	if err == nil {
		return nil
	}
	var failed *protovalidate.ValidationError
	if !errors.As(err, &failed) {
		return []problem.Violation{{
			Code: problem.ViolationInvalidValue, Detail: "its rules could not be evaluated, so it is refused",
		}}
	}
	violations := make([]problem.Violation, len(failed.Violations))
	for i, found := range failed.Violations {
		violations[i] = translate(m.ProtoReflect(), found)
	}
	return violations
}
