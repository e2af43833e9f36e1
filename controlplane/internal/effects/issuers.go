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

// compareIssuer says that tokens of an issuer are judged otherwise, on the routes whose policies take them. One that comes or goes is taken
// by none.
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
	for taker := range c.after.Each(catalog.Policies) {
		if !slices.ContainsFunc(taker.References(), func(r resource.Reference) bool { return r.Value == e.After.ID }) {
			continue
		}
		reach := catalog.ReachOf([]catalog.Edit{{Before: taker, After: taker}}, catalog.Policies)
		for route := range reach.Routes(c.after) {
			c.say(s, route)
		}
	}
}
