package pipeline

import (
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
)

// Note says that a policy would have refused the request or its answer, were all of it enforced: what a policy in shadow says by refusing, an enforced one says
// so of the part of it that is to be tried out. The first such verdict stays. It may be noted as late as by a Finisher.
func (ex *Exchange) Note(policy id.ID, code problem.Code) {
	if ex.Trace != nil {
		ex.Trace.noted(policy, code)
	}
	if ex.ShadowVerdict == "" {
		ex.ShadowVerdict, ex.shadowBy = code, policy
	}
}
