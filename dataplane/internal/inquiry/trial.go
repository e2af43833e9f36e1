package inquiry

import (
	"context"
	"fmt"
	"runtime/debug"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// tryExclusion tries exclusions of the WAF. A panic on the way is a fault of ours, which costs the answer and not the node.
func (a *Answerer) tryExclusion(ctx context.Context, id uint64, q *edgev1.TryExclusionQuestion) (answer *edgev1.Answer) {
	defer func() {
		if v := recover(); v != nil {
			// The value's text might hold something of a sample.
			a.config.Logger.Error("a trial of an exclusion failed by a panic", "type", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
			answer = refusal(id, "not_tried", "the node failed to try it; its log says where")
		}
	}()
	trial, err := a.config.TryExclusion(ctx, q)
	if err != nil {
		return refusal(id, "not_tried", err.Error())
	}
	return &edgev1.Answer{Id: id, Answer: &edgev1.Answer_ExclusionTrial{ExclusionTrial: trial}}
}
