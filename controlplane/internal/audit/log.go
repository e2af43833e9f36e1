package audit

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/controlplane/internal/listing"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
)

// Log answers what people ask of the record.
type Log struct {
	store Store
	heads *Heads
}

// NewLog returns the record of a store.
func NewLog(store Store, heads *Heads) *Log { return &Log{store: store, heads: heads} }

// Span is a time: from, and before to. Zero: without bound.
type Span struct{ From, To time.Time }

// filterNames is what a list can be filtered by.
const filterNames = "actor, operation, collection, object, outcome, code, request_id, address"

// List returns a page of an environment's events, the newest first; "": of the global chain.
func (l *Log) List(ctx context.Context, chain string, query listing.Query, span Span) (listing.Page[*adminv1.AuditEvent], error) {
	var none listing.Page[*adminv1.AuditEvent]
	plan, err := query.Plan()
	if err != nil {
		return none, err
	}
	q, err := questionOf(plan, query, span)
	if err != nil {
		return none, err
	}
	found, err := l.store.Events(ctx, chain, q)
	if err != nil {
		return none, err
	}
	events := make([]*adminv1.AuditEvent, len(found))
	for i := range found {
		if events[i], err = found[i].Event(); err != nil {
			return none, err
		}
	}
	return listing.PageOf(plan, events, func(e *adminv1.AuditEvent) string { return strconv.FormatUint(e.GetNumber(), 10) }), nil
}

func questionOf(plan listing.Plan, query listing.Query, span Span) (Question, error) {
	q := Question{Limit: plan.Limit + 1, From: span.From, To: span.To}
	var violations []problem.Violation
	if plan.After != "" {
		before, err := strconv.ParseUint(plan.After, 10, 63)
		if err != nil {
			violations = append(violations, problem.Violation{Pointer: "/cursor", Code: problem.ViolationInvalidValue, Detail: "The cursor is not one that this server made."})
		}
		q.Before = before
	}
	if query.Labels != "" {
		violations = append(violations, problem.Violation{Pointer: "/labels", Code: problem.ViolationUnknownParameter, Detail: "Events have no labels."})
	}
	texts := map[string]*string{
		"actor": &q.Actor, "operation": &q.Operation, "outcome": &q.Outcome, "code": &q.Code, "request_id": &q.RequestID, "address": &q.Address,
	}
	collection := query.Filter["collection"]
	for field, value := range query.Filter {
		switch text := texts[field]; {
		case text != nil:
			*text = value
		case field == "collection":
			q.Objects = append(q.Objects, value)
		case field == "object":
			q.Objects = append(q.Objects, objectWord(collection, value))
		default:
			violations = append(violations, listing.UnknownFilter(field, filterNames))
		}
	}
	return q, problem.Invalid(violations...)
}

// objectWord is the word of an id, or of a name in a collection.
func objectWord(collection, key string) string {
	if collection == "" || id.LooksLikeID(key) {
		return key
	}
	return collection + "/" + key
}

// Get returns one event by its id.
func (l *Log) Get(ctx context.Context, chain, event string) (*adminv1.AuditEvent, error) {
	found, err := l.store.Event(ctx, chain, event)
	if err != nil {
		return nil, err
	}
	return found.Event()
}

// Export hands out a chain's events behind a number, in their order, holding few of them at once.
func (l *Log) Export(ctx context.Context, chain string, after uint64, span Span, each func(*adminv1.AuditEvent) error) error {
	return l.store.Walk(ctx, chain, after, span.From, span.To, func(s Stored) error {
		e, err := s.Event()
		if err != nil {
			return err
		}
		return each(e)
	})
}

// Status returns what this replica knows of the record's soundness.
func (l *Log) Status(ctx context.Context, chain string) (*adminv1.AuditStatus, error) {
	heads, err := l.store.Heads(ctx)
	if err != nil {
		return nil, err
	}
	alarms, silent := l.heads.alarmsOf(chain)
	intact := !silent
	status := &adminv1.AuditStatus{Intact: &intact, Alarms: alarms}
	for _, h := range heads {
		if h.Chain == chain {
			status.Number, status.Hash = h.Number, h.Hash
		}
	}
	if chain == "" {
		return status, nil
	}
	kept, err := l.store.Witnesses(ctx, chain)
	if err != nil {
		return nil, err
	}
	for _, w := range kept {
		shown, err := w.message()
		if err != nil {
			return nil, fmt.Errorf("the head that node %q showed: %w", w.Node, err)
		}
		status.Witnesses = append(status.Witnesses, shown)
	}
	return status, nil
}

func (w *Witness) message() (*adminv1.AuditWitness, error) {
	signed, err := signedHead(w.Signed)
	if err != nil {
		return nil, err
	}
	head, err := unverified(signed)
	if err != nil {
		return nil, err
	}
	return &adminv1.AuditWitness{
		Node: w.Node, Number: head.GetNumber(), Hash: head.GetHash(), SignedAt: head.GetTime(), ShownAt: timestamppb.New(w.ShownAt),
	}, nil
}
