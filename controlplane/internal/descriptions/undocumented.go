package descriptions

import (
	"cmp"
	"context"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/controlplane/internal/listing"
	"github.com/sallyport/sallyport/controlplane/internal/usage"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource"
)

const (
	// maxRequests is how many requests are looked at, half of them refused ones.
	maxRequests = 10_000
	// maxEndpoints is how many endpoints an answer has, maxFolded how many are told apart while it is made.
	maxEndpoints, maxFolded = 500, 5_000
	// usualSpan is how long is looked back where nothing is said.
	usualSpan = 24 * time.Hour
)

// Heads finds configurations; *catalog.Catalog is it.
type Heads interface {
	Head(ctx context.Context, environment string) (*catalog.Head, error)
}

// Requests finds single requests; *usage.Reports is it.
type Requests interface {
	Requests(ctx context.Context, environment string, q usage.RequestQuery) (listing.Page[*adminv1.AnsweredRequest], *adminv1.UsageCoverage, error)
}

// Reports says what callers ask for. It is safe for concurrent use.
type Reports struct {
	heads    Heads
	requests Requests
	now      func() time.Time
}

// NewReports returns the reports on these configurations and requests.
func NewReports(heads Heads, requests Requests) *Reports {
	return &Reports{heads: heads, requests: requests, now: time.Now}
}

// Undocumented says what callers asked for, in a time, that a description doesn't have, by id or name. A zero time is said as the API says it.
func (r *Reports) Undocumented(ctx context.Context, environment, key string, from, to time.Time) (*adminv1.UndocumentedEndpoints, error) {
	head, err := r.heads.Head(ctx, environment)
	if err != nil {
		return nil, err
	}
	described, ok := head.Object(catalog.APIDescriptions, key)
	if !ok {
		return nil, problem.Errorf(problem.NotFound, "there is no API description %q in this environment", key)
	}
	if to.IsZero() {
		to = r.now()
	}
	if from.IsZero() {
		from = to.Add(-usualSpan)
	}
	t := tally{routes: routesOf(head, described.ID), endpoints: map[endpoint]*seen{}, complete: true}
	code := []string{string(problem.EndpointUndocumented)}
	for _, q := range []usage.RequestQuery{{From: from, To: to, Verdicts: code}, {From: from, To: to, ShadowVerdicts: code}} {
		if err := r.add(ctx, environment, q, &t); err != nil {
			return nil, err
		}
	}
	answer := t.answer()
	answer.From, answer.To = timestamppb.New(from), timestamppb.New(to)
	return answer, nil
}

// routesOf are the ids of the routes on which a policy that runs, if only in shadow, holds requests against a description.
func routesOf(head *catalog.Head, description string) map[string]bool {
	routes := map[string]bool{}
	for _, route := range head.Objects(catalog.Routes) {
		if slices.ContainsFunc(head.Effective(route), func(a catalog.Applied) bool { return !a.Off() && refersTo(a.Object, description) }) {
			routes[route.ID] = true
		}
	}
	return routes
}

func refersTo(o *catalog.Object, id string) bool {
	return slices.ContainsFunc(o.References(), func(r resource.Reference) bool { return r.Value == id })
}

// add looks at the requests of one question, a page after the other.
func (r *Reports) add(ctx context.Context, environment string, q usage.RequestQuery, t *tally) error {
	if len(t.routes) == 0 {
		return nil
	}
	q.Page.Limit = listing.MaxLimit
	for looked := 0; ; {
		page, _, err := r.requests.Requests(ctx, environment, q)
		if err != nil {
			return err //nolint:wrapcheck // a problem, or says what
		}
		for _, request := range page.Items {
			t.add(request)
		}
		looked += len(page.Items)
		q.Page.Cursor = page.Next
		if page.Next == "" {
			return nil
		}
		if looked >= maxRequests/2 {
			t.complete = false
			return nil
		}
	}
}

// endpoint is what is asked for.
type endpoint struct{ method, path string }

type seen struct {
	requests, refused uint64
	first, last       time.Time
	consumers         map[string]bool
}

type tally struct {
	routes    map[string]bool
	endpoints map[endpoint]*seen
	requests  uint64
	complete  bool
}

func (t *tally) add(request *adminv1.AnsweredRequest) {
	if !t.routes[request.GetRoute()] {
		return
	}
	t.requests++
	at := endpoint{request.GetMethod(), fold(request.GetPath())}
	s := t.endpoints[at]
	when := request.GetTime().AsTime()
	if s == nil {
		if len(t.endpoints) == maxFolded {
			t.complete = false
			return
		}
		s = &seen{first: when, last: when, consumers: map[string]bool{}}
		t.endpoints[at] = s
	}
	s.requests++
	if request.GetVerdict() == string(problem.EndpointUndocumented) {
		s.refused++
	}
	if when.Before(s.first) {
		s.first = when
	}
	if when.After(s.last) {
		s.last = when
	}
	if consumer := request.GetConsumer(); consumer != "" {
		s.consumers[consumer] = true
	}
}

func (t *tally) answer() *adminv1.UndocumentedEndpoints {
	answer := &adminv1.UndocumentedEndpoints{Requests: t.requests, Complete: t.complete}
	for at, s := range t.endpoints {
		answer.Data = append(answer.Data, &adminv1.UndocumentedEndpoint{
			Method: at.method, Path: at.path, Requests: s.requests, Refused: s.refused,
			FirstSeen: timestamppb.New(s.first), LastSeen: timestamppb.New(s.last), Consumers: uint64(len(s.consumers)),
		})
	}
	slices.SortFunc(answer.Data, func(a, b *adminv1.UndocumentedEndpoint) int {
		return cmp.Or(cmp.Compare(b.GetRequests(), a.GetRequests()), cmp.Compare(a.GetPath(), b.GetPath()), cmp.Compare(a.GetMethod(), b.GetMethod()))
	})
	if len(answer.Data) > maxEndpoints {
		answer.Data, answer.Complete = answer.Data[:maxEndpoints], false
	}
	return answer
}
