package ratelimit

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/policy"
)

// effects says for whom a limit comes, goes, becomes tighter or looser.
func effects(before, after *policyv1.RateLimit) []policy.Effect {
	e := policy.Effect{Severity: policy.Attention}
	switch {
	case before == nil && after == nil:
		return nil
	case before == nil:
		e.Code, e.Opposite, e.Text = "limit_added", "limit_removed", "a limit holds: "+text(after)
	case after == nil:
		e.Code, e.Opposite, e.Text = "limit_removed", "limit_added", "a limit no longer holds: "+text(before)
	default:
		return changed(before, after)
	}
	return []policy.Effect{e}
}

func changed(before, after *policyv1.RateLimit) []policy.Effect {
	e := policy.Effect{Code: "limit_changed", Severity: policy.Attention, Text: fmt.Sprintf("the limit is %s, instead of %s", text(after), text(before))}
	if !sameCallers(before, after) {
		return []policy.Effect{e}
	}
	switch tighter, looser := compare(before.GetWindows(), after.GetWindows()), compare(after.GetWindows(), before.GetWindows()); {
	case tighter && looser:
	case tighter:
		e.Code, e.Opposite = "limit_tightened", "limit_loosened"
	case looser:
		e.Code, e.Opposite, e.Severity = "limit_loosened", "limit_tightened", policy.Info
	default:
		return nil
	}
	return []policy.Effect{e}
}

// sameCallers tells whether both count the same callers together, in the same place.
func sameCallers(a, b *policyv1.RateLimit) bool {
	return a.GetScope() == b.GetScope() && proto.Equal(&policyv1.RateLimit{By: a.GetBy()}, &policyv1.RateLimit{By: b.GetBy()})
}

// compare tells whether some window of b lets less pass than a does in a window of that length.
func compare(a, b []*policyv1.Window) bool {
	had := make(map[time.Duration]*policyv1.Window, len(a))
	for _, w := range a {
		had[w.GetWindow().AsDuration()] = w
	}
	for _, w := range b {
		was, ok := had[w.GetWindow().AsDuration()]
		if !ok || w.GetRequests() < was.GetRequests() || burst(w) < burst(was) {
			return true
		}
	}
	return false
}

func burst(w *policyv1.Window) uint32 {
	if w.Burst == nil {
		return w.GetRequests()
	}
	return w.GetBurst()
}

// text says a limit in words: "10 in 1s, 200 in 1m for each address".
func text(c *policyv1.RateLimit) string {
	windows := make([]string, 0, len(c.GetWindows()))
	for _, w := range c.GetWindows() {
		one := fmt.Sprintf("%d in %s", w.GetRequests(), w.GetWindow().AsDuration())
		if w.Burst != nil {
			one += fmt.Sprintf(" (at once %d)", w.GetBurst())
		}
		windows = append(windows, one)
	}
	callers := make([]string, 0, len(c.GetBy()))
	for _, by := range c.GetBy() {
		member, header := propertyOf(by)
		if member == "header" {
			member = "value of " + header
		}
		callers = append(callers, member)
	}
	where := ""
	if c.GetScope() == policyv1.Scope_SCOPE_FLEET {
		where = ", over all nodes"
	}
	return strings.Join(windows, ", ") + " for each " + strings.Join(callers, " and ") + where
}
