package usage

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// flushInterval is how long a count waits at most before it is on its way.
	flushInterval = time.Second
	// publishTimeout bounds one attempt to get a batch stored.
	publishTimeout = 5 * time.Second
	// retryPause is between attempts once the sender is to end.
	retryPause = 200 * time.Millisecond
)

// Publisher gets a batch stored: it returns nil only once the bus has said so. message names the batch, so that one sent
// twice is stored once. The data is the caller's again once Publish has returned.
type Publisher interface {
	Publish(ctx context.Context, message string, data []byte) error
}

// Sender sends what a Ledger holds.
type Sender struct {
	ledger    *Ledger
	publisher Publisher
	joined    atomic.Bool // publisher is known
	log       *slog.Logger

	sent, failed atomic.Uint64
}

// NewSender returns a sender; Run makes it send. Without a publisher what was counted stays in the ledger, until Join says who takes it.
func NewSender(ledger *Ledger, publisher Publisher, log *slog.Logger) *Sender {
	s := &Sender{ledger: ledger, publisher: publisher, log: log}
	s.joined.Store(publisher != nil)
	return s
}

// Join says which node has counted, and who takes it. It is called once.
func (s *Sender) Join(publisher Publisher, node string) {
	s.ledger.Join(node)
	s.publisher = publisher
	s.joined.Store(true)
}

// Stats are counts since the start, but for those from Durable on.
type Stats struct {
	// Sent batches, Failed attempts.
	Sent, Failed uint64
	// Folded counters, because the bus was away for long; Capped ones, because a minute had too many.
	Folded, Capped uint64
	// Events kept of single requests, and EventsDropped of rejected ones.
	Events, EventsDropped uint64
	// Unspooled requests, counted in memory alone.
	Unspooled uint64
	// Refused boots, whose counts could not be believed.
	Refused uint64
	// Durable: what is recorded now survives the process.
	Durable bool
	// Waiting counters, Earlier boots that left some, and the Bytes that all of it has on the disk.
	Waiting, Earlier, Bytes int64
}

// Stats returns what became of usage.
func (s *Sender) Stats() Stats {
	l := s.ledger
	stats := Stats{
		Sent: s.sent.Load(), Failed: s.failed.Load(), Folded: l.folded.Load(), Capped: l.capped.Load(),
		Events: l.events.Load(), EventsDropped: l.dropped.Load(), Unspooled: l.recorder.spilled(), Refused: l.refused.Load(),
		Durable: l.durable(),
	}
	books := l.books()
	stats.Earlier = int64(len(books) - 1)
	for _, b := range books {
		counters, _ := b.left()
		stats.Waiting += int64(counters)
		stats.Bytes += b.bytes()
	}
	return stats
}

// Run keeps and sends until ctx ends, and then sends what is left, within drain. What is left after that is an error, unless the
// disk has it for the next start. Nothing may be recorded once ctx has ended.
func (s *Sender) Run(ctx context.Context, drain time.Duration) error {
	var keeper sync.WaitGroup
	keeper.Go(func() { s.ledger.run(ctx) })
	tick := time.NewTicker(flushInterval)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-tick.C:
			s.round(ctx)
		}
	}
	keeper.Wait()
	s.ledger.keep()
	err := s.drain(ctx, drain)
	if closed := s.ledger.close(); closed != nil {
		s.log.Warn("the spool of usage wasn't closed in good order; what is in it counts at the next start", "error", closed)
	}
	return err
}

func (s *Sender) drain(ctx context.Context, drain time.Duration) error {
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	for !s.round(last) {
		if !s.joined.Load() {
			return s.unsent()
		}
		select {
		case <-last.Done():
			return s.left()
		case <-time.After(retryPause):
		}
	}
	return nil
}

// unsent tells what becomes of what a node counted that ends before it belonged anywhere.
func (s *Sender) unsent() error {
	lost, kept := s.sums()
	if kept > 0 {
		s.log.Info("the node belongs to no control plane that could take its usage; the disk keeps it until it does", "counters", kept)
	}
	if lost > 0 {
		s.log.Warn("usage is given up: the node belonged to no control plane that could take it, and its disk doesn't keep it", "counters", lost)
	}
	return nil
}

// sums returns how many counters end with the process, and how many outlive it.
func (s *Sender) sums() (lost, kept int) {
	for _, b := range s.ledger.books() {
		counters, durable := b.left()
		if durable || b.earlier {
			kept += counters
		} else {
			lost += counters
		}
	}
	return lost, kept
}

func (s *Sender) left() error {
	lost, kept := s.sums()
	if kept > 0 {
		s.log.Warn("the bus didn't take all usage before the end; the disk keeps it for the next start", "counters", kept)
	}
	if lost > 0 {
		return fmt.Errorf("usage of %d counters was not taken by the bus before the end", lost)
	}
	return nil
}

// round sends what it can, the oldest first, and returns whether that was all.
func (s *Sender) round(ctx context.Context) (all bool) {
	if !s.joined.Load() {
		return false
	}
	all = true
	for _, b := range s.ledger.books() {
		if !s.send(ctx, b) {
			return false
		}
		if b.idle() {
			s.ledger.done(b)
		} else {
			all = false // the disk doesn't take what would become of it: the others need not wait for that
		}
	}
	return all
}

// send sends what a book has to send; false: the bus didn't take it.
func (s *Sender) send(ctx context.Context, b *book) bool {
	for batch := b.next(); batch != nil; batch = b.next() {
		if err := s.publish(ctx, b.origin, batch); err != nil {
			s.failed.Add(1)
			counters, _ := b.left()
			s.log.Warn("usage not taken by the bus, kept", "boot", b.origin.Boot, "batch", batch.number, "counters_waiting", counters, "error", err)
			return false
		}
		s.sent.Add(1)
		b.stored()
	}
	return true
}

func (s *Sender) publish(ctx context.Context, from Origin, b *batch) error {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	message := fmt.Sprintf("%s.%s.%d", from.Node, from.Boot, b.number)
	return s.publisher.Publish(ctx, message, b.data) //nolint:wrapcheck // logged as it is
}
