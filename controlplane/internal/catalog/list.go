package catalog

import (
	"context"
	"slices"
	"sort"
	"strconv"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/controlplane/internal/listing"
	"github.com/sallyport/sallyport/proto/digest"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource"
)

// List returns a page of a collection in the order of names. It can be filtered by any field that is no
// message, also inside of messages ("service", "attached_to.route", "kind").
func (c *Catalog) List(ctx context.Context, environment, collection string, q listing.Query) (listing.Page[Object], error) {
	var none listing.Page[Object]
	t, ok := resource.ByCollection(collection)
	if !ok {
		return none, problem.Errorf(problem.NotFound, "there is no collection %q", collection)
	}
	plan, err := q.Plan()
	if err != nil {
		return none, err
	}
	filters, err := parseFilters(t, q.Filter)
	if err != nil {
		return none, err
	}
	h, err := c.Head(ctx, environment)
	if err != nil {
		return none, err
	}
	return listing.PageOf(plan, h.selected(collection, plan, filters), func(o Object) string { return o.Name }), nil
}

func parseFilters(t *resource.Type, wanted map[string]string) ([]filter, error) {
	filters := make([]filter, 0, len(wanted))
	var violations []problem.Violation
	for path, value := range wanted {
		f, ok := parseFilter(t.New().ProtoReflect().Descriptor(), path, value)
		if !ok {
			violations = append(violations, listing.UnknownFilter(path, "fields of a "+t.Singular+" that are texts, numbers or truth values"))
			continue
		}
		filters = append(filters, f)
	}
	return filters, problem.Invalid(violations...)
}

// selected returns up to one object more than the page holds.
func (h *Head) selected(collection string, plan listing.Plan, filters []filter) []Object {
	all := h.Objects(collection)
	if plan.After != "" {
		all = all[sort.Search(len(all), func(i int) bool { return all[i].Name > plan.After }):]
	}
	found := make([]Object, 0, min(len(all), plan.Limit+1))
	for _, o := range all {
		if len(found) > plan.Limit {
			break
		}
		if within(plan, o) && plan.Selector.Matches(o.Message.GetLabels()) && h.passes(o, filters) {
			found = append(found, *o)
		}
	}
	return found
}

// within tells whether an object may be shown to whom the list is for.
func within(plan listing.Plan, o *Object) bool {
	return plan.Within == nil || slices.Contains(plan.Within, resource.TeamOf(o.Message))
}

func (h *Head) passes(o *Object, filters []filter) bool {
	for _, f := range filters {
		if !f.matches(h, o) {
			return false
		}
	}
	return true
}

// Revisions returns a page of revisions, the newest first. There is nothing to filter by.
func (c *Catalog) Revisions(ctx context.Context, environment string, q listing.Query) (listing.Page[*adminv1.Revision], error) {
	var none listing.Page[*adminv1.Revision]
	plan, err := q.Plan()
	if err != nil {
		return none, err
	}
	before, violations := revisionBefore(plan)
	for field := range q.Filter {
		violations = append(violations, listing.UnknownFilter(field, "nothing"))
	}
	if q.Labels != "" {
		violations = append(violations, problem.Violation{Pointer: "/labels", Code: problem.ViolationUnknownParameter, Detail: "revisions have no labels"})
	}
	if err := problem.Invalid(violations...); err != nil {
		return none, err
	}
	if _, err := c.store.Position(ctx, environment); err != nil { // an unknown environment is no empty list
		return none, err
	}
	found, err := c.store.Revisions(ctx, environment, before, plan.Limit+1)
	if err != nil {
		return none, err
	}
	page := listing.PageOf(plan, found, func(r Revision) string { return strconv.FormatUint(r.Number, 10) })
	shown := listing.Page[*adminv1.Revision]{Next: page.Next, Items: make([]*adminv1.Revision, len(page.Items))}
	for i, r := range page.Items {
		shown.Items[i] = r.show()
	}
	return shown, nil
}

func revisionBefore(plan listing.Plan) (uint64, []problem.Violation) {
	if plan.After == "" {
		return 0, nil
	}
	before, err := strconv.ParseUint(plan.After, 10, 63)
	if err != nil {
		return 0, []problem.Violation{{Pointer: "/cursor", Code: problem.ViolationInvalidValue, Detail: "the cursor is not one of this list"}}
	}
	return before, nil
}

// Revision returns one revision.
func (c *Catalog) Revision(ctx context.Context, environment string, number uint64) (*adminv1.Revision, error) {
	r, err := c.store.Revision(ctx, environment, number)
	if err != nil {
		return nil, err
	}
	return r.show(), nil
}

func (r Revision) show() *adminv1.Revision {
	return &adminv1.Revision{
		Number: r.Number, Digest: digest.Sum(r.Digest).String(), Author: r.Author, Message: r.Message,
		RollbackTo: r.RollbackTo, Changes: uint32(r.Changes), CreatedAt: timestamppb.New(r.CreatedAt),
	}
}
