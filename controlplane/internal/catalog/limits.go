package catalog

import (
	"fmt"

	"github.com/sallyport/sallyport/controlplane/internal/limits"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource"
)

// Settings is the collection of the one object that holds for the whole environment.
const Settings = "settings"

const (
	// fewRoutes may always go at once: what somebody cleans up by hand.
	fewRoutes = 10
	// defaultRemoval is the share of an environment's routes, in percent, that one revision may remove unasked.
	defaultRemoval = 25
)

// Used returns how many objects of a collection there are, or the bytes of all of them for limits.ConfigurationBytes.
func (h *Head) Used(name string) uint64 { return h.counts[name] }

// limitOf returns a limit as a head uses it.
func (h *Head) limitOf(name string) (limits.Limit, bool) {
	most, ok := limits.Most(name)
	return limits.Limit{Name: name, Used: h.Used(name), Most: most}, ok
}

// checkLimits refuses what makes the configuration larger than it may be. One that is too large already can still shrink.
func (c *Candidate) checkLimits() {
	for _, name := range c.grown() {
		limit, limited := c.next.limitOf(name)
		if !limited || !limit.Exceeded() {
			continue
		}
		c.refusals.Add(Refusal{Code: problem.LimitReached, Violation: problem.Violation{
			Pointer: c.lastGrowth(name), Code: string(problem.LimitReached),
			Detail: "with this change " + limit.String() + "; delete what isn't needed, or make another environment", Allowed: fmt.Sprintf("at most %d", limit.Most),
		}})
	}
}

// grown returns the limits of which more is used than before.
func (c *Candidate) grown() []string {
	var names []string
	for _, t := range resource.Types() {
		if c.next.Used(t.Collection) > c.base.Used(t.Collection) {
			names = append(names, t.Collection)
		}
	}
	if c.next.Used(limits.ConfigurationBytes) > c.base.Used(limits.ConfigurationBytes) {
		names = append(names, limits.ConfigurationBytes)
	}
	return names
}

// lastGrowth points at the last object that made a limit's use grow.
func (c *Candidate) lastGrowth(name string) string {
	pointer := ""
	for _, s := range c.order {
		if s.message != nil && (name == limits.ConfigurationBytes || s.ref.collection == name && s.before == nil) {
			pointer = s.origin.Body
		}
	}
	return pointer
}

// nearLimits warns of each limit whose half the change reaches.
func (c *Candidate) nearLimits() []string {
	var warnings []string
	for _, name := range c.grown() {
		before, limited := c.base.limitOf(name)
		after, _ := c.next.limitOf(name)
		if limited && after.Alarming() && !before.Alarming() {
			warnings = append(warnings, "With this change "+after.String()+".")
		}
	}
	return warnings
}

// checkRemovals refuses a change that removes more than a share of the routes, unless its author insists: an emptied file, a filter that
// matched nothing, a rollback too far look just like it.
func (c *Candidate) checkRemovals() {
	removed, pointer := c.removedRoutes()
	had := c.base.Used(Routes)
	share := c.base.removalShare()
	if c.forced || removed <= fewRoutes || removed*100 <= had*share {
		return
	}
	c.refusals.Add(Refusal{Code: problem.ForceNeeded, Violation: problem.Violation{
		Pointer: pointer, Code: string(problem.ForceNeeded),
		Detail:  fmt.Sprintf("this removes %d of the environment's %d routes, more than %d percent; say force=true if that is meant", removed, had, share),
		Allowed: fmt.Sprintf("up to %d routes, or %d percent (the settings' removal_percent), without force", fewRoutes, share),
	}})
}

// removedRoutes counts the routes that go, and points at the last of them.
func (c *Candidate) removedRoutes() (n uint64, pointer string) {
	for _, s := range c.order {
		if s.ref.collection == Routes && s.before != nil && s.message == nil {
			n++
			pointer = s.origin.Operation
		}
	}
	return n, pointer
}

// removalShare is the share of routes, in percent, that may go at once.
func (h *Head) removalShare() uint64 {
	if o, ok := h.Object(Settings, Settings); ok {
		if settings, ok := o.Message.(*configv1.EnvironmentSettings); ok && settings.RemovalPercent != nil {
			return uint64(settings.GetRemovalPercent())
		}
	}
	return defaultRemoval
}
