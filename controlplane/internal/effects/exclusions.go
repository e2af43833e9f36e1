package effects

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/policy"
	"github.com/sallyport/sallyport/proto/resource"
)

// compareExclusion says what rules of the WAF no longer look at on a route, or look at again.
func (c *comparison) compareExclusion(e catalog.Edit) {
	before, after := exclusionOf(e.Before), exclusionOf(e.After)
	switch {
	case enforced(before) && enforced(after) && sameExclusion(before, after):
		c.compareEnds(e, before, after)
		return
	case enforced(before):
		s := said{of("exclusion_closed", "exclusion_opened", policy.Attention, e.Object()), subject(before) + " " + looks(before) + " at " + literal(before.GetTarget()) + " again on %s."}
		c.sayOn(c.before, before, s)
	}
	until := untilOf(after)
	switch {
	case enforced(after):
		severity := policy.Attention
		if broad(after) {
			severity = policy.Danger
		}
		s := said{of("exclusion_opened", "exclusion_closed", severity, e.Object()), subject(after) + " no longer " + looks(after) + " at " + literal(after.GetTarget()) + " on %s, until " + until + "."}
		c.sayOn(c.after, after, s)
	case after != nil && (before == nil || enforced(before) || !sameExclusion(before, after)):
		s := said{
			of("exclusion_shadowed", "", policy.Info, e.Object()),
			subject(after) + " would no longer look at " + literal(after.GetTarget()) + " on %s: until " + until + " what would pass is noted, and nothing does.",
		}
		c.sayOn(c.after, after, s)
	}
}

// compareEnds says that one which is enforced holds for longer, or less long.
func (c *comparison) compareEnds(e catalog.Edit, before, after *configv1.WafExclusion) {
	code, opposite, severity, words := "exclusion_prolonged", "exclusion_shortened", policy.Attention, "holds for longer on %s: until "
	switch b, a := before.GetExpiresAt().AsTime(), after.GetExpiresAt().AsTime(); {
	case a.Equal(b):
		return
	case a.Before(b):
		code, opposite, severity, words = opposite, code, policy.Info, "holds less long on %s: until "
	}
	s := said{
		of(code, opposite, severity, e.Object()),
		literal(fmt.Sprintf("The exclusion %q (%s) ", e.After.Name, after.GetTarget())) + words + untilOf(after) + ".",
	}
	c.sayOn(c.after, after, s)
}

// sayOn says something of an exclusion's route, as it is in a head.
func (c *comparison) sayOn(head *catalog.Head, m *configv1.WafExclusion, s said) {
	if route, ok := head.Object(catalog.Routes, m.GetRoute()); ok {
		c.say(s, route)
	}
}

func exclusionOf(o *catalog.Object) *configv1.WafExclusion {
	if o == nil {
		return nil
	}
	return resource.Defaulted(o.Message).(*configv1.WafExclusion)
}

func enforced(m *configv1.WafExclusion) bool {
	return m.GetMode() == configv1.WafExclusionMode_WAF_EXCLUSION_MODE_ENFORCE
}

// sameExclusion tells whether two keep the same rules from the same, whatever they are called and whenever they end.
func sameExclusion(a, b *configv1.WafExclusion) bool {
	what := func(m *configv1.WafExclusion) *configv1.WafExclusion {
		return &configv1.WafExclusion{Route: m.GetRoute(), Of: m.GetOf(), Target: m.GetTarget()}
	}
	return proto.Equal(what(a), what(b))
}

// broad tells whether an exclusion is more than one rule at one named place.
func broad(m *configv1.WafExclusion) bool {
	return m.GetTag() != "" || !strings.Contains(m.GetTarget(), ":") || strings.Contains(m.GetTarget(), "*")
}

// subject names the rules at the beginning of a sentence.
func subject(m *configv1.WafExclusion) string {
	if tag := m.GetTag(); tag != "" {
		return literal(fmt.Sprintf("The rules with the tag %q", tag))
	}
	return fmt.Sprintf("The rule %d", m.GetRule())
}

func looks(m *configv1.WafExclusion) string {
	if m.GetTag() != "" {
		return "look"
	}
	return "looks"
}

func untilOf(m *configv1.WafExclusion) string {
	return m.GetExpiresAt().AsTime().UTC().Format("2006-01-02 15:04 MST")
}
