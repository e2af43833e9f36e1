package directory

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/sallyport/sallyport/controlplane/internal/listing"
	"github.com/sallyport/sallyport/proto/problem"
)

// Selection is what of a collection a list wants, in the order of names.
type Selection struct {
	After     string // name
	Limit     int
	Name      *string
	Consumer  *string // id or name; of API keys, passwords and blocks
	APIKey    *string // id or name; of blocks
	Username  *string // of passwords
	Suspended *bool   // of consumers
	Labels    listing.Selector
	Within    []string // ids of the teams whose objects alone are wanted; nil: whatever
}

// Store reads the directory.
type Store interface {
	// Row returns the row of an id or name; problem.NotFound when there is none, or no such environment.
	Row(ctx context.Context, environment, collection, key string) (Row, error)
	// SelectRows returns rows in the order of their names.
	SelectRows(ctx context.Context, environment, collection string, s Selection) ([]Row, error)
}

// Directory reads consumers, API keys, secrets and blocks, without their secret material.
type Directory struct{ store Store }

// New returns the directory in a store.
func New(store Store) *Directory { return &Directory{store: store} }

// Get returns the object of an id or name.
func (d *Directory) Get(ctx context.Context, environment, collection, key string) (Object, error) {
	t, ok := ByCollection(collection)
	if !ok {
		return Object{}, problem.Errorf(problem.NotFound, "there is no collection %q", collection)
	}
	row, err := d.store.Row(ctx, environment, collection, key)
	if err != nil {
		return Object{}, err
	}
	return row.Object(t)
}

// List returns a page of a collection in the order of names.
func (d *Directory) List(ctx context.Context, environment, collection string, q listing.Query) (listing.Page[Object], error) {
	var none listing.Page[Object]
	t, ok := ByCollection(collection)
	if !ok {
		return none, problem.Errorf(problem.NotFound, "there is no collection %q", collection)
	}
	plan, err := q.Plan()
	if err != nil {
		return none, err
	}
	selection, err := t.selection(plan)
	if err != nil {
		return none, err
	}
	rows, err := d.store.SelectRows(ctx, environment, collection, selection)
	if err != nil {
		return none, err
	}
	objects := make([]Object, len(rows))
	for i, row := range rows {
		if objects[i], err = row.Object(t); err != nil {
			return none, err
		}
	}
	return listing.PageOf(plan, objects, func(o Object) string { return o.Name }), nil
}

// selection reads the filter, and returns every violation in it.
func (t *Type) selection(plan listing.Plan) (Selection, error) {
	s := Selection{After: plan.After, Limit: plan.Limit + 1, Labels: plan.Selector, Within: plan.Within}
	var violations []problem.Violation
	for field, value := range plan.Filter {
		if !slices.Contains(t.Filters, field) {
			violations = append(violations, listing.UnknownFilter(field, strings.Join(t.Filters, ", ")))
			continue
		}
		switch field {
		case "name":
			s.Name = &value
		case "consumer":
			s.Consumer = &value
		case "api_key":
			s.APIKey = &value
		case "username":
			s.Username = &value
		case "suspended":
			suspended, err := strconv.ParseBool(value)
			if err != nil || (value != "true" && value != "false") {
				violations = append(violations, problem.Violation{
					Pointer: problem.Pointer("filter", field), Code: problem.ViolationInvalidValue,
					Detail: "is no truth value", Given: value, Allowed: "true or false",
				})
			}
			s.Suspended = &suspended
		}
	}
	return s, problem.Invalid(violations...)
}
