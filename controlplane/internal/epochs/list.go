package epochs

import (
	"context"
	"math"
	"strconv"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/controlplane/internal/listing"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

// List returns one page of an environment's epochs, the newest first. Its first epoch isn't among them.
func (e *Epochs) List(ctx context.Context, environment string, query listing.Query) (listing.Page[*adminv1.Epoch], error) {
	var none listing.Page[*adminv1.Epoch]
	var violations []problem.Violation
	for field := range query.Filter {
		violations = append(violations, listing.UnknownFilter(field, "none"))
	}
	if err := problem.Invalid(violations...); err != nil {
		return none, err
	}
	plan, err := query.Plan()
	if err != nil {
		return none, err
	}
	before := uint64(math.MaxInt64)
	if plan.After != "" {
		if before, err = strconv.ParseUint(plan.After, 10, 63); err != nil {
			return none, problem.Wrap(err, problem.InvalidRequest, "the cursor is of another list")
		}
	}
	found, err := e.store.Epochs(ctx, environment, before, plan.Limit+1)
	if err != nil {
		return none, err
	}
	items := make([]*adminv1.Epoch, len(found))
	for i := range found {
		items[i] = found[i].message()
	}
	return listing.PageOf(plan, items, func(m *adminv1.Epoch) string { return strconv.FormatUint(m.GetNumber(), 10) }), nil
}

func (e *Epoch) message() *adminv1.Epoch {
	m := &adminv1.Epoch{
		Number: e.Number, OpenedAt: stamp(e.OpenedAt), OpenedBy: e.OpenedBy, Reason: e.Reason, Ended: e.Ended.message(),
		DenialsTakenBack: e.Taken, RecallUntil: stamp(e.RecallUntil),
	}
	if e.Lost.Epoch != 0 {
		m.Lost = e.Lost.message()
	}
	return m
}

func (p Position) message() *adminv1.EpochPosition {
	return &adminv1.EpochPosition{Epoch: p.Epoch, Revision: p.Revision, Sequence: p.Sequence}
}

// stamp is a time as a message has it; nil for a time that isn't.
func stamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}
