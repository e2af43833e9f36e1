package publish

import (
	"context"
	"fmt"

	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/controlplane/internal/guardrails"
	"github.com/sallyport/sallyport/proto/problem"
)

// maxGuardrailWarnings is how many warnings of broken guardrails an answer has.
const maxGuardrailWarnings = 100

// checkGuardrails holds what the batch changes against the environment's guardrails, behind its lock. Force passes no guardrail; it only
// lets a guardrail come into force that something breaks already which the batch doesn't touch.
func (w *writing) checkGuardrails(ctx context.Context) {
	warnings := 0
	for _, f := range w.guard.Check(ctx, w.candidate) {
		given := f.Object.Name
		if !w.candidate.Sees(f.Object.Collection, f.Object.ID) { // its author breaks it where they can't look
			given, f.Text = "", fmt.Sprintf("guardrail %q: another team's object would break it", f.Guardrail.GetName())
		}
		forced := f.Untouched && w.batch.Force
		if f.Refuses && !forced {
			w.refuseFinding(f, given)
			continue
		}
		if warnings++; warnings <= maxGuardrailWarnings {
			w.notes = append(w.notes, "Against "+f.Text)
		}
	}
	if more := warnings - maxGuardrailWarnings; more > 0 {
		w.notes = append(w.notes, fmt.Sprintf("%d more warnings of guardrails aren't listed.", more))
	}
}

func (w *writing) refuseFinding(f guardrails.Finding, given string) {
	origin := w.candidate.Origin(f.Cause.Collection, f.Cause.ID)
	pointer := origin.Body
	if _, there := w.candidate.After(f.Cause.Collection, f.Cause.ID); !there {
		pointer = origin.Operation
	}
	v := problem.Violation{Pointer: pointer, Code: string(problem.GuardrailViolated), Detail: "against the " + f.Text, Given: given}
	if f.Cause.Collection == catalog.Guardrails {
		v.Pointer += "/rule"
		v.Detail += "; mend that first, let the guardrail warn, or say force=true to let what is there be"
	}
	w.refusals.Add(catalog.Refusal{Code: problem.GuardrailViolated, Violation: v})
}
