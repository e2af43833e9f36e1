package catalog

import (
	"bytes"
	"fmt"
	"slices"

	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource"
)

// Check validates the whole as the operations left it, and returns everything that is wrong. When nothing
// is, the candidate's head, edits and objects are ready.
//
// It costs what the changed objects cost, whatever the size of the configuration; only a change of who
// authenticates on a service or the environment looks at every route.
func (c *Candidate) Check() (Refusals, error) {
	c.next = c.base.edit()
	c.release()
	for _, s := range c.order {
		if err := c.settle(s); err != nil {
			return Refusals{}, err
		}
	}
	c.checkDeletes()
	c.checkLimits()
	c.checkRemovals()
	c.checkMatches()
	c.checkCertificates()
	c.checkProtection()
	c.next.settle()
	return c.refusals, nil
}

// release takes every touched object out first, so that names can change hands.
func (c *Candidate) release() {
	for _, s := range c.order {
		c.next.remove(s.ref)
	}
}

// settle checks one object by itself, and puts it in.
func (c *Candidate) settle(s *staged) error {
	if c.forbidsFields(s) {
		s.broken = true // nothing else is said of it: who may not write it has nothing tried by it either
		return nil
	}
	if s.message == nil {
		c.checkBounds(s)
		if s.before != nil {
			c.result = append(c.result, Edit{Before: s.before})
		}
		return nil
	}
	refused := len(c.refusals.list)
	c.refusals.Invalid(s.origin, s.t.Validate(s.message)...)
	c.refusals.Invalid(s.origin, immutable(s)...)
	c.resolve(s)
	c.checkBounds(s)
	if s.broken = s.broken || len(c.refusals.list) > refused; s.broken {
		return nil
	}
	stored, err := resource.Stored(s.message)
	if err != nil {
		return fmt.Errorf("%s %s: %w", s.t.Singular, s.ref.id, err)
	}
	if len(stored) > MaxObject {
		c.refusals.Add(Refusal{Code: problem.TooLarge, Violation: problem.Violation{
			Pointer: s.origin.Body, Code: problem.ViolationTooLong,
			Detail: fmt.Sprintf("the %s takes %d bytes as stored", s.t.Singular, len(stored)), Allowed: fmt.Sprintf("at most %d bytes", MaxObject),
		}})
		s.broken = true
		return nil
	}
	return c.place(s, stored)
}

// immutable refuses changes of what an object is.
func immutable(s *staged) []problem.Violation {
	after, ok := s.message.(*configv1.Policy)
	if !ok || s.before == nil {
		return nil
	}
	before := s.before.Message.(*configv1.Policy)
	if before.GetKind() == after.GetKind() {
		return nil
	}
	return []problem.Violation{{
		Pointer: "/kind", Code: problem.ViolationImmutable, Given: after.GetKind(), Allowed: before.GetKind(),
		Detail: "a policy's kind can't be changed; make a new policy and delete this one",
	}}
}

// place makes the object, unless it is what it was, and puts it into the head.
func (c *Candidate) place(s *staged, stored []byte) error {
	if s.before != nil && bytes.Equal(s.before.Stored, stored) {
		s.after = s.before
	} else {
		o, err := newObject(s.t, s.message, stored)
		if err != nil {
			return err
		}
		o.CreatedAt, o.UpdatedAt = c.now, c.now
		if s.before != nil {
			o.CreatedAt = s.before.CreatedAt
		}
		s.after = o
		c.result = append(c.result, Edit{Before: s.before, After: o})
	}
	if _, taken := c.next.names.get(s.after.named()); taken {
		c.refusals.NameTaken(s.origin, s.t.Singular, s.after.Name)
		s.broken = true
		return nil
	}
	c.next.put(s.after)
	return nil
}

// resolve turns the names in an object's references into ids, of either lane.
func (c *Candidate) resolve(s *staged) {
	resource.Rewrite(s.message, func(r resource.Reference) string {
		if r.Value == "" {
			return r.Value // absent: for the field rules
		}
		found, ok := c.lookUp(r)
		if ok {
			return found
		}
		if c.lost[name{r.Collection, r.Value}] {
			s.broken = true
			return r.Value
		}
		c.refusals.Invalid(s.origin, problem.Violation{
			Pointer: r.Pointer, Code: problem.ViolationUnknownReference,
			Detail: fmt.Sprintf("there is no object %q among the environment's %s", r.Value, r.Collection), Given: r.Value,
			Allowed: "the id or name of one of the " + r.Collection,
		})
		return r.Value
	})
}

