package pipeline

import (
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
)

// Note says that a policy would have refused the request or its answer, were all of it enforced: what a policy in shadow says by refusing, an enforced one says
// so of the part of it that is to be tried out. The first such verdict stays.
func (ex *Exchange) Note(policy id.ID, code problem.Code) {
	if ex.ShadowVerdict == "" {
		ex.ShadowVerdict, ex.shadowBy = code, policy
	}
}
