package cel

import (
	"sync"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	contract "github.com/sallyport/sallyport/proto/policy/cel"
	"github.com/sallyport/sallyport/proto/problem"
)

// Binding joins the contract of "cel" with its stage.
var Binding = pipeline.Bind(contract.Kind, compile)

// stage is immutable.
type stage struct {
	program *contract.Program
	message string
}

// views are lent to one evaluation at a time.
var views = sync.Pool{New: func() any { return newView() }}

func compile(_ pipeline.Env, config *policyv1.Cel) (pipeline.Stage, error) {
	program, err := contract.Compile(config.GetExpression())
	if err != nil {
		return nil, err
	}
	s := &stage{program: program, message: config.GetMessage()}
	if s.message == "" {
		s.message = "the expression isn't true"
	}
	return s, nil
}

// Request implements pipeline.Stage.
func (s *stage) Request(ex *pipeline.Exchange) error {
	held, err := s.holds(ex)
	switch {
	case err != nil:
		return ex.Reject(problem.AccessDenied, "", "the expression can't be told: "+contract.Why(err))
	case !held:
		return ex.Reject(problem.AccessDenied, "", s.message)
	}
	return nil
}

// holds evaluates the expression. What it has looked at is forgotten behind it, since the request's memory is only lent.
func (s *stage) holds(ex *pipeline.Exchange) (bool, error) {
	v := views.Get().(*view)
	v.ex, v.who = ex, ex.Caller()
	held, err := s.program.Holds(v)
	v.ex, v.who = nil, nil
	views.Put(v)
	return held, err
}
