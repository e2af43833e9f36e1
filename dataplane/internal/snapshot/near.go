package snapshot

import (
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/router"
)

// Routing is how the route of a request was found, or not.
type Routing struct {
	// Route that matches; nil: none.
	Route *Route
	// Path of that route that matched, as it is written.
	Path router.Path
	// Method by which it was found: of a preflight that a policy of the route answers the one that it asks for, else the request's own.
	Method string
	// Misses are the routes that came nearest to being found, the nearest first.
	Misses []NearMiss
}

// NearMiss is a route that wasn't found.
type NearMiss struct {
	router.Miss

	// Info of the route.
	Info *pipeline.RouteInfo
}

// Routing tells how Route finds the route of an exchange, in which it changes nothing, and which others come nearest. It looks at every
// route there is: it is for explanations.
func (s *Snapshot) Routing(ex *pipeline.Exchange, most int) Routing {
	var found *router.Rule
	m, by := s.match(ex, nil)
	routing := Routing{Method: by}
	if m.Found {
		routing.Route = s.slots[m.Slot]
	}
	rules := func(yield func(*router.Rule) bool) {
		for _, o := range s.routes {
			if !yield(o.rule) {
				return
			}
		}
	}
	if m.Found {
		for r := range rules {
			if r.Slot == m.Slot {
				found, routing.Path = r, r.Paths[m.Path]
			}
		}
	}
	req := ex.Request
	req.Method = by
	for _, miss := range router.NearMisses(&req, rules, found, most) {
		routing.Misses = append(routing.Misses, NearMiss{Miss: miss, Info: s.slots[miss.Rule.Slot].Info})
	}
	return routing
}