func (c *Candidate) lookUp(r resource.Reference) (string, bool) {
	if c.elsewhere.Has(r.Collection) {
		found, ok := c.elsewhere.Resolve(r.Collection, r.Value)
		return found, ok && (r.Collection != resource.Teams || c.bounds.Whole || c.bounds.Sees(found))
	}
	found, ok := c.Find(r.Collection, r.Value)
	return found.ID, ok
}

// checkDeletes refuses deletes of what others still refer to.
func (c *Candidate) checkDeletes() {
	for _, s := range c.order {
		if s.message != nil || s.before == nil {
			continue
		}
		if referrers := c.next.referrersOf(s.ref); len(referrers) > 0 {
			c.refusals.Referenced(s.origin, s.t.Singular, s.before.Name, c.shown(referrers))
		}
	}
}

// checkMatches refuses routes that could tie with another, as many as an answer can list: n routes that all
// match the same tie n² times.
func (c *Candidate) checkMatches() {
	changed := c.changedRoutes()
	later := make(map[string]bool, len(changed)) // a tie of two changed routes is said once, of the later one
	for _, s := range changed {
		later[s.ref.id] = true
	}
	for _, s := range changed {
		delete(later, s.ref.id)
		for _, m := range s.after.matches {
			for other, theirs := range c.ties(s.after, m) {
				if later[other.ID] {
					continue
				}
				c.refuseTie(s, m, other, theirs)
				if c.refusals.full() {
					return
				}
			}
		}
	}
}

// changedRoutes returns the routes that aren't what they were, save those refused by themselves.
func (c *Candidate) changedRoutes() []*staged {
	var changed []*staged
	for _, s := range c.order {
		if s.ref.collection == Routes && s.message != nil && !s.broken && s.after != s.before {
			changed = append(changed, s)
		}
	}
	return changed
}

// ties yields the first match of each other route that could tie with a match of this one.
func (c *Candidate) ties(route *Object, m match) func(yield func(*Object, match) bool) {
	return func(yield func(*Object, match) bool) {
		others, _ := c.next.matches.get(m.rank)
		for _, other := range others {
			if other.ID == route.ID {
				continue
			}
			i := slices.IndexFunc(other.matches, func(theirs match) bool { return theirs.rank == m.rank && m.ties(theirs) })
			if i >= 0 && !yield(other, other.matches[i]) {
				return
			}
		}
	}
}

func (c *Candidate) refuseTie(s *staged, m match, other *Object, theirs match) {
	host := m.rank.host
	if host == "" {
		host = "any host"
	}
	c.refusals.Invalid(s.origin, problem.Violation{
		Pointer: problem.Pointer("paths", m.path), Code: problem.ViolationDuplicateMatch,
		Detail: fmt.Sprintf("the route %s matches the same requests with the same precedence, on %s by its path %d; give one of them another host, path, method or condition",
			c.called(other), host, theirs.path),
		Given: m.rank.path,
	})
}

// checkProtection refuses routes that would be neither public nor authenticate.
func (c *Candidate) checkProtection() {
	places := make(map[ref]*staged) // where who authenticates changed, and by which operation
	for _, s := range c.order {
		if s.ref.collection != Policies {
			continue
		}
		if s.broken {
			return // what it would have protected can't be told
		}
		if s.after != s.before {
			guardPlaces(places, s)
		}
	}
	seen := make(map[string]bool)
	for _, s := range c.changedRoutes() {
		seen[s.ref.id] = true
		c.checkRoute(s.after, s)
	}
	if len(places) == 0 {
		return
	}
	for _, route := range c.next.Objects(Routes) {
		if cause := causeOf(places, route); cause != nil && !seen[route.ID] {
			c.checkRoute(route, cause)
		}
	}
}

func guardPlaces(places map[ref]*staged, s *staged) {
	for _, o := range []*Object{s.before, s.after} {
		if o == nil {
			continue
		}
		for _, g := range o.guards {
			places[g.place] = s
		}
	}
}

// causeOf returns the operation that changed who authenticates on a route.
func causeOf(places map[ref]*staged, route *Object) *staged {
	for _, place := range []ref{route.ref(), {Services, route.service}, environment} {
		if s, ok := places[place]; ok {
			return s
		}
	}
	return nil
}

func (c *Candidate) checkRoute(route *Object, cause *staged) {
	if route.public || c.next.protected(route) {
		return
	}
	v := problem.Violation{
		Pointer: cause.origin.Body + "/public", Code: problem.ViolationUnprotected,
		Detail: fmt.Sprintf("the route %s would have no enforced policy that authenticates; attach one to it, its service or the environment, or set public to true", c.called(route)),
	}
	if cause.ref != route.ref() {
		v.Pointer = cause.origin.Operation
		if cause.message != nil {
			v.Pointer = cause.origin.Body
		}
	}
	c.refusals.Add(Refusal{Code: problem.InvalidRequest, Violation: v})
}
