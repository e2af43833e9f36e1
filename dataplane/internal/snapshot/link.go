package snapshot

import (
	"slices"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/proto/policy"
	"github.com/sallyport/sallyport/proto/problem"
)

// connect gives a service its Sender: the one that there is for an equal spec, or a new one.
func (c *compilation) connect(s *Service) {
	s.Spec.AllowedTargets = c.next.Settings.AllowedTargets.Prefixes()
	if c.env.config.NewSender == nil {
		return
	}
	sender, err := pipeline.Part(c.env.parts, "upstream", s.Spec.key(), func() (*sharedSender, error) {
		return &sharedSender{c.env.config.NewSender(s.Spec)}, nil
	})
	if err != nil {
		panic(err) // the function above has none to return
	}
	s.Sender = sender
}

// sharedSender is what services of equal specs hold, so that it can be found again.
type sharedSender struct{ Sender }

// touchPlaces notes the routes that a policy concerns.
func (c *compilation) touchPlaces(p *policyObject) {
	for _, at := range p.places {
		switch at.level {
		case policy.Environment:
			c.touchedAll = true
		case policy.Service:
			c.touched[at.id] = true
		case policy.Route:
			c.touchedRoutes = append(c.touchedRoutes, at.id)
		case policy.Consumer:
			c.touchedOverlays = true
		}
	}
}

// checkReferences refuses policies that are attached to what isn't there: those that came, and those that were attached
// to what went.
func (c *compilation) checkReferences() {
	for _, p := range c.added {
		if c.next.policies[p.id] == p {
			c.checkPlaces(p)
		}
	}
	for _, id := range c.goneServices {
		for _, p := range c.next.attached.services[id] {
			c.checkPlaces(p)
		}
	}
	for _, id := range c.goneRoutes {
		for _, p := range c.next.attached.routes[id] {
			c.checkPlaces(p)
		}
	}
}

func (c *compilation) checkPlaces(p *policyObject) {
	for i, at := range p.places {
		member, found := "", true
		switch at.level {
		case policy.Environment:
		case policy.Consumer: // the directory's, which has its own pace: of one that isn't there, nothing comes of it
		case policy.Service:
			member = "service"
			_, found = c.next.services[at.id]
		case policy.Route:
			member = "route"
			_, found = c.next.routes[at.id]
		}
		if !found {
			c.fail(policiesCollection, p.id, problem.Pointer("attached_to", i, member), problem.ViolationUnknownReference,
				"attached to "+at.id+", which isn't in this revision")
		}
	}
}

// link joins every route that is concerned with its service and its stages.
func (c *compilation) link() {
	if c.touchedAll || len(c.touched) > 0 {
		for _, r := range c.next.routes {
			if c.touchedAll || c.touched[r.service] {
				c.linkRoute(r)
			}
		}
	}
	linked := map[string]bool{}
	for _, id := range c.touchedRoutes {
		r := c.next.routes[id]
		if r == nil || linked[id] || c.touchedAll || c.touched[r.service] {
			continue
		}
		linked[id] = true
		c.linkRoute(r)
	}
}

func (c *compilation) linkRoute(r *routeObject) {
	c.relinked = true
	service := c.next.services[r.service]
	if service == nil {
		c.fail(routesCollection, r.id, "/service", problem.ViolationUnknownReference, "service "+r.service+" isn't in this revision")
		return
	}
	all := c.next.attached.of(r)
	effective := pipeline.Effective(all)
	known := slices.ContainsFunc(effective, authenticates)
	if !r.public && !known {
		c.fail(routesCollection, r.id, "/public", problem.ViolationUnprotected, "no enforced authentication, and not marked public")
		return
	}
	route := &Route{
		Service: service.service, Stages: c.stagesOf(all, effective), Public: r.public, Authenticates: known,
		Preflights: slices.ContainsFunc(effective, preflights), Info: c.infoOf(r, service.service),
		first: r.paths[0], more: r.paths[1:],
	}
	if !c.ownSlots {
		c.next.slots, c.ownSlots = slices.Clone(c.next.slots), true
	}
	c.next.slots[r.rule.Slot] = route
}

func preflights(a pipeline.Attached) bool {
	return a.Kind.Traits.Preflights && a.Mode == pipeline.Enforce
}

func authenticates(a pipeline.Attached) bool {
	return a.Phase == policy.Authenticate && a.Mode == pipeline.Enforce
}

// infoOf returns the info that the route had, if it says the same.
func (c *compilation) infoOf(r *routeObject, s *Service) *pipeline.RouteInfo {
	info := r.info
	info.Service, info.ServiceName = s.ID, s.Name
	if table := c.env.config.Rates; table != nil {
		info.Rates = table.Of(s.ID, s.Name)
	}
	if old := c.next.slots[r.rule.Slot]; old != nil && *old.Info == info {
		return old.Info
	}
	return &info
}

// stagesOf returns the stages of a route's policies. Routes with the same ones share them. Those that don't run count as well:
// they may take the place of a consumer's.
func (c *compilation) stagesOf(all, effective []pipeline.Attached) *pipeline.Stages {
	key := make([]byte, 0, (16+1)*len(all))
	for _, a := range all {
		key = append(append(key, a.ID[:]...), byte(a.Level))
	}
	if s := c.stages[string(key)]; s != nil {
		return s
	}
	s := c.env.runner.Layered(all, effective)
	c.stages[string(key)] = s
	return s
}

// takeSlot returns a free slot.
func (c *compilation) takeSlot() uint32 {
	if !c.ownSlots {
		c.next.slots, c.ownSlots = slices.Clone(c.next.slots), true
	}
	if n := len(c.next.free); n > 0 {
		slot := c.next.free[n-1]
		c.next.free = c.next.free[: n-1 : n-1] // the previous snapshot's list goes on behind it
		return slot
	}
	c.next.slots = append(c.next.slots, nil)
	return uint32(len(c.next.slots) - 1)
}

func (c *compilation) freeSlot(slot uint32) {
	if !c.ownSlots {
		c.next.slots, c.ownSlots = slices.Clone(c.next.slots), true
	}
	c.next.slots[slot] = nil
	c.next.free = append(c.next.free[:len(c.next.free):len(c.next.free)], slot)
}
