package events

import (
	"context"
	"slices"
	"strings"

	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

// Feed answers what happened.
type Feed struct{ store Store }

// NewFeed returns the feeds of a store.
func NewFeed(store Store) *Feed { return &Feed{store: store} }

// Read returns up to limit events behind a number, the oldest first; types none: of all.
func (f *Feed) Read(ctx context.Context, environment string, after uint64, types []string, limit int) (*adminv1.EventPage, error) {
	if err := problem.Invalid(unknownTypes("/types", types)...); err != nil {
		return nil, err
	}
	found, oldest, err := f.store.Events(ctx, environment, after, types, limit)
	if err != nil {
		return nil, err
	}
	next := after
	if len(found) > 0 {
		next = found[len(found)-1].GetNumber()
	}
	return &adminv1.EventPage{Data: found, Next: &next, Oldest: &oldest}, nil
}

// unknownTypes tells of types that no event has. A whole family ("api-key.*") is known where one of it is.
func unknownTypes(pointer string, types []string) []problem.Violation {
	known := Types()
	var violations []problem.Violation
	for i, name := range types {
		family, whole := strings.CutSuffix(name, "*")
		if !slices.ContainsFunc(known, func(t Type) bool { return t.Name == name || whole && strings.HasPrefix(t.Name, family) }) {
			violations = append(violations, problem.Violation{
				Pointer: pointer + problem.Pointer(i), Code: problem.ViolationInvalidValue, Given: shorten(name), Detail: "is no type that an event has",
			})
		}
	}
	return violations
}
