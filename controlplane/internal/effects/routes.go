package effects

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/policy"
	"github.com/sallyport/sallyport/proto/resource"
)

// compareRoute says what changes of one route by itself. What other routes lose to it is compareMatches's, its policies are
// comparePolicies's.
func (c *comparison) compareRoute(e catalog.Edit) {
	switch {
	case e.Before == nil:
		c.sayPatterns(said{Effect{Code: "route_added", Opposite: "route_removed"}, "Requests to %s are answered:"}, c.after, e.After)
	case e.After == nil:
		c.sayPatterns(said{
			Effect{Code: "route_removed", Opposite: "route_added", Severity: policy.Danger}, "Requests to %s are no longer answered by it:",
		}, c.before, e.Before)
	default:
		c.compareAnswered(e)
		c.compareForwarded(e)
	}
}

// sayPatterns says that a route comes or goes, with all that it matches.
func (c *comparison) sayPatterns(s said, in *catalog.Head, route *catalog.Object) {
	public := ""
	if !in.Protected(route) {
		public = ", public"
	}
	c.say(s, route).list(route, fmt.Sprintf(" (%q%s)", route.Name, public), patternsOf(route.Message.(*configv1.Route)))
}

// compareAnswered says which requests a route answers that it didn't, and which no longer.
func (c *comparison) compareAnswered(e catalog.Edit) {
	before, after := patternsOf(e.Before.Message.(*configv1.Route)), patternsOf(e.After.Message.(*configv1.Route))
	if lost := before.uncovered(after); len(lost) > 0 {
		c.sayAnswered("requests_unanswered", "requests_answered", policy.Danger, "no longer answers", e.After, lost)
	}
	if gained := after.uncovered(before); len(gained) > 0 {
		c.sayAnswered("requests_answered", "requests_unanswered", policy.Info, "also answers", e.After, gained)
	}
}

func (c *comparison) sayAnswered(code, opposite string, severity policy.Severity, verb string, route *catalog.Object, parts []patterns) {
	c.say(said{of(code, opposite, severity, route), fmt.Sprintf("The route %q %s:", route.Name, verb)}, route).list(route, "", parts...)
}

// list says patterns of a route, as many as a sentence holds, and counts the others.
func (d *draft) list(route *catalog.Object, behind string, parts ...patterns) {
	listed := 0
	for _, part := range parts {
		d.patterns += part.count()
		for p := range part.all {
			if listed == maxDetails {
				break
			}
			listed++
			d.details = append(d.details, detail{route.Name, p.String() + behind})
		}
	}
}

// Fields of a route that compareAnswered, comparePolicies and compareForwarded look at, or that callers don't notice: public alone
// protects nothing.
var routeFields = []string{"/id", "/name", "/labels", "/team", "/description", "/service", "/hosts", "/paths", "/methods", "/headers", "/query", "/public", "/strip_prefix", "/rewrite_path"}

// compareForwarded says that a service sees other paths, or that it is another.
func (c *comparison) compareForwarded(e catalog.Edit) {
	before, after := e.Before.Message.(*configv1.Route), e.After.Message.(*configv1.Route)
	if before.GetService() != after.GetService() {
		c.say(said{
			Effect{Code: "service_changed", Severity: policy.Attention},
			fmt.Sprintf("Requests to %%s go to the service %s instead of %s.", nameOf(c.after, after.GetService()), nameOf(c.before, before.GetService())),
		}, e.After)
	}
	if before.GetStripPrefix() != after.GetStripPrefix() || before.GetRewritePath() != after.GetRewritePath() {
		c.say(said{
			Effect{Code: "forwarding_changed", Severity: policy.Attention},
			fmt.Sprintf("Requests to %%s reach the service with %s, instead of %s.", literal(forwarded(after)), literal(forwarded(before))),
		}, e.After)
	}
	if rest := beside(routeFields, resource.Differences(before, after)); len(rest) > 0 {
		c.say(said{Effect{Code: "route_changed", Severity: policy.Attention, Fields: rest}, "Something else changes for %s: " + literal(strings.Join(rest, ", ")) + "."}, e.After)
	}
}

// nameOf returns a service's name, in quotes.
func nameOf(h *catalog.Head, service string) string {
	if o, ok := h.Object(catalog.Services, service); ok {
		service = o.Name
	}
	return fmt.Sprintf("%q", service)
}

func forwarded(r *configv1.Route) string {
	switch {
	case r.GetRewritePath() != "":
		return fmt.Sprintf("the path %q", r.GetRewritePath())
	case r.GetStripPrefix():
		return "their path without the prefix"
	default:
		return "their own path"
	}
}

// beside returns those pointers that aren't at or below one of the known ones.
func beside(known, pointers []string) []string {
	return slices.DeleteFunc(pointers, func(p string) bool {
		return slices.ContainsFunc(known, func(k string) bool { return p == k || strings.HasPrefix(p, k+"/") })
	})
}
