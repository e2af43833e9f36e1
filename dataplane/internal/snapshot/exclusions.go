package snapshot

import (
	"fmt"
	"maps"
	"slices"

	"github.com/sallyport/sallyport/dataplane/internal/exclusions"
	"github.com/sallyport/sallyport/dataplane/internal/router"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/id"
)

// exclusionObject is an exclusion of the WAF: its bytes, and what they were compiled to.
type exclusionObject struct {
	data      []byte
	exclusion *exclusions.Exclusion
}

// Exclusions returns what rules of the WAF don't look at on single routes; nil: there are none.
func (s *Snapshot) Exclusions() *exclusions.Set { return s.exclusionsInForce }

// Placed is a route with what it matches.
type Placed struct {
	*Route

	Rule *router.Rule
}

// RouteByID returns a route by its id.
func (s *Snapshot) RouteByID(route id.ID) (Placed, bool) {
	o := s.routes[id.Text(id.Route, route)]
	if o == nil {
		return Placed{}, false
	}
	return Placed{Route: s.slots[o.rule.Slot], Rule: o.rule}, true
}

func (c *compilation) exclusions() map[string]*exclusionObject {
	return own(&c.next.exclusions, &c.ownExclusions)
}

func (c *compilation) putExclusion(s *Source, self id.ID, m *configv1.WafExclusion) error {
	made, err := exclusions.New(self, m)
	if err != nil {
		return fmt.Errorf("compile: %w", err)
	}
	c.exclusions()[s.ID] = &exclusionObject{data: s.Data, exclusion: made}
	return nil
}

// settleExclusions makes the set, if an exclusion changed.
func (c *compilation) settleExclusions() {
	if !c.ownExclusions {
		return
	}
	var all []*exclusions.Exclusion
	for _, name := range slices.Sorted(maps.Keys(c.next.exclusions)) {
		all = append(all, c.next.exclusions[name].exclusion)
	}
	c.next.exclusionsInForce = exclusions.NewSet(all, c.env.config.Exclusions)
}
