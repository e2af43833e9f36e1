package pipeline

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/policy"
)

// maxCombined bounds how many combinations of a route's stages and an overlay one revision keeps. Those beyond are made for
// each request anew, which is slower and the same otherwise.
const maxCombined = 1 << 15

// Overlay is the policies that are attached to a consumer. Consumers with the same ones share it. It keeps what it made of
// the stages of routes whose requests its consumers have made.
type Overlay struct {
	policies []Attached
	combined sync.Map // *Stages of a route → *Stages
	kept     atomic.Int64
}

// NewOverlay returns the overlay of policies, whatever their modes: those that are off take the place of a route's as well.
func NewOverlay(policies []*Policy) *Overlay {
	o := &Overlay{policies: make([]Attached, len(policies))}
	for i, p := range policies {
		o.policies[i] = Attached{Policy: p, Level: policy.Consumer}
	}
	return o
}

// Holds tells whether the overlay is of exactly these policies, in this order.
func (o *Overlay) Holds(policies []*Policy) bool {
	return slices.EqualFunc(o.policies, policies, func(a Attached, p *Policy) bool { return a.Policy == p })
}

// Overlays finds the overlay of a consumer. They are those of one revision. It is safe for concurrent use.
type Overlays struct {
	of   map[id.ID]*Overlay
	kept atomic.Int64 // combinations, of all overlays
}

// NewOverlays returns the overlays of consumers; nil when there are none. The map belongs to them from now on.
func NewOverlays(of map[id.ID]*Overlay) *Overlays {
	if len(of) == 0 {
		return nil
	}
	o := &Overlays{of: of}
	seen := make(map[*Overlay]bool)
	for _, overlay := range of {
		if !seen[overlay] {
			seen[overlay] = true
			o.kept.Add(overlay.kept.Load())
		}
	}
	return o
}

// Of returns a consumer's overlay; nil when nothing is attached to it.
func (o *Overlays) Of(consumer id.ID) *Overlay {
	if o == nil {
		return nil
	}
	return o.of[consumer]
}

// Renewed returns the same overlays without what they made of routes' stages, for a revision that has other ones.
func (o *Overlays) Renewed() *Overlays {
	if o == nil {
		return nil
	}
	fresh := make(map[*Overlay]*Overlay)
	of := make(map[id.ID]*Overlay, len(o.of))
	for consumer, overlay := range o.of {
		if fresh[overlay] == nil {
			fresh[overlay] = &Overlay{policies: overlay.policies}
		}
		of[consumer] = fresh[overlay]
	}
	return &Overlays{of: of}
}

// combine returns a route's stages with an overlay on top, mostly those that it made before.
func (o *Overlays) combine(s *Stages, overlay *Overlay) *Stages {
	if known, ok := overlay.combined.Load(s); ok {
		return known.(*Stages)
	}
	made := s.beneath(overlay)
	if o.kept.Load() >= maxCombined {
		return made
	}
	kept, another := overlay.combined.LoadOrStore(s, made)
	if !another {
		overlay.kept.Add(1)
		o.kept.Add(1)
	}
	return kept.(*Stages)
}

// overlaid returns the stages that go on with an exchange whose Authenticate stages have run: s itself, unless policies are
// attached to whom they found.
func (s *Stages) overlaid(ex *Exchange) *Stages {
	if ex.Rejection != nil || !ex.Identity.Known() {
		return s
	}
	if laid := s.Under(ex.Overlays, ex.Identity.Consumer.ID); laid != s {
		ex.overlaid = laid
		return laid
	}
	return s
}

// Under returns the stages that a consumer's requests pass through: s itself when nothing is attached to the consumer.
func (s *Stages) Under(overlays *Overlays, consumer id.ID) *Stages {
	overlay := overlays.Of(consumer)
	if overlay == nil {
		return s
	}
	return overlays.combine(s, overlay)
}

// beneath returns the stages with an overlay on top. Up to Authenticate they are the same, step by step, so that an exchange
// can go on in them where it is.
func (s *Stages) beneath(o *Overlay) *Stages {
	effective := Effective(slices.Concat(s.all, o.policies))
	return s.runner.Stages(slices.Concat(s.effective[:s.behind], effective[firstBehind(effective):]))
}

// For returns the stages that an exchange passes through, which began in s: those of its caller's overlay, once it is known.
func (s *Stages) For(ex *Exchange) *Stages {
	if ex.overlaid != nil {
		return ex.overlaid
	}
	return s
}

// firstBehind returns where the policies begin that run behind Authenticate.
func firstBehind(effective []Attached) int {
	i := slices.IndexFunc(effective, func(a Attached) bool { return policy.MayOverlay(a.Phase) })
	if i < 0 {
		return len(effective)
	}
	return i
}
