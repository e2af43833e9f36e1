package publish

import (
	"context"
	"fmt"
	"strings"

	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource"
)

// shownLacking is how many lacking nodes a refusal names.
const shownLacking = 5

// checkCapability looks for nodes that don't understand what the batch changes. It is refused then, unless the author forces
// it: such a node refuses the revision and serves on with the one that it has. A dry run only tells.
//
// Only changed objects count: what a lacking node refuses already needs no force again and again. A node that was never
// seen counts as one that understands; if it doesn't, it says so when it comes.
func (w *writing) checkCapability(ctx context.Context) error {
	for _, e := range w.candidate.Edits() {
		if e.After == nil {
			continue
		}
		for _, need := range resource.Needs(e.After.Message) {
			nodes, err := w.lackingNodes(ctx, need.Capability)
			if err != nil {
				return err
			}
			if len(nodes) > 0 {
				w.lacks(e.After, need, nodes)
			}
		}
	}
	return nil
}

// lackingNodes returns the nodes that lack a capability, asked for once.
func (w *writing) lackingNodes(ctx context.Context, capability uint32) ([]Lacking, error) {
	if nodes, known := w.lacking[capability]; known {
		return nodes, nil
	}
	nodes, err := w.tx.LackingNodes(ctx, w.batch.Environment, capability)
	if err != nil {
		return nil, fmt.Errorf("nodes that lack capability %d: %w", capability, err)
	}
	w.lacking[capability] = nodes
	return nodes, nil
}

// checkRowCapability is checkCapability for the directory. A node that doesn't know an entry refuses all that comes with it and behind it,
// revocations too, until it is updated: only the author can weigh that against what the entry is for.
func (w *writing) checkRowCapability(ctx context.Context, s *row) error {
	if s.before != nil || s.message == nil {
		return nil
	}
	needed := s.t.Needs(s.message)
	if needed == 0 {
		return nil
	}
	nodes, err := w.lackingNodes(ctx, needed)
	if err != nil || len(nodes) == 0 {
		return err
	}
	detail := fmt.Sprintf("a %s needs capability %d, which these nodes lack: %s; they would hear of no revocation behind it", s.t.Singular, needed, names(nodes))
	if w.batch.Force || w.batch.DryRun {
		w.notes = append(w.notes, "Made by force alone: "+detail+".")
		return nil
	}
	w.refusals.Add(catalog.Refusal{Code: problem.CapabilityMissing, Violation: problem.Violation{
		Pointer: s.origin.Body, Code: string(problem.CapabilityMissing),
		Detail: detail + "; update or disable them, or write with force=true", Allowed: fmt.Sprintf("nodes of capability %d", needed),
	}})
	return nil
}

func (w *writing) lacks(object *catalog.Object, need resource.Need, nodes []Lacking) {
	detail := fmt.Sprintf("%s %q needs capability %d at %s, which these nodes lack: %s", object.Collection, object.Name, need.Capability, need.Pointer, names(nodes))
	if w.batch.Force || w.batch.DryRun {
		w.notes = append(w.notes, "The change of "+detail+". They refuse it, and serve on with what they have; if it comes with an entry of the "+
			"directory that they don't know either, they hear of no revocation from then on.")
		return
	}
	w.refusals.Add(catalog.Refusal{Code: problem.CapabilityMissing, Violation: problem.Violation{
		Pointer: w.candidate.Origin(object.Collection, object.ID).Body + need.Pointer, Code: string(problem.CapabilityMissing),
		Detail: detail + "; update or disable them, or write with force=true", Allowed: fmt.Sprintf("nodes of capability %d", need.Capability),
	}})
}

func names(nodes []Lacking) string {
	shown := make([]string, 0, shownLacking+1)
	for i, n := range nodes {
		if i == shownLacking {
			shown = append(shown, "and more")
			break
		}
		shown = append(shown, fmt.Sprintf("%s (%s, capability %d)", n.Name, n.ID, n.Capability))
	}
	return strings.Join(shown, ", ")
}
