package snapshot

import (
	"bytes"
	"slices"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/proto/id"
)

// overlay gives consumers the policies that are attached to them. Overlays stay as they are, with what they made of routes'
// stages, unless their own policies or any route's stages changed.
func (c *compilation) overlay() {
	if c.relinked {
		c.next.overlays = c.previous.overlays.Renewed()
	}
	if !c.touchedOverlays {
		return
	}
	of := make(map[id.ID]*pipeline.Overlay, len(c.next.attached.consumers))
	made := make(map[string]*pipeline.Overlay) // by their policies
	for text, attached := range c.next.attached.consumers {
		consumer, err := id.Parse(id.Consumer, text)
		if err != nil {
			continue // placesOf has refused it
		}
		of[consumer] = overlayOf(attached, c.next.overlays.Of(consumer), made)
	}
	c.next.overlays = pipeline.NewOverlays(of)
}

// overlayOf returns the overlay of policies: the one that the consumer had, one that another has, or a new one.
func overlayOf(attached []*policyObject, before *pipeline.Overlay, made map[string]*pipeline.Overlay) *pipeline.Overlay {
	policies := make([]*pipeline.Policy, len(attached))
	for i, p := range attached {
		policies[i] = p.policy
	}
	slices.SortFunc(policies, func(a, b *pipeline.Policy) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	key := make([]byte, 0, len(id.ID{})*len(policies))
	for _, p := range policies {
		key = append(key, p.ID[:]...)
	}
	if known := made[string(key)]; known != nil {
		return known
	}
	o := before
	if o == nil || !o.Holds(policies) {
		o = pipeline.NewOverlay(policies)
	}
	made[string(key)] = o
	return o
}
