package snapshot

import (
	"errors"
	"maps"
	"slices"

	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource"
)

// change takes one object's new state.
func (c *compilation) change(s *Source) {
	if ignored[s.Collection] {
		return
	}
	t, ok := resource.ByCollection(s.Collection)
	if !ok || rankOf(s.Collection) < 0 {
		c.fail(s.Collection, s.ID, "", problem.ViolationUnknownKind, "this build knows no such collection")
		return
	}
	if len(s.Data) == 0 {
		c.remove(s)
		return
	}
	m, self, ok := c.decode(t, s)
	if !ok {
		return
	}
	var err error
	switch m := m.(type) {
	case *configv1.EnvironmentSettings:
		err = c.putSettings(s, m)
	case *configv1.Certificate:
		err = c.putCertificate(s, self, m)
	case *configv1.Issuer:
		err = c.putIssuer(s, self, m)
	case *configv1.WafExclusion:
		err = c.putExclusion(s, self, m)
	case *configv1.ApiDescription:
		err = c.putDescription(s, self, m)
	case *configv1.Service:
		c.putService(s, self, m)
	case *configv1.Policy:
		err = c.putPolicy(s, self, m)
	case *configv1.Route:
		err = c.putRoute(s, self, m)
	default:
		err = errors.New("this build compiles no such object")
	}
	if err != nil {
		c.fail(s.Collection, s.ID, "", problem.ViolationInvalidValue, err.Error())
	}
}

// decode reads an object strictly, and holds it against all that the contract says of it by itself. The message comes
// back with its defaults filled in.
func (c *compilation) decode(t *resource.Type, s *Source) (resource.Message, id.ID, bool) {
	m, err := resource.FromStored(t, s.Data)
	if err != nil {
		c.fail(s.Collection, s.ID, "", problem.ViolationUnknownField, err.Error())
		return nil, id.ID{}, false
	}
	self, err := id.Parse(t.Prefix, s.ID)
	if err != nil || m.GetId() != s.ID {
		c.fail(s.Collection, s.ID, "/id", problem.ViolationInvalidFormat, "not the object's id, or of no id's form")
		return nil, id.ID{}, false
	}
	full := resource.Defaulted(m)
	if t.Collection == descriptionsCollection {
		return full, self, true // its check is to compile it, which comes next
	}
	violations := t.Check(full)
	for _, v := range violations {
		c.fail(s.Collection, s.ID, v.Pointer, v.Code, v.Detail)
	}
	return full, self, len(violations) == 0
}

var errTwoSettings = errors.New("an environment has one settings object, and there is another")

func (c *compilation) putSettings(s *Source, m *configv1.EnvironmentSettings) error {
	if c.next.settings != nil && c.next.settings.id != s.ID {
		return errTwoSettings
	}
	settings, err := newSettings(m)
	if err != nil {
		return err
	}
	c.setSettings(&settingsObject{id: s.ID, data: s.Data, settings: settings})
	return nil
}

// setSettings puts settings in force; nil: those of an environment without any. Other target ranges ask for other
// senders.
func (c *compilation) setSettings(o *settingsObject) {
	settings := withoutSettings()
	if o != nil {
		settings = o.settings
	}
	c.next.settings, c.next.Settings = o, settings
	if slices.Equal(settings.AllowedTargets.Prefixes(), c.previous.Settings.AllowedTargets.Prefixes()) {
		return
	}
	c.touchedAll = true
	services := c.services()
	for name, old := range services {
		service := *old.service
		c.connect(&service)
		services[name] = &serviceObject{data: old.data, service: &service}
	}
}

func (c *compilation) putService(s *Source, self id.ID, m *configv1.Service) {
	service := newService(self, m)
	c.connect(service)
	c.services()[s.ID] = &serviceObject{data: s.Data, service: service}
	c.touched[s.ID] = true
}

func (c *compilation) putPolicy(s *Source, self id.ID, m *configv1.Policy) error {
	o, err := c.env.newPolicy(self, m)
	if err != nil {
		return err
	}
	o.data = s.Data
	policies := c.policies()
	c.detach(policies[s.ID])
	policies[s.ID] = o
	c.added = append(c.added, o)
	c.touchPlaces(o)
	return nil
}

func (c *compilation) putRoute(s *Source, self id.ID, m *configv1.Route) error {
	o, err := newRoute(self, m)
	if err != nil {
		return err
	}
	o.data = s.Data
	routes := c.routes()
	old := routes[s.ID]
	if old != nil {
		o.rule.Slot = old.rule.Slot
		c.table.Remove(old.rule)
	} else {
		o.rule.Slot = c.takeSlot()
	}
	if err := c.table.Add(o.rule); err != nil {
		return err
	}
	routes[s.ID] = o
	c.touchedRoutes = append(c.touchedRoutes, s.ID)
	return nil
}

// remove takes an object out. One that isn't there is no error: the head's digest vouches for what is.
func (c *compilation) remove(s *Source) {
	switch s.Collection {
	case settingsCollection:
		if c.next.settings != nil && c.next.settings.id == s.ID {
			c.setSettings(nil)
		}
	case certificatesCollection:
		delete(c.certificates(), s.ID)
	case issuersCollection:
		delete(c.issuers(), s.ID)
	case exclusionsCollection:
		delete(c.exclusions(), s.ID)
	case descriptionsCollection:
		delete(c.descriptions(), s.ID)
	case servicesCollection:
		delete(c.services(), s.ID)
		c.touched[s.ID] = true
		c.goneServices = append(c.goneServices, s.ID)
	case policiesCollection:
		c.detach(c.next.policies[s.ID])
		delete(c.policies(), s.ID)
	case routesCollection:
		if old := c.next.routes[s.ID]; old != nil {
			c.table.Remove(old.rule)
			c.freeSlot(old.rule.Slot)
			delete(c.routes(), s.ID)
			c.goneRoutes = append(c.goneRoutes, s.ID)
			c.relinked = true
		}
	}
}

// detach takes a policy, which may be nil, away from all its places.
func (c *compilation) detach(old *policyObject) {
	if old != nil {
		c.removed = append(c.removed, old)
		c.touchPlaces(old)
	}
}

// services, policies and routes return the next snapshot's own maps.

func (c *compilation) services() map[string]*serviceObject {
	return own(&c.next.services, &c.ownServices)
}

func (c *compilation) policies() map[string]*policyObject {
	return own(&c.next.policies, &c.ownPolicies)
}

func (c *compilation) routes() map[string]*routeObject {
	return own(&c.next.routes, &c.ownRoutes)
}

func own[V any](m *map[string]V, owned *bool) map[string]V {
	if !*owned {
		*m, *owned = orEmpty(maps.Clone(*m)), true
	}
	return *m
}
