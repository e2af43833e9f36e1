package effects

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/openapi"
	"github.com/sallyport/sallyport/proto/policy"
)

// compareDescription says which operations of an API description come and go, and that the others are held against other words, on the routes where policies hold
// requests against it. One that comes or goes itself is held against by none.
func (c *comparison) compareDescription(e catalog.Edit) {
	if e.Before == nil || e.After == nil {
		return
	}
	before, after := e.Before.Message.(*configv1.ApiDescription).GetDocument(), e.After.Message.(*configv1.ApiDescription).GetDocument()
	if before == after {
		return
	}
	was, is := operationsOf(before), operationsOf(after)
	came, gone := notAmong(is, was), notAmong(was, is)
	routes := c.heldAgainst(e.After.ID)
	if len(routes) == 0 {
		return
	}
	if len(gone) > 0 {
		s := said{
			of("operations_gone", "operations_came", policy.Danger, e.After),
			fmt.Sprintf("The API description %q no longer has ", e.After.Name) + literal(policy.List(gone, "and", policy.Bare)) + ": such requests are undocumented on %s.",
		}
		c.say(s, routes...)
	}
	if len(came) > 0 {
		s := said{
			of("operations_came", "operations_gone", policy.Info, e.After),
			fmt.Sprintf("The API description %q now has ", e.After.Name) + literal(policy.List(came, "and", policy.Bare)) + " on %s.",
		}
		c.say(s, routes...)
	}
	c.say(said{
		of("description_changed", "", policy.Attention, e.After),
		fmt.Sprintf("Requests are held against another edition of the API description %q on %%s.", e.After.Name),
	}, routes...)
}

// operationsOf are the methods and paths of a document; what isn't one has none.
func operationsOf(document string) []string {
	d, err := openapi.Compile([]byte(document))
	if err != nil {
		return nil
	}
	all := make([]string, 0, len(d.Operations()))
	for _, o := range d.Operations() {
		all = append(all, o.Method+" "+o.Path)
	}
	slices.SortFunc(all, strings.Compare)
	return all
}

// notAmong returns the texts of all that aren't in others, which is sorted.
func notAmong(all, others []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(text string) bool {
		_, is := slices.BinarySearch(others, text)
		return is
	})
}

// heldAgainst are the routes on which an enforced policy refers to an object.
func (c *comparison) heldAgainst(id string) []*catalog.Object {
	var routes []*catalog.Object
	applies := c.takers(id)
	for holder := range c.after.Each(catalog.Policies) {
		if !refersTo(holder, id) {
			continue
		}
		reach := catalog.ReachOf([]catalog.Edit{{Before: holder, After: holder}}, catalog.Policies)
		for route := range reach.Routes(c.after) {
			if applies(route) && !slices.Contains(routes, route) {
				routes = append(routes, route)
			}
		}
	}
	return routes
}
