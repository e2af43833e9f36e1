package publish

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource"
)

// Proposal is the proposal that a batch belongs to: it passes where an environment demands one. Package proposals alone makes them.
type Proposal struct {
	ID      string
	Version uint64       // of the proposal when its author, approvals and base were looked at
	Author  access.Actor // whom the revision names; the batch's own author publishes it
	By      string       // the latter's id, as the proposal names people
	Base    *Base        // nil: it is planned for the first time, or anew
}

// Base is what a batch was planned on.
type Base struct {
	Revision uint64
	Objects  []Version // what it changes or refers to, as that was
}

// Version is the state that an object was in.
type Version = catalog.Version

// Publication is the end of a proposal that became what it proposed.
type Publication struct {
	ID                 string
	Version            uint64 // that it must still have
	Revision, Sequence uint64
	ByID, By           string // who published it
	At                 time.Time
}

// ProposalsTx closes a proposal with what it made, so that neither is without the other.
type ProposalsTx interface {
	// LockProposal locks a proposal until the end; problem.Conflict when it isn't approved, or not at this version any more.
	LockProposal(ctx context.Context, environment, id string, version uint64) error
	// PublishProposal closes a proposal that is locked.
	PublishProposal(ctx context.Context, environment string, p Publication) error
}

// claimProposal locks the proposal that is published, before all else: of two who publish it one finds it closed.
func (w *writing) claimProposal(ctx context.Context) error {
	p := w.batch.Proposal
	if p == nil || w.batch.DryRun {
		return nil
	}
	return w.tx.LockProposal(ctx, w.batch.Environment, p.ID, p.Version)
}

// closeProposal ends the proposal with what it made.
func (w *writing) closeProposal(ctx context.Context) error {
	p := w.batch.Proposal
	if p == nil {
		return nil
	}
	return w.tx.PublishProposal(ctx, w.batch.Environment, Publication{
		ID: p.ID, Version: p.Version, Revision: w.result.Revision, Sequence: w.result.Sequence, ByID: p.By, By: w.batch.Author.Name, At: w.now,
	})
}

// recordedAuthor is whom a revision names: who made the change, not who published it.
func (w *writing) recordedAuthor() access.Actor {
	if p := w.batch.Proposal; p != nil {
		return p.Author
	}
	return w.batch.Author
}

// demandProposal refuses a direct write to a configuration that changes by proposals alone. A plan of one only tells.
func (w *writing) demandProposal(head *catalog.Head) error {
	if w.batch.Proposal != nil || !head.DemandsFourEyes() {
		return nil
	}
	switch {
	case w.batch.DryRun:
		w.notes = append(w.notes, "This environment demands four eyes: the change can be filed as a proposal, not applied.")
	case w.batch.Override:
		w.notes = append(w.notes, "This environment demands four eyes; the change was made without a proposal, by force.")
		w.overridden = true
	default:
		return problem.Errorf(problem.ProposalRequired,
			"this environment demands four eyes: file the change as a proposal, which somebody else approves and publishes")
	}
	return nil
}

// holdToBase compares what the batch was planned on with what is there now, behind the locks. A dry run only tells.
func (w *writing) holdToBase() error {
	p := w.batch.Proposal
	if p == nil || p.Base == nil {
		return nil
	}
	before, err := w.rowsBefore()
	if err != nil {
		return err
	}
	if at := w.environment.Configuration.Revision; w.rollback && at != p.Base.Revision {
		// A rollback is about the whole configuration: whatever else was changed since would go with it, unseen.
		w.result.Moved = append(w.result.Moved, Version{Collection: "revisions", Name: strconv.FormatUint(p.Base.Revision, 10)})
	}
	for _, v := range p.Base.Objects {
		if w.etagBefore(before, v) != v.ETag {
			w.result.Moved = append(w.result.Moved, v)
		}
	}
	if len(w.result.Moved) == 0 || w.batch.DryRun {
		return nil
	}
	return Stale(w.result.Moved)
}

func (w *writing) etagBefore(rows map[rowKey]string, v Version) string {
	if _, ok := resource.ByCollection(v.Collection); !ok {
		return rows[rowKey{v.Collection, v.Key()}]
	}
	if w.candidate == nil {
		return ""
	}
	return w.candidate.ETagBefore(v.Collection, v.Key())
}

// rowsBefore returns the ETags of the locked rows as they were before the batch, by ids and names.
func (w *writing) rowsBefore() (map[rowKey]string, error) {
	tags := make(map[rowKey]string)
	for k, s := range w.rows.byID {
		if s.before == nil {
			continue
		}
		etag, err := directory.ETag(*s.before)
		if err != nil {
			return nil, err
		}
		tags[k], tags[rowKey{k.collection, s.before.Message.GetName()}] = etag, etag
	}
	return tags, nil
}

// Stale is the refusal of a proposal whose objects moved on.
func Stale(moved []Version) error {
	const shown = 100
	err := problem.Errorf(problem.ProposalStale, "%d of the objects that the proposal touches have changed since it was planned; its author can refresh it", len(moved))
	for _, v := range moved[:min(len(moved), shown)] {
		detail := "it has changed since the proposal was planned"
		switch {
		case v.Collection == "revisions":
			detail = "a rollback is planned on the whole configuration, which has moved on from this revision"
		case v.ETag == "":
			detail = "there was none of this name when the proposal was planned; now there is"
		}
		err.Errors = append(err.Errors, problem.Violation{
			Pointer: problem.Pointer(v.Collection, v.Name), Code: string(problem.ProposalStale), Detail: detail, Allowed: v.ETag,
		})
	}
	return err
}

// base returns what the batch would be held to if it were published later.
func (w *writing) base() (Base, error) {
	base := Base{Revision: w.environment.Configuration.Revision}
	if w.candidate != nil {
		base.Objects = w.candidate.Touched()
	}
	before, err := w.rowsBefore()
	if err != nil {
		return Base{}, fmt.Errorf("versions of rows: %w", err)
	}
	for k, s := range w.rows.byID {
		switch {
		case s.before != nil:
			base.Objects = append(base.Objects, Version{Collection: k.collection, ID: s.id, Name: s.before.Message.GetName(), ETag: before[k]})
		case s.message != nil:
			base.Objects = append(base.Objects, Version{Collection: k.collection, Name: s.message.GetName()})
		}
	}
	sortVersions(base.Objects)
	return base, nil
}

// sortVersions puts versions in the order in which people look for them.
func sortVersions(versions []Version) {
	slices.SortFunc(versions, func(a, b Version) int {
		return cmp.Or(strings.Compare(a.Collection, b.Collection), strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID))
	})
}
