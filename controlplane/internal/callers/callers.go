package callers

import (
	"context"
	"slices"

	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/policy"
	"github.com/sallyport/sallyport/proto/policy/apikey"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource"
	"github.com/sallyport/sallyport/proto/resource/form"
)

const (
	// maxLooked bounds how many consumers are looked at.
	maxLooked = 10_000
	// page is how many of them are read at a time.
	page = 1000
	// maxListed bounds how many consumers are listed, and how many with policies of their own.
	maxListed = 100
)

// usual are the methods that the verdicts are about where a route takes any.
var usual = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}

// Consumer is one of the directory, as far as it matters who can call.
type Consumer struct {
	ID, Name string
	Labels   map[string]string
	Out      bool       // suspended or blocked
	Keys     [][]string // the scopes of each API key that is good now, and for the route
}

// Place is where keys are to be good: a route and its service, by id.
type Place struct{ Route, Service string }

// Heads finds configurations; *catalog.Catalog is it.
type Heads interface {
	Head(ctx context.Context, environment string) (*catalog.Head, error)
}

// Store reads the directory.
type Store interface {
	// Callers returns consumers behind a name, in the order of their names, with the keys that may be used there: those bound to other routes
	// and services are left out.
	Callers(ctx context.Context, environment string, there Place, after string, most int) ([]Consumer, error)
	// ConsumerNames returns the names of the consumers that there are, by id.
	ConsumerNames(ctx context.Context, environment string, ids []string) (map[string]string, error)
}

// Callers says who can call routes. It is safe for concurrent use.
type Callers struct {
	heads Heads
	store Store
}

// New returns what says who can call the routes of these configurations.
func New(heads Heads, store Store) *Callers { return &Callers{heads: heads, store: store} }

// Access says who can call a route, by id or name. With people it says what becomes of consumers, and what they are called; without, it has
// their ids alone where policies name them.
func (c *Callers) Access(ctx context.Context, environment, key string, people bool) (*adminv1.RouteAccess, error) {
	head, err := c.heads.Head(ctx, environment)
	if err != nil {
		return nil, err
	}
	object, ok := head.Object(catalog.Routes, key)
	if !ok {
		return nil, problem.Errorf(problem.NotFound, "there is no route %q", key)
	}
	a := newAnswer(head, object)
	if people {
		if err := a.name(ctx, c.store, environment); err != nil {
			return nil, err
		}
	}
	a.describe()
	if people && !a.made.GetPublic() {
		if err := a.count(ctx, c.store, environment); err != nil {
			return nil, err
		}
	}
	a.tell()
	return a.made, nil
}

// answer is one answer in the making.
type answer struct {
	head      *catalog.Head
	route     *catalog.Object
	effective []catalog.Applied
	overlaid  []string          // ids of the consumers with policies of their own that run here, in their order
	people    map[string]string // names, by id
	judges    map[*catalog.Object]func(policy.Caller) policy.Admission
	keys      bool     // API keys are taken
	others    bool     // so are other proofs, of which nothing is known without a request
	guests    []string // ids of the consumers that whoever shows no credential is taken for
	made      *adminv1.RouteAccess
}

func newAnswer(head *catalog.Head, route *catalog.Object) *answer {
	a := &answer{
		head: head, route: route, effective: head.Effective(route), judges: make(map[*catalog.Object]func(policy.Caller) policy.Admission),
		made: &adminv1.RouteAccess{Route: route.ID, Name: route.Name, Revision: &head.Revision},
	}
	m, _ := route.Message.(*configv1.Route)
	if a.made.Methods = m.GetMethods(); len(a.made.GetMethods()) == 0 {
		a.made.Methods = usual
	}
	for _, consumer := range head.Overlaid() {
		if len(a.own(consumer)) > 0 {
			a.overlaid = append(a.overlaid, consumer)
		}
	}
	return a
}

// own returns the policies that run for a consumer's requests alone.
func (a *answer) own(consumer string) []catalog.Applied {
	var own []catalog.Applied
	for _, applied := range a.head.EffectiveFor(a.route, consumer) {
		if applied.Level == policy.Consumer {
			own = append(own, applied)
		}
	}
	return own
}

// name finds what consumers are called that policies name, or that have some of their own.
func (a *answer) name(ctx context.Context, store Store, environment string) error {
	ids := slices.Clone(a.overlaid[:min(len(a.overlaid), maxListed)])
	for _, applied := range a.effective {
		for _, r := range resource.References(applied.Config) {
			if r.Collection == "consumers" {
				ids = append(ids, r.Value)
			}
		}
	}
	if len(ids) == 0 {
		return nil
	}
	var err error
	a.people, err = store.ConsumerNames(ctx, environment, ids)
	return err
}

// names returns what an object is called.
func (a *answer) names(id string) string {
	if name, known := a.people[id]; known {
		return name
	}
	for _, t := range resource.Types() {
		if o, found := a.head.Object(t.Collection, id); found {
			return o.Name
		}
	}
	return id
}

// describe says what each policy says, and finds which proofs are taken.
func (a *answer) describe() {
	for _, applied := range a.effective {
		shown := a.shown(applied)
		a.made.Policies = append(a.made.Policies, shown)
		if applied.Enforced() {
			a.takes(applied.Kind.Name, shown.GetStatements())
		}
	}
	public := !a.head.Protected(a.route)
	a.made.Public = &public
	for _, consumer := range a.overlaid[:min(len(a.overlaid), maxListed)] {
		overlay := &adminv1.AccessOverlay{Consumer: consumer, Name: a.people[consumer]}
		for _, applied := range a.own(consumer) {
			overlay.Policies = append(overlay.Policies, a.shown(applied))
		}
		a.made.Overlays = append(a.made.Overlays, overlay)
	}
}

// takes notes which proofs an enforced policy takes, and for whom it takes who shows none.
func (a *answer) takes(kind string, said []*adminv1.AccessStatement) {
	for _, s := range said {
		switch s.GetPart() {
		case policy.Way.String():
			a.keys = a.keys || kind == apikey.Kind.Name
			a.others = a.others || kind != apikey.Kind.Name
		case policy.Open.String():
			a.guests = append(a.guests, s.GetValues()...)
		}
	}
}

func (a *answer) shown(applied catalog.Applied) *adminv1.AccessPolicy {
	mode, _ := form.EnumName(configv1.Mode(0).Descriptor(), applied.Mode.Number())
	shown := &adminv1.AccessPolicy{
		Id: applied.Object.ID, Name: applied.Object.Name, Kind: applied.Kind.Name, Level: applied.Level.String(), Mode: mode,
	}
	for _, s := range applied.Kind.Access(applied.Config, a.names) {
		shown.Statements = append(shown.Statements, &adminv1.AccessStatement{Part: s.Part.String(), Code: s.Code, Text: s.Text, Values: s.Values})
	}
	return shown
}
