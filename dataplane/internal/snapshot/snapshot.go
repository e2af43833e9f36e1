package snapshot

import (
	"strings"
	"sync/atomic"

	"github.com/sallyport/sallyport/dataplane/internal/certificates"
	"github.com/sallyport/sallyport/dataplane/internal/descriptions"
	"github.com/sallyport/sallyport/dataplane/internal/exclusions"
	"github.com/sallyport/sallyport/dataplane/internal/issuers"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/router"
	"github.com/sallyport/sallyport/proto/path"
	"github.com/sallyport/sallyport/proto/problem"
)

// Snapshot is the compiled form of a revision. It is immutable and safe for concurrent use.
type Snapshot struct {
	// Revision is its number.
	Revision uint64
	// Settings of the environment.
	Settings *Settings
	// Certificates are what clients are answered with over TLS; nil: none.
	Certificates *certificates.Set

	issuersInForce      *issuers.Set      // nil: none
	exclusionsInForce   *exclusions.Set   // nil: none
	descriptionsInForce *descriptions.Set // nil: none

	table *router.Table
	slots []*Route // by the table's slot numbers; nil: free
	free  []uint32

	settings *settingsObject
	services map[string]*serviceObject
	policies map[string]*policyObject
	routes   map[string]*routeObject

	certificates map[string]*certificateObject
	issuers      map[string]*issuerObject
	exclusions   map[string]*exclusionObject
	descriptions map[string]*descriptionObject

	attached attachments
	overlays *pipeline.Overlays // nil: nothing is attached to a consumer
}

// Holder holds the snapshot in force. A request loads it once.
type Holder = atomic.Pointer[Snapshot]

// Route is a route compiled. It is immutable and safe for concurrent use. What a request needs of it lies in one piece, so
// that one whose route isn't in the processor's caches goes to main memory for it once.
type Route struct {
	// Info is what stages, usage and logs know of it.
	Info *pipeline.RouteInfo
	// Service answers.
	Service *Service
	// Stages are what its requests pass through.
	Stages *pipeline.Stages
	// Public routes need no authentication.
	Public bool
	// Authenticates tells whether a policy in force finds out who calls, on a public route too.
	Authenticates bool
	// Preflights tells whether a policy in force answers CORS preflights.
	Preflights bool

	first forwarding   // of the first of the route's paths, which mostly is the only one
	more  []forwarding // of the others, in their order
}

// empty is what a node without configuration has.
func empty() *Snapshot {
	return &Snapshot{Settings: withoutSettings(), table: new(router.Table)}
}

// Routes returns how many routes there are.
func (s *Snapshot) Routes() int { return len(s.routes) }

// Services yields the services, in no order.
func (s *Snapshot) Services(yield func(*Service) bool) {
	for _, o := range s.services {
		if !yield(o.service) {
			return
		}
	}
}

// Route finds the route of an exchange, of a CORS preflight the one of the method that it asks for, and fills Route, Params,
// ParamNames, Revision, Overlays, Issuers, Exclusions, Descriptions and Request.ForwardPath. Without one the error is a *pipeline.Rejection: route_not_found,
// method_not_allowed with its Allow header, or path_refused where an encoded slash would lead elsewhere if it were one.
func (s *Snapshot) Route(ex *pipeline.Exchange) (*Route, error) {
	ex.Revision, ex.Overlays, ex.Issuers, ex.Exclusions = s.Revision, s.overlays, s.issuersInForce, s.exclusionsInForce
	ex.Descriptions = s.descriptionsInForce
	m, _ := s.match(ex, ex.Params[:0])
	if s.readTwice(ex, m) {
		refused := pathRefused(ex, errReadTwice)
		refused.Detail = "The path can be read in two ways: " + path.EncodedSlash.String() + "."
		return nil, refused
	}
	if !m.Found {
		return nil, s.notFound(ex, m.WrongMethod)
	}
	route := s.slots[m.Slot]
	ex.Route = route.Info
	ex.Params = m.Params
	route.forwarding(m.Path).apply(ex)
	return route, nil
}

// forwarding returns what becomes of the i-th of a route's paths.
func (r *Route) forwarding(i int) *forwarding {
	if i == 0 {
		return &r.first
	}
	return &r.more[i-1]
}

func (s *Snapshot) notFound(ex *pipeline.Exchange, wrongMethod bool) error {
	if !wrongMethod {
		return ex.Reject(problem.RouteNotFound, "", "no route matches")
	}
	r := ex.Reject(problem.MethodNotAllowed, "", "no route matches this method")
	r.Header.Add("Allow", strings.Join(s.table.Methods(&ex.Request), ", "))
	return r
}
