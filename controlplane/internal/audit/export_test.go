package audit

import (
	"context"
	"time"
)

// Look is one look at the chains.
func (h *Heads) Look(ctx context.Context) error { return h.look(ctx) }

// At makes the heads take this for the time.
func (h *Heads) At(now func() time.Time) { h.now = now }

// Doubt is how long something must speak against a chain.
const Doubt = doubt

// Alarms returns what was found wrong with an environment's record, and whether nothing is signed for it.
func (h *Heads) Alarms(environment string) (messages []string, silent bool) {
	alarms, silent := h.alarmsOf(environment)
	for _, a := range alarms {
		messages = append(messages, a.GetMessage())
	}
	return messages, silent
}

// DeniedQueue is how many denials can wait.
const DeniedQueue = deniedQueue
