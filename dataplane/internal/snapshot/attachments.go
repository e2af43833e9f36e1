package snapshot

import (
	"maps"
	"slices"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/proto/policy"
)

// attachments finds policies by where they are attached. It is immutable between edits.
type attachments struct {
	environment []*policyObject
	services    map[string][]*policyObject
	routes      map[string][]*policyObject
	consumers   map[string][]*policyObject
}

// with returns attachments with other policies. Lists that change are copied, since snapshots share them.
func (a attachments) with(removed, added []*policyObject) attachments {
	if len(removed)+len(added) == 0 {
		return a
	}
	next := attachments{
		environment: slices.Clone(a.environment),
		services:    orEmpty(maps.Clone(a.services)),
		routes:      orEmpty(maps.Clone(a.routes)),
		consumers:   orEmpty(maps.Clone(a.consumers)),
	}
	fresh := map[place]bool{} // lists copied already
	for _, p := range removed {
		next.each(p, fresh, func(list []*policyObject) []*policyObject {
			return slices.DeleteFunc(list, func(have *policyObject) bool { return have == p })
		})
	}
	for _, p := range added {
		next.each(p, fresh, func(list []*policyObject) []*policyObject { return append(list, p) })
	}
	return next
}

// each replaces the lists of a policy's places.
func (a *attachments) each(p *policyObject, fresh map[place]bool, change func([]*policyObject) []*policyObject) {
	for _, at := range p.places {
		if at.level == policy.Environment {
			a.environment = change(a.environment)
			continue
		}
		index := a.index(at.level)
		list := index[at.id]
		if !fresh[at] {
			list, fresh[at] = slices.Clone(list), true
		}
		if list = change(list); len(list) == 0 {
			delete(index, at.id)
			continue
		}
		index[at.id] = list
	}
}

// index returns the policies of a level that has several places.
func (a *attachments) index(level policy.Level) map[string][]*policyObject {
	switch level {
	case policy.Service:
		return a.services
	case policy.Consumer:
		return a.consumers
	case policy.Environment, policy.Route:
	}
	return a.routes
}

// of returns the policies of a route, whatever their modes, but for those of consumers.
func (a *attachments) of(r *routeObject) []pipeline.Attached {
	service, route := a.services[r.service], a.routes[r.id]
	all := make([]pipeline.Attached, 0, len(a.environment)+len(service)+len(route))
	for level, list := range [...][]*policyObject{
		policy.Environment: a.environment, policy.Service: service, policy.Route: route,
	} {
		for _, p := range list {
			all = append(all, pipeline.Attached{Policy: p.policy, Level: policy.Level(level)})
		}
	}
	return all
}

func orEmpty[M ~map[K]V, K comparable, V any](m M) M {
	if m == nil {
		return M{}
	}
	return m
}
