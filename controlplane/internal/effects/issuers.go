package effects

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/proto/policy"
	"github.com/sallyport/sallyport/proto/resource"
)

// Fields of an issuer that no caller notices.
var issuerFields = []string{"/id", "/name", "/labels", "/description", "/refresh_interval"}

// compareIssuer says that tokens of an issuer are judged otherwise, on the routes where policies in force take them. One that comes or
// goes is taken by none.
func (c *comparison) compareIssuer(e catalog.Edit) {
	if e.Before == nil || e.After == nil {
		return
	}
	rest := beside(issuerFields, resource.Differences(resource.Defaulted(e.Before.Message), resource.Defaulted(e.After.Message)))
	if len(rest) == 0 {
		return
	}
	effect := of("issuer_changed", "", policy.Attention, e.After)
	effect.Fields = rest
	s := said{effect, fmt.Sprintf("Tokens of the issuer %q are judged otherwise on %%s: ", e.After.Name) + literal(strings.Join(rest, ", ")) + "."}
	takes := c.takers(e.After.ID)
	for taker := range c.after.Each(catalog.Policies) {
		if !refersTo(taker, e.After.ID) {
			continue
		}
		reach := catalog.ReachOf([]catalog.Edit{{Before: taker, After: taker}}, catalog.Policies)
		for route := range reach.Routes(c.after) {
			if takes(route) {
				c.say(s, route)
			}
		}
	}
}

func refersTo(o *catalog.Object, id string) bool {
	return slices.ContainsFunc(o.References(), func(r resource.Reference) bool { return r.Value == id })
}

// takers returns what tells whether a policy that is in force on a route takes tokens of an issuer: one that is off, in shadow, or has another
// in its place there, lets nobody in. Routes of one service without policies of their own are looked at once.
func (c *comparison) takers(issuer string) func(route *catalog.Object) bool {
	known := make(map[string]bool)
	return func(route *catalog.Object) bool {
		alone := c.after.HasPolicies(route)
		if takes, found := known[route.Service()]; found && !alone {
			return takes
		}
		takes := slices.ContainsFunc(c.after.Effective(route), func(a catalog.Applied) bool { return a.Enforced() && refersTo(a.Object, issuer) })
		if !alone {
			known[route.Service()] = takes
		}
		return takes
	}
}
