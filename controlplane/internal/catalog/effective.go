package catalog

import (
	"sync"

	"google.golang.org/protobuf/proto"

	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/policy"
	"github.com/sallyport/sallyport/proto/policy/kinds"
	"github.com/sallyport/sallyport/proto/resource"
)

// Policy is what a policy object means, its defaults filled in. It is immutable.
type Policy struct {
	Kind     policy.Kind
	Config   proto.Message
	Phase    policy.Phase
	Mode     configv1.Mode
	Final    bool
	Position int32
}

// Applied is a policy that a node runs on a route.
type Applied struct {
	*Policy
	Object *Object
	Level  policy.Level
}

// Enforced tells whether the policy's verdict holds.
func (a Applied) Enforced() bool { return a.Mode == configv1.Mode_MODE_ENFORCE }

// Policy returns what a policy object means; nil for any other object. It is read out when it is first asked for.
func (o *Object) Policy() *Policy {
	if o.policy == nil {
		return nil
	}
	return o.policy()
}

// meaningOf returns what reads a policy's meaning, once.
func meaningOf(p *configv1.Policy) func() *Policy {
	return sync.OnceValue(func() *Policy {
		kind, config, err := kinds.Unpack(p.GetConfig())
		if err != nil {
			return new(Policy) // never: an object whose configuration can't be read isn't made
		}
		full, config := resource.Defaulted(p), resource.Defaulted(config)
		return &Policy{
			Kind: kind, Config: config, Phase: kind.Phase(config), Mode: full.GetMode(), Final: full.GetFinal(), Position: full.GetPosition(),
		}
	})
}

// placesOf returns what a policy is attached to. A level that routes have no part in (consumers) is a place of its own.
func placesOf(p *configv1.Policy) []ref {
	places := make([]ref, 0, len(p.GetAttachedTo()))
	for _, at := range p.GetAttachedTo() {
		place := environment
		for _, r := range resource.References(at) {
			place = ref{r.Collection, r.Value}
		}
		places = append(places, place)
	}
	return places
}

// Effective returns the policies that a node runs on a route of this head, in the order in which they run.
func (h *Head) Effective(route *Object) []Applied {
	return policy.Once(policy.Running(h.attachedTo(route)), func(a, b Applied) bool { return a.Object == b.Object })
}

// attachedTo returns what is attached to a route on every level that it has by itself: consumers have policies of their own.
func (h *Head) attachedTo(route *Object) []Applied {
	var all []Applied
	for level, place := range [...]ref{policy.Environment: environment, policy.Service: {Services, route.service}, policy.Route: route.ref()} {
		attached, _ := h.policies.get(place)
		for _, o := range attached {
			all = append(all, Applied{Policy: o.Policy(), Object: o, Level: policy.Level(level)})
		}
	}
	return all
}

// Place implements policy.Placed.
func (a Applied) Place() policy.Place {
	return policy.Place{Kind: a.Kind, Phase: a.Phase, Level: a.Level, Position: a.Position, Name: a.Object.Name, Off: a.Off(), Final: a.Final}
}

// Protected tells whether a route authenticates whoever calls it.
func (h *Head) Protected(route *Object) bool { return h.protected(route) }

// Service returns the id of the service that a route belongs to; "" for what is no route.
func (o *Object) Service() string { return o.service }

// Off tells whether the policy runs nowhere.
func (a Applied) Off() bool { return a.Mode == configv1.Mode_MODE_OFF }

// HasPolicies tells whether a policy is attached to a route itself.
func (h *Head) HasPolicies(route *Object) bool {
	attached, _ := h.policies.get(route.ref())
	return len(attached) > 0
}
