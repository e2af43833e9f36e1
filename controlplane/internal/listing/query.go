package listing

import (
	"strconv"

	"github.com/sallyport/sallyport/proto/problem"
)

// Limits of a page, in items.
const (
	DefaultLimit = 50
	MaxLimit     = 500
)

// Query is what a caller asks of a list, as the face read it.
type Query struct {
	Limit  int               // items; 0: DefaultLimit
	Cursor string            // of the page before; "": the first page
	Filter map[string]string // filter[field]=value, all of which must hold
	Labels string            // selector: "a=b,c!=d,e,!f", all of which must hold
	// Within are the ids of what alone the caller may be shown: teams whose objects, or, of environments, themselves. nil: whatever.
	// It is the face's, never the caller's.
	Within []string
}

// Page is one page of a list.
type Page[T any] struct {
	Items []T
	Next  string // cursor of the next page; "": this is the last
}

// Plan is a Query that was checked.
type Plan struct {
	Limit    int    // items, 1 to MaxLimit
	After    string // name after which the page begins; "": at the first
	Filter   map[string]string
	Selector Selector
	Within   []string // ids; nil: whatever

	fingerprint [fingerprintSize]byte
}

// Plan checks the query, and returns every violation at once as an *problem.Error. Pointers name
// query parameters: "/limit", "/cursor", "/labels".
func (q Query) Plan() (Plan, error) {
	plan := Plan{Limit: q.Limit, Filter: q.Filter, Within: q.Within, fingerprint: fingerprint(q)}
	var violations []problem.Violation
	if plan.Limit == 0 {
		plan.Limit = DefaultLimit
	}
	if plan.Limit < 1 || plan.Limit > MaxLimit {
		violations = append(violations, problem.Violation{
			Pointer: "/limit", Code: problem.ViolationOutOfRange,
			Detail: "The limit is out of range.", Given: strconv.Itoa(q.Limit), Allowed: "1 to " + strconv.Itoa(MaxLimit),
		})
	}
	var err error
	if plan.Selector, err = ParseSelector(q.Labels); err != nil {
		violations = append(violations, problem.Violation{
			Pointer: "/labels", Code: problem.ViolationInvalidFormat,
			Detail: "The labels selector can't be read: " + err.Error() + ".", Given: shorten(q.Labels), Allowed: "name=value, name!=value, name or !name, joined by commas",
		})
	}
	if plan.After, err = decodeCursor(q.Cursor, plan.fingerprint); err != nil {
		violations = append(violations, problem.Violation{
			Pointer: "/cursor", Code: problem.ViolationInvalidValue,
			Detail: "The cursor " + err.Error() + ". Use next_cursor of the page before, with the same filter and labels.", Given: shorten(q.Cursor),
		})
	}
	return plan, problem.Invalid(violations...)
}

// UnknownFilter is the violation of a filter on a field that can't be filtered by.
func UnknownFilter(field, allowed string) problem.Violation {
	return problem.Violation{
		Pointer: problem.Pointer("filter", field), Code: problem.ViolationUnknownParameter,
		Detail: "This list can't be filtered by this field.", Given: shorten(field), Allowed: allowed,
	}
}

// PageOf makes a page out of up to Limit+1 items in the order of their names: the one too many says
// that there is another page.
func PageOf[T any](p Plan, items []T, name func(T) string) Page[T] {
	if len(items) <= p.Limit {
		return Page[T]{Items: items}
	}
	items = items[:p.Limit]
	return Page[T]{Items: items, Next: p.Cursor(name(items[p.Limit-1]))}
}

func shorten(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}
