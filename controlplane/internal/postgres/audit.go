package postgres

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/controlplane/internal/audit"
	"github.com/sallyport/sallyport/controlplane/internal/postgres/dbsqlc"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
)

// Audit keeps the record of who did what.
type Audit struct{ db *DB }

var _ audit.Store = (*Audit)(nil)

// Audit returns the record in this database.
func (db *DB) Audit() *Audit { return &Audit{db} }

// recorded runs f in a transaction, and writes the event of the operation in ctx before it commits, in the global chain unless the
// operation is in an environment's: of one that nobody began, as the control plane's own.
func (db *DB) recorded(ctx context.Context, operation string, f func(pgx.Tx, *dbsqlc.Queries) error) error {
	return translate(recorded(ctx, db.pool, db.q, "", operation, f))
}

func recorded(ctx context.Context, pool *pgxpool.Pool, queries *dbsqlc.Queries, environment, operation string, f func(pgx.Tx, *dbsqlc.Queries) error) error {
	ctx = audit.Recorded(ctx, environment, operation)
	d := audit.DraftOf(ctx)
	options := pgx.TxOptions{IsoLevel: pgx.ReadCommitted}
	err := pgx.BeginTxFunc(ctx, pool, options, func(tx pgx.Tx) error {
		q := queries.WithTx(tx)
		restartReservation(ctx)
		if err := f(tx, q); err != nil {
			return err
		}
		if err := markCommitted(ctx, q, options); err != nil {
			return err
		}
		return record(ctx, q, d)
	})
	if err == nil {
		d.Written()
	}
	return err
}

// record writes the event of a draft, if it has one to write. It is the last thing that a transaction does: the head's lock is held
// until the commit, and nothing is locked behind it but the global chain's.
func record(ctx context.Context, q *dbsqlc.Queries, d *audit.Draft) error {
	event, err := d.Prepare()
	if err != nil || event == nil {
		return err
	}
	if err := tellOf(ctx, q, event); err != nil { // its feed's lock comes before the chain's
		return err
	}
	if err := appendEvent(ctx, q, event); err != nil {
		return err
	}
	if event.GetOpenedEpoch() == 0 || event.GetChain() == "" {
		return nil
	}
	global := proto.CloneOf(event)
	global.Chain = ""
	return appendEvent(ctx, q, global)
}

// appendEvent gives an event its place at its chain's end.
func appendEvent(ctx context.Context, q *dbsqlc.Queries, event *adminv1.AuditEvent) error {
	head, err := lockAuditHead(ctx, q, event.GetChain())
	if err != nil {
		return fmt.Errorf("lock the audit chain: %w", err)
	}
	s, err := audit.Place(event, uint64(head.Number)+1, head.Hash, head.Now)
	if err != nil {
		return err
	}
	c := s.Columns
	err = q.AppendAuditEvent(ctx, dbsqlc.AppendAuditEventParams{
		Chain: s.Chain, Number: int64(s.Number), Record: s.Record, Previous: s.Previous, Hash: s.Hash,
		ID: c.ID, At: c.Time, Actor: c.Actor, ActorName: c.ActorName, Operation: c.Operation, Outcome: c.Outcome, Code: c.Code,
		RequestID: c.RequestID, Address: c.Address, Environment: c.Environment, OpenedEpoch: int64(c.OpenedEpoch), Objects: c.Objects,
	})
	if err != nil {
		return fmt.Errorf("append to the audit chain: %w", err)
	}
	return nil
}

func lockAuditHead(ctx context.Context, q *dbsqlc.Queries, chain string) (dbsqlc.LockAuditHeadRow, error) {
	head, err := q.LockAuditHead(ctx, chain)
	if !errors.Is(err, pgx.ErrNoRows) {
		return head, err
	}
	if err := beginAuditChain(ctx, q, chain); err != nil {
		return head, err
	}
	return q.LockAuditHead(ctx, chain)
}

// beginAuditChain makes the head of a chain without events.
func beginAuditChain(ctx context.Context, q *dbsqlc.Queries, chain string) error {
	none := audit.Hash{}
	return q.BeginAuditChain(ctx, dbsqlc.BeginAuditChainParams{Chain: chain, Hash: none[:]})
}

