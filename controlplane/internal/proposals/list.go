package proposals

import (
	"context"
	"slices"

	"github.com/sallyport/sallyport/controlplane/internal/listing"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

// List returns a page of proposals, the latest first, without steps, base and plan. It can be filtered by state and author_id.
func (p *Proposals) List(ctx context.Context, environment string, q listing.Query) (listing.Page[*adminv1.Proposal], error) {
	var none listing.Page[*adminv1.Proposal]
	plan, err := q.Plan()
	if err != nil {
		return none, err
	}
	selection := Selection{Before: plan.After, Limit: plan.Limit + 1}
	if err := selection.filter(q.Filter); err != nil {
		return none, err
	}
	records, err := p.Store.List(ctx, environment, selection)
	if err != nil {
		return none, err
	}
	items := make([]*adminv1.Proposal, len(records))
	for i, r := range records {
		f, err := p.open(r)
		if err != nil {
			return none, err
		}
		items[i] = f.summary()
	}
	return listing.PageOf(plan, items, (*adminv1.Proposal).GetId), nil
}

func (s *Selection) filter(wanted map[string]string) error {
	var violations []problem.Violation
	for field, value := range wanted {
		switch field {
		case "author_id":
			s.AuthorID = value
		case "state":
			s.State = State(value)
			if !slices.Contains(states[:], s.State) {
				violations = append(violations, problem.Violation{
					Pointer: problem.Pointer("filter", field), Code: problem.ViolationInvalidValue, Detail: "There is no such state.",
					Allowed: "open, approved, stale, published, rejected, withdrawn, expired",
				})
			}
		default:
			violations = append(violations, listing.UnknownFilter(field, "author_id, state"))
		}
	}
	return problem.Invalid(violations...)
}
