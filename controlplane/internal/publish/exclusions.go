package publish

import (
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource"
)

// longestExclusion is how long an exclusion of the WAF may hold: somebody must look at it again within a year, and a day for who is late.
const longestExclusion = 366 * 24 * time.Hour

// refuseEnd refuses an exclusion of the WAF that is given an end which is over, or too far off. One that it has already stays, so that
// what is over can still be described, and rolled back to.
func (w *writing) refuseEnd(origin catalog.Origin, m resource.Message) {
	exclusion, ok := m.(*configv1.WafExclusion)
	if !ok || exclusion.GetExpiresAt() == nil {
		return
	}
	ends := exclusion.GetExpiresAt().AsTime()
	if before, exists := w.candidate.Find(catalog.Exclusions, m.GetId()); exists && before.Message.(*configv1.WafExclusion).GetExpiresAt().AsTime().Equal(ends) {
		return
	}
	if latest := w.now.Add(longestExclusion); !ends.After(w.now) || ends.After(latest) {
		w.refusals.Invalid(origin, problem.Violation{
			Pointer: "/expires_at", Code: problem.ViolationOutOfRange, Given: ends.Format(time.RFC3339),
			Allowed: "after " + w.now.UTC().Format(time.RFC3339) + ", and before " + latest.UTC().Format(time.RFC3339),
			Detail:  "an exclusion of the WAF ends, within a year",
		})
	}
}