// Append implements audit.Store.
func (a *Audit) Append(ctx context.Context, drafts []*audit.Draft) error {
	err := a.db.transaction(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(_ pgx.Tx, q *dbsqlc.Queries) error {
		for _, d := range drafts {
			if err := record(ctx, q, d); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		for _, d := range drafts {
			d.Written()
		}
	}
	return err
}

// Events implements audit.Store.
func (a *Audit) Events(ctx context.Context, chain string, q audit.Question) ([]audit.Stored, error) {
	before := q.Before
	if before == 0 {
		before = math.MaxInt64
	}
	object := q.Objects
	if object == nil {
		object = []string{}
	}
	rows, err := a.db.q.AuditEvents(ctx, dbsqlc.AuditEventsParams{
		Chain: chain, Before: int64(before), Actor: q.Actor, Operation: q.Operation, Outcome: q.Outcome, Code: q.Code, RequestID: q.RequestID,
		Address: q.Address, Object: object, Since: orNull(q.From), Until: orNull(q.To), Most: int32(q.Limit),
	})
	return storedEvents(rows), translate(err)
}

// Event implements audit.Store.
func (a *Audit) Event(ctx context.Context, chain, eventID string) (audit.Stored, error) {
	row, err := a.db.q.AuditEvent(ctx, dbsqlc.AuditEventParams{Chain: chain, ID: eventID})
	if err != nil {
		return audit.Stored{}, orNotFound(err, "there is no such event here")
	}
	return storedEvent(&row), nil
}

// eventsAtATime bounds what a walk through a chain holds in memory.
const eventsAtATime = 100

// Walk implements audit.Store.
func (a *Audit) Walk(ctx context.Context, chain string, after uint64, from, to time.Time, each func(audit.Stored) error) error {
	for {
		rows, err := a.db.q.AuditEventsAfter(ctx, dbsqlc.AuditEventsAfterParams{
			Chain: chain, After: int64(after), Since: orNull(from), Until: orNull(to), Most: eventsAtATime,
		})
		if err != nil {
			return translate(err)
		}
		for i := range rows {
			if err := each(storedEvent(&rows[i])); err != nil {
				return err
			}
			after = uint64(rows[i].Number)
		}
		if len(rows) < eventsAtATime {
			return nil
		}
	}
}

// Chains implements audit.Store.
func (a *Audit) Chains(ctx context.Context) ([]string, error) {
	chains, err := a.db.q.AuditChains(ctx)
	return chains, translate(err)
}

// Heads implements audit.Store.
func (a *Audit) Heads(ctx context.Context) ([]audit.Head, error) {
	rows, err := a.db.q.AuditHeads(ctx)
	if err != nil {
		return nil, translate(err)
	}
	heads := make([]audit.Head, len(rows))
	for i, row := range rows {
		heads[i] = audit.Head{Chain: row.Chain, Epoch: uint64(row.Epoch), Number: uint64(row.Number), Hash: row.Hash, EventHash: row.EventHash}
	}
	return heads, nil
}

// HashAt implements audit.Store.
func (a *Audit) HashAt(ctx context.Context, chain string, number uint64) ([]byte, bool, error) {
	hash, err := a.db.q.AuditHashAt(ctx, dbsqlc.AuditHashAtParams{Chain: chain, Number: int64(number)})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, false, nil
	}
	return hash, err == nil, translate(err)
}

// Opened implements audit.Store.
func (a *Audit) Opened(ctx context.Context, chain, environment string, epoch uint64) (uint64, bool, error) {
	number, err := a.db.q.AuditEpochOpened(ctx, dbsqlc.AuditEpochOpenedParams{Environment: environment, Epoch: int64(epoch), Chain: chain})
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, false, nil
	}
	return uint64(number), err == nil, translate(err)
}

// KeepWitness implements audit.Store.
func (a *Audit) KeepWitness(ctx context.Context, environment, node string, epoch, number uint64, signed []byte) error {
	return translate(a.db.q.KeepAuditWitness(ctx, dbsqlc.KeepAuditWitnessParams{
		Environment: environment, Node: node, Epoch: int64(epoch), Number: int64(number), Signed: signed,
	}))
}

// maxWitnesses bounds how many nodes' words are read at once.
const maxWitnesses = 10_000

// Witnesses implements audit.Store.
func (a *Audit) Witnesses(ctx context.Context, environment string) ([]audit.Witness, error) {
	rows, err := a.db.q.AuditWitnesses(ctx, dbsqlc.AuditWitnessesParams{Environment: environment, Most: maxWitnesses})
	if err != nil {
		return nil, translate(err)
	}
	found := make([]audit.Witness, len(rows))
	for i, row := range rows {
		found[i] = audit.Witness{Environment: row.Environment, Node: row.Node, Signed: row.Signed, ShownAt: row.ShownAt}
	}
	return found, nil
}

func storedEvents(rows []dbsqlc.AuditEvent) []audit.Stored {
	events := make([]audit.Stored, len(rows))
	for i := range rows {
		events[i] = storedEvent(&rows[i])
	}
	return events
}

func storedEvent(row *dbsqlc.AuditEvent) audit.Stored {
	return audit.Stored{
		Chain: row.Chain, Number: uint64(row.Number), Record: row.Record, Previous: row.Previous, Hash: row.Hash,
		Columns: audit.Columns{
			ID: row.ID, Time: row.At, Actor: row.Actor, ActorName: row.ActorName, Operation: row.Operation, Outcome: row.Outcome, Code: row.Code,
			RequestID: row.RequestID, Address: row.Address, Environment: row.Environment, OpenedEpoch: uint64(row.OpenedEpoch), Objects: row.Objects,
		},
	}
}
