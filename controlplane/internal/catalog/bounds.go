package catalog

import (
	"github.com/sallyport/sallyport/controlplane/internal/access"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource"
)

// Bind holds the candidate to what its author may write: objects of others aren't there, and what an object refers to must be
// within the bounds too, before and after. Without it there are no bounds.
func (c *Candidate) Bind(b access.Bounds) { c.bounds = b }

// Bound tells whether the author may not know of everything.
func (c *Candidate) Bound() bool { return !c.bounds.Whole }

// Sees tells whether the author may know of an object.
func (c *Candidate) Sees(collection, id string) bool { return c.sees(ref{collection, id}) }

// sees tells whether an object is within the bounds, as it is committed. What the batch makes is its author's until it is checked.
func (c *Candidate) sees(r ref) bool {
	if c.bounds.Whole {
		return true
	}
	o, ok := c.base.objects.get(r)
	return !ok || c.bounds.Sees(o.team)
}

// checkBounds refuses an object that would be, or was, in more than its author's hands.
func (c *Candidate) checkBounds(s *staged) {
	if c.bounds.Whole {
		return
	}
	if !resource.HasTeam(s.t.New()) {
		c.refusals.Forbidden(s.origin, "", "no team can have this: it is for those who may write the whole environment")
		return
	}
	if s.before != nil {
		c.checkReach(s, s.before.Message)
	}
	if s.message == nil {
		return
	}
	if team := resource.TeamOf(s.message); !c.bounds.Sees(team) {
		c.refusals.Forbidden(s.origin, "/team", "must be a team of yours; only those who may write the whole environment take an object out of it")
	}
	c.checkReach(s, s.message)
}

// checkReach refuses an object that reaches what isn't within the bounds. References of what the author gave are resolved by now,
// and told of if they lead outside.
func (c *Candidate) checkReach(s *staged, m resource.Message) {
	before := s.before != nil && m == s.before.Message
	if p, ok := m.(*configv1.Policy); ok {
		for i, at := range p.GetAttachedTo() {
			if len(resource.References(at)) == 0 {
				c.refusals.Forbidden(s.origin, problem.Pointer("attached_to", i), "a team attaches policies to what is its own, not to the whole environment")
				return
			}
		}
	}
	if !before {
		return
	}
	for _, r := range s.before.references {
		if _, ok := c.lookUp(r); !ok && !c.goes(r) {
			c.refusals.Forbidden(s.origin, r.Pointer, "this refers to what isn't its team's, and so it is for those who may write the whole environment")
			return
		}
	}
}

// goes tells whether the batch itself deletes what a reference leads to.
func (c *Candidate) goes(r resource.Reference) bool {
	s, ok := c.staged[ref{r.Collection, r.Value}]
	return ok && s.message == nil && c.sees(s.ref)
}

// called is how an object is told of: one that isn't within the bounds has no name.
func (c *Candidate) called(o *Object) string {
	if !c.sees(o.ref()) {
		return "of another team"
	}
	return "\"" + o.Name + "\" (" + o.ID + ")"
}

// shown leaves out of referrers what they are called, where they aren't within the bounds.
func (c *Candidate) shown(referrers []problem.Reference) []problem.Reference {
	for i, r := range referrers {
		for _, t := range resource.Types() {
			if t.Singular == r.Type && !c.sees(ref{t.Collection, r.ID}) {
				referrers[i] = problem.Reference{Type: r.Type, Pointer: r.Pointer}
			}
		}
	}
	return referrers
}

// Referrers lists the configuration's objects that would refer to an object of either lane, as far as the author may know of them.
func (c *Candidate) Referrers(collection, id string) []problem.Reference {
	return c.shown(c.next.Referrers(collection, id))
}
