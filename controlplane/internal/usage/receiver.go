package usage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	usagev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/usage/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/subject"
)

// Limits of a batch.
const (
	maxCounters    = 20_000
	maxVerdict     = 64 // bytes
	maxBoot        = 64 // bytes
	idSize         = 16
	maxSum         = 1 << 52 // of one counter: no node sums up more in a minute
	maxFutureMins  = 24 * 60 // how far a node's clock may be ahead of ours
	maxBatchNumber = 1 << 62
)

// Delivery is one message of the usage stream.
type Delivery struct {
	Subject string // the bus lets a node publish on its own subject alone
	Data    []byte // a usagev1.Batch
}

// Verdict is what became of a delivery.
type Verdict uint8

// What can become of a delivery.
const (
	Retry     Verdict = iota // not taken: deliver it again
	Committed                // counted, now or before
	Refused                  // never to be counted: don't deliver it again
)

// Store keeps what was counted.
type Store interface {
	// Ingest counts those batches, in one transaction, whose (node, boot, number) was never counted
	// before, and returns how many these were.
	Ingest(ctx context.Context, batches []*usagev1.Batch) (counted int, err error)
	// Usage returns the rows that answer a checked question, in the order of its dimensions.
	Usage(ctx context.Context, environment string, q Question) ([]Row, error)
}

// Stats counts deliveries.
type Stats struct {
	Counted    atomic.Uint64 // batches counted
	Duplicates atomic.Uint64 // batches that had been counted before
	Refused    atomic.Uint64 // batches that were no good, or not the sender's
	Retried    atomic.Uint64 // batches that could not be taken now
}

// Receiver takes batches off the bus.
type Receiver struct {
	store Store
	log   *slog.Logger
	stats *Stats
	now   func() time.Time
}

// NewReceiver returns a receiver that counts into store.
func NewReceiver(store Store, log *slog.Logger, stats *Stats) *Receiver {
	return &Receiver{store: store, log: log, stats: stats, now: time.Now}
}

// Receive counts a group of deliveries and answers each, in their order. What the database refuses
// as a group is tried one by one, so that one bad batch doesn't hold up the others.
func (r *Receiver) Receive(ctx context.Context, deliveries []Delivery) []Verdict {
	verdicts := make([]Verdict, len(deliveries))
	batches := make([]*usagev1.Batch, 0, len(deliveries))
	places := make([]int, 0, len(deliveries))
	for i, delivery := range deliveries {
		batch, err := r.check(delivery)
		if err != nil {
			verdicts[i] = Refused
			r.stats.Refused.Add(1)
			r.log.Error("a usage batch was refused", "subject", delivery.Subject, "error", err)
			continue
		}
		batches, places = append(batches, batch), append(places, i)
	}
	for i, verdict := range r.ingest(ctx, batches) {
		verdicts[places[i]] = verdict
	}
	return verdicts
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
	counted, err := r.store.Ingest(ctx, batches)
	if err != nil {
		return err
	}
	r.stats.Counted.Add(uint64(counted))
	r.stats.Duplicates.Add(uint64(len(batches) - counted))
	return nil
}

// Ingest counts one batch, which needs no check of its sender.
func (r *Receiver) Ingest(ctx context.Context, batch *usagev1.Batch) error {
	if err := r.checkBatch(batch); err != nil {
		return err
	}
	return r.take(ctx, []*usagev1.Batch{batch})
}

// ErrBatch says that a batch is no good.
var ErrBatch = errors.New("bad usage batch")

func (r *Receiver) check(delivery Delivery) (*usagev1.Batch, error) {
	environment, node, err := subject.ParseUsage(delivery.Subject)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBatch, err)
	}
	batch := &usagev1.Batch{}
	if err := proto.Unmarshal(delivery.Data, batch); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBatch, err)
	}
	if batch.GetNode() != node || batch.GetEnvironment() != environment {
		return nil, fmt.Errorf("%w: sent by node %s of %s, in the name of %.64q of %.64q",
			ErrBatch, node, environment, batch.GetNode(), batch.GetEnvironment())
	}
	return batch, r.checkBatch(batch)
}

// checkBatch makes sure that the database can take the batch, so that what it then refuses is its
// own fault and worth another try.
func (r *Receiver) checkBatch(batch *usagev1.Batch) error {
	if _, err := id.Parse(id.Node, batch.GetNode()); err != nil {
		return fmt.Errorf("%w: node: %w", ErrBatch, err)
	}
	if _, err := id.Parse(id.Environment, batch.GetEnvironment()); err != nil {
		return fmt.Errorf("%w: environment: %w", ErrBatch, err)
	}
	if !plain(batch.GetBoot(), maxBoot) || batch.GetBoot() == "" {
		return fmt.Errorf("%w: boot", ErrBatch)
	}
	if n := batch.GetNumber(); n == 0 || n > maxBatchNumber {
		return fmt.Errorf("%w: number %d", ErrBatch, n)
	}
	if n := len(batch.GetCounters()); n > maxCounters {
		return fmt.Errorf("%w: %d counters", ErrBatch, n)
	}
	latest := r.now().Unix()/60 + maxFutureMins
	for i, c := range batch.GetCounters() {
		if err := checkCounter(c, latest); err != nil {
			return fmt.Errorf("%w: counter %d: %w", ErrBatch, i, err)
		}
	}
	return nil
}

func checkCounter(c *usagev1.Counter, latest int64) error {
	switch {
	case c.GetMinute() <= 0 || c.GetMinute() > latest:
		return fmt.Errorf("minute %d", c.GetMinute())
	case len(c.GetRoute()) != 0 && len(c.GetRoute()) != idSize:
		return errors.New("route")
	case len(c.GetConsumer()) != 0 && len(c.GetConsumer()) != idSize:
		return errors.New("consumer")
	case c.GetStatusClass() < 1 || c.GetStatusClass() > 5:
		return fmt.Errorf("status class %d", c.GetStatusClass())
	case c.GetVerdict() == "" || !plain(c.GetVerdict(), maxVerdict):
		return errors.New("verdict")
	case max(c.GetRequests(), c.GetRequestBytes(), c.GetResponseBytes(), c.GetDurationUs()) > maxSum:
		return errors.New("a sum is out of range")
	}
	return nil
}

// plain tells whether a text is short, valid and without control characters.
func plain(s string, limit int) bool {
	if len(s) > limit || !utf8.ValidString(s) {
		return false
	}
	for _, c := range s {
		if c < 0x20 || c == 0x7f {
			return false
		}
	}
	return true
}
