package usage

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	usagev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/usage/v1"
)

// maxRowsAtOnce is how many rows of batches one transaction takes, so that a backlog goes in step by step: what
// is committed is acked, however long the rest takes.
const maxRowsAtOnce = 50_000

// Delivery is one message of the usage stream.
type Delivery struct {
	Subject string // the bus lets a node publish on its own subject alone
	Data    []byte // a usagev1.Batch
	// SentAt is when the bus took it; zero: not known.
	SentAt time.Time
}

// Verdict is what became of a delivery.
type Verdict uint8

// What can become of a delivery.
const (
	Retry     Verdict = iota // not taken: deliver it again
	Committed                // counted, now or before
	Refused                  // never to be counted: don't deliver it again
)

// Ledger takes what is counted.
type Ledger interface {
	// Ingest counts those batches, in one transaction, whose (node, boot, number) was never counted
	// before. An error that is [ErrBatch] says that they will never be taken.
	Ingest(ctx context.Context, batches []*usagev1.Batch) (Taken, error)
}

// Stats counts what is received.
type Stats struct {
	Counted    atomic.Uint64 // batches counted
	Duplicates atomic.Uint64 // batches that had been counted before
	Refused    atomic.Uint64 // batches that were no good, or not the sender's
	Retried    atomic.Uint64 // batches that could not be taken now

	Counters atomic.Uint64 // rows of batches counted
	Late     atomic.Uint64 // of these, too old for the minutes
	Moved    atomic.Uint64 // of these and of credentials', counted as of now for a wrong clock
	Requests atomic.Uint64 // requests listed
	Expired  atomic.Uint64 // requests too old to be listed
	Dropped  atomic.Uint64 // rejected requests that nodes had no room to list
	// Unlistable are requests of which a node says what can't be.
	Unlistable atomic.Uint64
	LagMs      atomic.Int64 // how long the latest group's oldest batch had been on the bus
}

func (s *Stats) add(t Taken) {
	s.Counted.Add(uint64(t.Batches))
	s.Counters.Add(uint64(t.Counters))
	s.Late.Add(uint64(t.Late))
	s.Moved.Add(uint64(t.Moved))
	s.Requests.Add(uint64(t.Requests))
	s.Expired.Add(uint64(t.Expired))
	s.Dropped.Add(uint64(t.Dropped))
	s.Unlistable.Add(uint64(t.Unlistable))
}

// Receiver takes batches off the bus.
type Receiver struct {
	ledger Ledger
	log    *slog.Logger
	stats  *Stats
	now    func() time.Time
}

// NewReceiver returns a receiver that counts into a ledger.
func NewReceiver(ledger Ledger, log *slog.Logger, stats *Stats) *Receiver {
	return &Receiver{ledger: ledger, log: log, stats: stats, now: time.Now}
}

// Receive counts a group of deliveries and answers each, in their order. What the database refuses
// as a group is tried one by one, so that one bad batch doesn't hold up the others.
func (r *Receiver) Receive(ctx context.Context, deliveries []Delivery) []Verdict {
	verdicts := make([]Verdict, len(deliveries))
	batches := make([]*usagev1.Batch, 0, len(deliveries))
	places := make([]int, 0, len(deliveries))
	var oldest time.Time
	for i, delivery := range deliveries {
		if at := delivery.SentAt; !at.IsZero() && (oldest.IsZero() || at.Before(oldest)) {
			oldest = at
		}
		batch, err := check(delivery)
		if err != nil {
			verdicts[i] = Refused
			r.stats.Refused.Add(1)
			r.log.Error("a usage batch was refused", "subject", delivery.Subject, "error", err)
			continue
		}
		batches, places = append(batches, batch), append(places, i)
	}
	for len(batches) > 0 {
		n := groupSize(batches)
		for i, verdict := range r.ingest(ctx, batches[:n]) {
			verdicts[places[i]] = verdict
		}
		batches, places = batches[n:], places[n:]
	}
	if !oldest.IsZero() {
		r.stats.LagMs.Store(max(r.now().Sub(oldest).Milliseconds(), 0))
	}
	return verdicts
}

// groupSize returns how many of the batches, at least one, go into one transaction.
func groupSize(batches []*usagev1.Batch) int {
	rows := 0
	for i, b := range batches {
		rows += len(b.GetCounters()) + len(b.GetCredentials()) + len(b.GetEvents())
		for _, e := range b.GetEvents() {
			rows += min(len(e.GetDecision().GetFindings()), maxFindings)
		}
		if rows > maxRowsAtOnce {
			return max(i, 1)
		}
	}
	return len(batches)
}

func (r *Receiver) ingest(ctx context.Context, batches []*usagev1.Batch) []Verdict {
	verdicts := make([]Verdict, len(batches))
	if len(batches) == 0 {
		return verdicts
	}
	err := r.take(ctx, batches)
	if err == nil {
		for i := range verdicts {
			verdicts[i] = Committed
		}
		return verdicts
	}
	if len(batches) == 1 && errors.Is(err, ErrBatch) {
		verdicts[0] = Refused
		r.stats.Refused.Add(1)
		r.log.Error("a usage batch was refused by the database", "node", batches[0].GetNode(), "number", batches[0].GetNumber(), "error", err)
		return verdicts
	}
	if len(batches) == 1 || ctx.Err() != nil {
		r.stats.Retried.Add(uint64(len(batches)))
		r.log.Warn("usage can't be counted now; it stays on the bus", "batches", len(batches), "error", err)
		return verdicts
	}
	// Halves, not singles: when the database is away all together, that is found out at once.
	half := len(batches) / 2
	copy(verdicts, r.ingest(ctx, batches[:half]))
	if half > 1 && allRetry(verdicts[:half]) {
		r.stats.Retried.Add(uint64(len(batches) - half))
		return verdicts
	}
	copy(verdicts[half:], r.ingest(ctx, batches[half:]))
	return verdicts
}

func allRetry(verdicts []Verdict) bool {
	for _, v := range verdicts {
		if v != Retry {
			return false
		}
	}
	return true
}

func (r *Receiver) take(ctx context.Context, batches []*usagev1.Batch) error {
	taken, err := r.ledger.Ingest(ctx, batches)
	if err != nil {
		return err
	}
	r.stats.add(taken)
	r.stats.Duplicates.Add(uint64(len(batches) - taken.Batches))
	return nil
}

// Ingest counts one batch, which needs no check of its sender.
func (r *Receiver) Ingest(ctx context.Context, batch *usagev1.Batch) error {
	if err := checkBatch(batch); err != nil {
		return err
	}
	return r.take(ctx, []*usagev1.Batch{batch})
}
