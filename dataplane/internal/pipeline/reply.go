package pipeline

import (
	"errors"

	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
)

// Replied counts a stage that answered in the upstream's place.
const Replied problem.Code = "replied"

// errReplied is what Reply returns: the loop ends by it, and nobody is refused.
var errReplied = errors.New("the stage has answered")

// Answerer is the policy whose stage answered in the upstream's place.
type Answerer struct {
	// Policy is its name, "" while nobody has answered.
	Policy string
	// ID is the policy's.
	ID id.ID
}

// Reply answers the request in the upstream's place, with a body or nil, which nobody may change: later stages and the upstream aren't asked, responders run, the verdict is
// Allowed. A stage fills Response.Header after it, and returns what Reply returned:
//
//	err := ex.Reply(204, nil)
//	ex.Response.Header.Add(…)
//	return err
//
// In shadow nothing is answered and nil comes back: such a stage asks InShadow first.
func (ex *Exchange) Reply(status int, body []byte) error {
	if ex.inShadow {
		return nil
	}
	out := &ex.Response
	out.Status = status
	out.Header.Reset()
	out.Trailer.Reset()
	out.Body, out.ContentLength = nil, int64(len(body))
	if len(body) > 0 {
		ex.answer.rest = body
		out.Body = &ex.answer
	}
	return errReplied
}

// Replied tells whether a stage has answered in the upstream's place.
func (ex *Exchange) Replied() bool { return ex.replied }

// replied notes that a stage has answered.
func (s *Stages) replied(ex *Exchange, st *step) {
	s.runner.Metrics.replied(ex, st.counters)
	ex.replied, ex.AnsweredBy = true, Answerer{Policy: st.policy.Name, ID: st.policy.ID}
}
