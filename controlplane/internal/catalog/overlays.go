package catalog

import (
	"slices"

	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/policy"
)

// consumers is the directory's collection that policies can be attached to.
const consumers = "consumers"

// EffectiveFor returns the policies that a node runs on a route of this head for the requests of one consumer. Up to Authenticate they are
// the route's, since nobody knows before whose requests they are.
func (h *Head) EffectiveFor(route *Object, consumer string) []Applied {
	plain := h.Effective(route)
	own, _ := h.policies.get(ref{consumers, consumer})
	if len(own) == 0 {
		return plain
	}
	all := h.attachedTo(route)
	for _, o := range own {
		all = append(all, Applied{Policy: o.Policy(), Object: o, Level: policy.Consumer})
	}
	laid := policy.Once(policy.Running(all), func(a, b Applied) bool { return a.Object == b.Object })
	before := slices.DeleteFunc(plain, func(a Applied) bool { return policy.MayOverlay(a.Phase) })
	behind := slices.DeleteFunc(laid, func(a Applied) bool { return !policy.MayOverlay(a.Phase) })
	return append(before, behind...)
}

// Overlaid returns the ids of the consumers that policies are attached to, in their order.
func (h *Head) Overlaid() []string {
	var all []string
	for _, o := range h.Objects(Policies) {
		p, ok := o.Message.(*configv1.Policy)
		if !ok {
			continue
		}
		for _, place := range placesOf(p) {
			if place.collection == consumers {
				all = append(all, place.id)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
