package usage

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	usagev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/usage/v1"
	"github.com/sallyport/sallyport/proto/id"
)

const (
	// flushInterval is how long a count waits at most before it is on its way.
	flushInterval = time.Second
	// publishTimeout bounds one attempt to get a batch stored.
	publishTimeout = 5 * time.Second
	// retryPause is between attempts once the sender is to end.
	retryPause = 200 * time.Millisecond
	// batchCounters bounds a batch: about 60 bytes each.
	batchCounters = 4096
	// pendingCounters bounds what waits while the bus is away; beyond it counts fold.
	pendingCounters = 200_000
	// minutesPerHour and minutesPerDay are what folding turns minutes into.
	minutesPerHour = 60
	minutesPerDay  = 24 * 60
)

// Publisher gets a batch stored: it returns nil only once the bus has said so. message names the batch, so that one sent
// twice is stored once.
type Publisher interface {
	Publish(ctx context.Context, message string, data []byte) error
}

// Origin names where batches come from.
type Origin struct {
	// Node and Environment are ids.
	Node, Environment string
	// Boot is random per start of the process.
	Boot string
}

// Sender sends what a Recorder counted.
type Sender struct {
	recorder  *Recorder
	publisher Publisher
	origin    Origin
	joined    atomic.Bool // publisher and origin are known
	log       *slog.Logger

	pending map[Key]Counts // never attempted: may still merge and fold
	number  uint64         // of the batch under way, or the last one

	sent, failed, folded atomic.Uint64
	waiting              atomic.Int64
}

// NewSender returns a sender; Run makes it send. Without a publisher it keeps what was counted, folded when it becomes too much, until Join
// says who takes it.
func NewSender(recorder *Recorder, publisher Publisher, origin Origin, log *slog.Logger) *Sender {
	s := &Sender{recorder: recorder, log: log, pending: make(map[Key]Counts)}
	if publisher != nil {
		s.Join(publisher, origin)
	}
	return s
}

// Join says who has counted, and who takes it. It is called once.
func (s *Sender) Join(publisher Publisher, origin Origin) {
	s.publisher, s.origin = publisher, origin
	s.joined.Store(true)
}

// Stats are counts since the start, but for Waiting.
type Stats struct {
	// Sent batches, Failed attempts, Folded counters.
	Sent, Failed, Folded uint64
	// Waiting counters, not yet in a batch.
	Waiting int64
}

// Stats returns the sender's own counters.
func (s *Sender) Stats() Stats {
	return Stats{Sent: s.sent.Load(), Failed: s.failed.Load(), Folded: s.folded.Load(), Waiting: s.waiting.Load()}
}

// Run sends until ctx ends, and then what is left, within drain.
func (s *Sender) Run(ctx context.Context, drain time.Duration) error {
	tick := time.NewTicker(flushInterval)
	defer tick.Stop()
	var underway *batch
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-tick.C:
			underway = s.round(ctx, underway)
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	for {
		underway = s.round(last, underway)
		if underway == nil && len(s.pending) == 0 {
			return nil
		}
		if !s.joined.Load() {
			s.log.Warn("usage is given up: the node belonged to no control plane that could take it", "counters", len(s.pending))
			return nil
		}
		select {
		case <-last.Done():
			return fmt.Errorf("usage of %d counters was not taken by the bus before the end", len(s.pending)+underway.size())
		case <-time.After(retryPause):
		}
	}
}

// batch is one numbered message; its bytes never change once it was attempted.
type batch struct {
	number   uint64
	counters int
	data     []byte
}

func (b *batch) size() int {
	if b == nil {
		return 0
	}
	return b.counters
}

// round sends what it can, and returns the batch that is still under way.
func (s *Sender) round(ctx context.Context, underway *batch) *batch {
	s.recorder.collect(s.pending)
	s.fold()
	if !s.joined.Load() {
		s.waiting.Store(int64(len(s.pending)))
		return nil
	}
	for {
		if underway == nil {
			if underway = s.next(); underway == nil {
				return nil
			}
		}
		if err := s.publish(ctx, underway); err != nil {
			s.failed.Add(1)
			s.log.Warn("usage not taken by the bus, kept", "batch", underway.number, "counters_waiting", len(s.pending), "error", err)
			return underway
		}
		s.sent.Add(1)
		underway = nil
	}
}

func (s *Sender) publish(ctx context.Context, b *batch) error {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	message := fmt.Sprintf("%s.%s.%d", s.origin.Node, s.origin.Boot, b.number)
	return s.publisher.Publish(ctx, message, b.data) //nolint:wrapcheck // logged as it is
}

// next makes a batch of up to batchCounters pending counters; nil: nothing is pending.
func (s *Sender) next() *batch {
	if len(s.pending) == 0 {
		s.waiting.Store(0)
		return nil
	}
	s.number++
	message := &usagev1.Batch{Node: s.origin.Node, Environment: s.origin.Environment, Boot: s.origin.Boot, Number: s.number}
	for key, counts := range s.pending {
		if len(message.Counters) == batchCounters {
			break
		}
		message.Counters = append(message.Counters, counter(key, counts))
		delete(s.pending, key)
	}
	s.waiting.Store(int64(len(s.pending)))
	data, err := proto.Marshal(message)
	if err != nil {
		// Only invalid UTF-8 could do it, and every string in a batch is of our own making.
		panic(fmt.Sprintf("marshal usage batch: %v", err))
	}
	return &batch{number: s.number, counters: len(message.GetCounters()), data: data}
}

// Folded is the verdict of counters that gave theirs up.
const Folded = "folded"

// folds are what is given up, one after the other, while too much waits. Who called is never given up, since that is what
// is billed: what is left in the end is bounded by consumers and days.
var folds = [...]struct {
	to   string
	into func(Key) Key
}{
	{"hours", func(k Key) Key { k.Minute -= k.Minute % minutesPerHour; return k }},
	{"days", func(k Key) Key { k.Minute -= k.Minute % minutesPerDay; return k }},
	{"days without verdict", func(k Key) Key { k.Minute -= k.Minute % minutesPerDay; k.Verdict = Folded; return k }},
	{"days without verdict and route", func(k Key) Key {
		k.Minute -= k.Minute % minutesPerDay
		k.Verdict, k.Route = Folded, id.ID{}
		return k
	}},
}

// fold merges counters when too many wait.
func (s *Sender) fold() {
	for _, fold := range folds {
		before := len(s.pending)
		if before <= pendingCounters {
			return
		}
		folded := make(map[Key]Counts)
		for key, counts := range s.pending {
			key = fold.into(key)
			total := folded[key]
			total.add(counts)
			folded[key] = total
		}
		s.pending = folded
		if len(folded) == before {
			continue
		}
		s.folded.Add(uint64(before - len(folded)))
		s.log.Warn("usage folded: the bus has been away for long", "to", fold.to, "counters_before", before, "counters_after", len(folded))
	}
}

func counter(key Key, counts Counts) *usagev1.Counter {
	c := &usagev1.Counter{
		Minute:        key.Minute,
		StatusClass:   uint32(key.StatusClass),
		Verdict:       key.Verdict,
		Requests:      counts.Requests,
		RequestBytes:  counts.RequestBytes,
		ResponseBytes: counts.ResponseBytes,
		DurationUs:    counts.DurationUs,
	}
	if !key.Route.IsZero() {
		c.Route = key.Route[:]
	}
	if !key.Consumer.IsZero() {
		c.Consumer = key.Consumer[:]
	}
	return c
}
