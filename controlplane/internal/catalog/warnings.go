package catalog

import (
	"fmt"

	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/resource"
)

// Warnings returns what the author of the changes may not have meant. Only once Check found nothing.
func (c *Candidate) Warnings() []string {
	warnings := c.nearLimits()
	if removed, _ := c.removedRoutes(); c.forced && removed > fewRoutes {
		warnings = append(warnings, fmt.Sprintf("This removes %d of the environment's %d routes.", removed, c.base.Used(Routes)))
	}
	for _, e := range c.result {
		if e.After == nil {
			continue
		}
		switch m := e.After.Message.(type) {
		case *configv1.Policy:
			warnings = append(warnings, policyWarnings(m)...)
		case *configv1.Service:
			warnings = append(warnings, serviceWarnings(m)...)
		case *configv1.Certificate:
			warnings = append(warnings, certificateWarnings(m, c.now)...)
		case *configv1.Route:
			if m.GetPublic() && c.next.protected(e.After) {
				warnings = append(warnings, fmt.Sprintf("The route %q is marked public, but a policy authenticates its callers all the same.", m.GetName()))
			}
		}
	}
	return warnings
}

func policyWarnings(p *configv1.Policy) []string {
	if len(p.GetAttachedTo()) == 0 {
		return []string{fmt.Sprintf("The policy %q is attached to nothing, so it is enforced nowhere.", p.GetName())}
	}
	return nil
}

func serviceWarnings(s *configv1.Service) []string {
	for _, t := range resource.Defaulted(s).GetUpstream().GetTargets() {
		if t.GetWeight() > 0 {
			return nil
		}
	}
	return []string{fmt.Sprintf("The service %q has no target in rotation: all weights are 0.", s.GetName())}
}
