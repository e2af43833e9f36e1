package headers

import (
	"fmt"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	contract "github.com/sallyport/sallyport/proto/policy/headers"
)

// Binding joins the contract of "headers" with its stage.
var Binding = pipeline.Bind(contract.Kind, compile)

// stage is immutable.
type stage struct {
	request, response changes
	onRejections      bool
	withheld          func(name string) bool // trailers of answers; nil: none
}

func compile(_ pipeline.Env, config *policyv1.Headers) (pipeline.Stage, error) {
	s := &stage{onRejections: config.GetOnRejections()}
	var err error
	if s.request, err = newChanges(contract.Request, config.GetRequest()); err != nil {
		return nil, fmt.Errorf("request.%w", err)
	}
	if s.response, err = newChanges(contract.Response, config.GetResponse()); err != nil {
		return nil, fmt.Errorf("response.%w", err)
	}
	s.withheld = s.response.withheld()
	return s, nil
}

// Request implements pipeline.Stage.
func (s *stage) Request(ex *pipeline.Exchange) error {
	s.request.apply(ex, &ex.Request.Header)
	return nil
}

// Response implements pipeline.Responder. A refusal of the gateway keeps what the caller needs to understand it.
func (s *stage) Response(ex *pipeline.Exchange) error {
	switch {
	case ex.Rejection == nil:
		s.response.apply(ex, &ex.Response.Header)
		if s.withheld != nil {
			ex.Response.Withheld = append(ex.Response.Withheld, s.withheld)
		}
	case s.onRejections:
		s.response.applyToRefusal(ex, &ex.Response.Header)
	}
	return nil
}

// RespondEarly implements pipeline.EarlyResponder: what the environment says in each answer is said whoever gives it.
func (s *stage) RespondEarly(ex *pipeline.Exchange) error { return s.Response(ex) }
