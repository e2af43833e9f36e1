package publish

import (
	"context"
	"fmt"

	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/controlplane/internal/limits"
	"github.com/sallyport/sallyport/proto/problem"
)

// countRows counts what the batch makes and deletes in the directory, refuses what makes a collection larger than it may be, and keeps
// the warnings of those of which half is reached.
func (w *writing) countRows(ctx context.Context) error {
	for _, t := range directory.Types() {
		grown, pointer := w.rows.grown(t)
		if grown == 0 {
			continue
		}
		now, err := w.tx.CountObjects(ctx, w.batch.Environment, t.Collection, grown)
		if err != nil {
			return fmt.Errorf("count %s: %w", t.Collection, err)
		}
		most, limited := limits.Most(t.Collection)
		if limited && grown > 0 && !w.batch.Recall {
			w.holdAgainst(limits.Limit{Name: t.Collection, Used: now, Most: most}, uint64(grown), pointer)
		}
	}
	return w.refusals.Err()
}

// holdAgainst refuses what exceeds a limit, and warns of what reaches its half.
func (w *writing) holdAgainst(limit limits.Limit, grown uint64, pointer string) {
	before := limits.Limit{Name: limit.Name, Used: limit.Used - grown, Most: limit.Most}
	switch {
	case limit.Exceeded():
		w.refusals.Add(catalog.Refusal{Code: problem.LimitReached, Violation: problem.Violation{
			Pointer: pointer, Code: string(problem.LimitReached),
			Detail: "with this change " + limit.String() + "; delete what isn't needed, or make another environment", Allowed: fmt.Sprintf("at most %d", limit.Most),
		}})
	case limit.Alarming() && !before.Alarming():
		w.notes = append(w.notes, "With this change "+limit.String()+".")
	}
}

// grown returns how many more objects of a type there are after the batch than before, and points at the last that was made.
func (r *rows) grown(t *directory.Type) (n int64, pointer string) {
	for _, s := range r.order {
		switch {
		case s.t != t:
		case s.before == nil && s.after != nil:
			n++
			pointer = s.origin.Body
		case s.before != nil && s.after == nil:
			n--
		}
	}
	return n, pointer
}
