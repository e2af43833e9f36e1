package publish

import (
	"context"
	"slices"
	"strconv"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/audit"
	"github.com/sallyport/sallyport/controlplane/internal/directory"
)

// Operations of the record that no face asks for.
const (
	operationApply       = "applyChanges"
	operationRecall      = "takeBackDenials"
	operationPepper      = "rotatePepper"
	operationTickets     = "rotateTicketKeys"
	operationSettle      = "settleFleet"
	operationReportKeys  = "reportIssuerKeys"
	operationTrustKeys   = "trustIssuerKeys"
	operationLoseRootKey = "loseRoot"
)

// recorded returns a context with the draft of an event in the environment's chain: that of the operation under way, or one of
// the author's own.
func recorded(ctx context.Context, environment string, author access.Actor, operation string) context.Context {
	actor := audit.Actor{ID: author.ID, Name: author.Name, Role: author.Role}
	if actor.ID == "" {
		actor = audit.System
	}
	ctx = audit.Ensure(ctx, actor, operation)
	audit.DraftOf(ctx).In(environment)
	return ctx
}

// record begins, or goes on with, the event of a batch.
func (b Batch) record(ctx context.Context) context.Context {
	operation := operationApply
	if b.Recall {
		operation = operationRecall
	}
	ctx = recorded(ctx, b.Environment, b.Author, operation)
	audit.DraftOf(ctx).Because(b.Message)
	return ctx
}

// note tells the event what the attempt makes, beside what was noted before it began. What an attempt before it noted is forgotten.
func (w *writing) note(ctx context.Context) {
	changes := slices.Clone(w.batch.noted)
	if w.overridden {
		changes = append(changes, audit.Change{Action: "override-four-eyes", Collection: "environments", ID: w.batch.Environment, Name: w.environment.Name})
	}
	for _, c := range w.result.Changes {
		changes = append(changes, audit.Change{Action: c.Action, Collection: c.Collection, ID: c.ID, Name: c.Name, Fields: c.Fields, Before: c.Before, After: c.After})
	}
	changes = append(changes, w.keys...)
	d := audit.DraftOf(ctx)
	d.Replace(changes)
	d.Made(w.result.Revision, w.result.Sequence)
}

// noteEntries tells the event what a change of the directory makes that is no change of an object of the API.
func noteEntries(ctx context.Context, step *directory.Step, change audit.Change) {
	d := audit.DraftOf(ctx)
	d.Replace([]audit.Change{change})
	d.Made(0, step.Head.Sequence)
}

func pepperChange(action string, version uint32) audit.Change {
	return audit.Change{Action: action, Collection: "peppers", ID: strconv.FormatUint(uint64(version), 10)}
}
