package proposals

import (
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

// filed is a proposal in memory.
type filed struct {
	record  Record
	message *adminv1.Proposal        // as it is shown, but for what the record's columns say
	request *adminv1.ProposalRequest // as it was filed, values of secrets included; nil once closed
	was     *adminv1.Proposal        // its summary when it was read; nil of a new one
}

// SealedFor binds what was filed to its place.
func SealedFor(environment, proposal string) string {
	return "proposal/" + environment + "/" + proposal
}

func (p *Proposals) seal(f *filed) ([]byte, error) {
	plain, err := marshal(f.request)
	if err != nil {
		return nil, err
	}
	return p.Sealer.Seal(SealedFor(f.record.Environment, f.record.ID), plain)
}

// open reads a record.
func (p *Proposals) open(r Record) (*filed, error) {
	f := &filed{record: r, message: new(adminv1.Proposal)}
	for _, part := range [][]byte{r.Summary, r.Details} { // the one holds no field of the other
		if err := (proto.UnmarshalOptions{Merge: true}).Unmarshal(part, f.message); err != nil {
			return nil, fmt.Errorf("proposal %s: %w", r.ID, err)
		}
	}
	if f.record.ClosedAt.IsZero() && !p.Now().Before(r.ExpiresAt) {
		f.record.State, f.record.ClosedAt = Expired, r.ExpiresAt // the sweep comes later
	}
	f.was = f.summary()
	if f.closed() || r.Sealed == nil {
		return f, nil
	}
	plain, err := p.Sealer.Open(SealedFor(r.Environment, r.ID), r.Sealed)
	if err != nil {
		return nil, fmt.Errorf("proposal %s: %w", r.ID, err)
	}
	f.request = new(adminv1.ProposalRequest)
	if err := proto.Unmarshal(plain, f.request); err != nil {
		return nil, fmt.Errorf("proposal %s as filed: %w", r.ID, err)
	}
	return f, nil
}

// store puts the message into the record; the details only when they were made anew.
func (f *filed) store(details bool) (err error) {
	f.record.Details = nil
	if details {
		if f.record.Details, err = marshal(f.details()); err != nil {
			return err
		}
		if len(f.record.Details) > maxDetails {
			return problem.Errorf(problem.TooLarge, "the proposal's steps and plan take %d bytes, more than %d; split it", len(f.record.Details), maxDetails)
		}
	}
	f.record.Summary, err = marshal(f.summary())
	return err
}

func marshal(m proto.Message) ([]byte, error) {
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("marshal a proposal: %w", err)
	}
	return data, nil
}

func (f *filed) details() *adminv1.Proposal {
	return &adminv1.Proposal{Operations: f.message.GetOperations(), Base: f.message.GetBase(), Plan: f.message.GetPlan()}
}

// summary is the proposal without steps, base and plan.
func (f *filed) summary() *adminv1.Proposal {
	m := &adminv1.Proposal{
		Id: f.record.ID, Title: f.message.GetTitle(), Message: f.message.GetMessage(), State: string(f.record.State),
		Author: f.message.GetAuthor(), AuthorId: f.message.GetAuthorId(), Round: f.message.GetRound(), RollbackTo: f.message.RollbackTo,
		Force: f.message.GetForce(), BaseRevision: f.message.GetBaseRevision(), Reviews: slices.Clone(f.message.GetReviews()),
		CreatedAt: f.message.GetCreatedAt(), PlannedAt: f.message.GetPlannedAt(), ExpiresAt: timestamppb.New(f.record.ExpiresAt),
		ClosedBy: f.record.ClosedBy, ClosedById: f.record.ClosedByID, Revision: f.record.Revision, Sequence: f.record.Sequence,
	}
	if !f.record.ClosedAt.IsZero() {
		m.ClosedAt = timestamppb.New(f.record.ClosedAt)
	}
	return m
}

// shown is the whole proposal.
func (f *filed) shown() *adminv1.Proposal {
	m := f.summary()
	m.Operations, m.Base, m.Plan = f.message.GetOperations(), f.message.GetBase(), f.message.GetPlan()
	return m
}

func (f *filed) closed() bool { return !f.record.ClosedAt.IsZero() }

// close ends a proposal. What was filed is forgotten with it.
func (f *filed) close(state State, by access.Actor, at time.Time) {
	f.record.State, f.record.ClosedAt = state, at.UTC().Truncate(time.Microsecond)
	f.record.ClosedBy, f.record.ClosedByID = by.Name, person(by)
	f.record.Sealed = nil
}

// approved tells whether somebody else agreed to this round.
func (f *filed) approved() bool {
	return slices.ContainsFunc(f.message.GetReviews(), func(r *adminv1.ProposalReview) bool {
		return f.agrees(r) && r.GetReviewerId() != "" && r.GetReviewerId() != f.record.AuthorID
	})
}

func (f *filed) approvedBy(actor access.Actor) bool {
	return f.record.State == Approved && slices.ContainsFunc(f.message.GetReviews(), func(r *adminv1.ProposalReview) bool {
		return f.agrees(r) && r.GetReviewerId() == person(actor)
	})
}

func (f *filed) agrees(r *adminv1.ProposalReview) bool {
	return r.GetVerdict() == string(Approved) && r.GetRound() == f.message.GetRound()
}

// base is what the proposal was planned on.
func (f *filed) base() *publish.Base {
	base := &publish.Base{Revision: f.message.GetBaseRevision()}
	for _, o := range f.message.GetBase() {
		base.Objects = append(base.Objects, publish.Version{Collection: o.GetCollection(), ID: o.GetId(), Name: o.GetName(), ETag: o.GetEtag()})
	}
	return base
}

// setBase keeps what a plan was made on.
func (f *filed) setBase(base *publish.Base) {
	f.message.BaseRevision, f.message.Base = base.Revision, objects(base.Objects)
}

func objects(versions []publish.Version) []*adminv1.ProposalObject {
	shown := make([]*adminv1.ProposalObject, len(versions))
	for i, v := range versions {
		shown[i] = &adminv1.ProposalObject{Collection: v.Collection, Id: v.ID, Name: v.Name, Etag: v.ETag}
	}
	return shown
}
