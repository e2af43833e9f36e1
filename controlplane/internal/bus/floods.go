package bus

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/sallyport/sallyport/proto/subject"
)

const (
	// floodLook is how often the stream is looked at.
	floodLook = 10 * time.Second
	// floodTimeout bounds one look.
	floodTimeout = 2 * time.Second
	// floodRemind is how often an operator is told of the same node again.
	floodRemind = time.Minute
	// crowded is from how many waiting messages on a node counts as crowding the stream: half of its share. A
	// node sends one batch a second at most, and the next one only when the last was stored.
	crowded = usagePerNode / 2
)

// Stats counts what the bus's own part of this replica saw.
type Stats struct {
	Crowding atomic.Int64  // nodes that fill half of their share of the usage stream or more, now
	Full     atomic.Uint64 // looks at which a node had filled its share, so that its messages were refused
}

// floods finds nodes that send more usage than is taken off the stream.
type floods struct {
	log   *slog.Logger
	stats *Stats
	now   func() time.Time
	next  time.Time
	told  map[string]time.Time // by subject
}

func newFloods(log *slog.Logger, stats *Stats) *floods {
	return &floods{log: log, stats: stats, now: time.Now, told: make(map[string]time.Time)}
}

// look looks at how much of each node waits in the stream, if it is time to.
func (f *floods) look(ctx context.Context, stream jetstream.Stream) {
	if stream == nil || f.now().Before(f.next) {
		return
	}
	f.next = f.now().Add(floodLook)
	ctx, cancel := context.WithTimeout(ctx, floodTimeout)
	defer cancel()
	info, err := stream.Info(ctx, jetstream.WithSubjectFilter(subject.UsageAll()))
	if err != nil {
		return // who can't be looked at can't be read either: that is told there
	}
	f.judge(info.State.Subjects)
}

// judge tells of every subject that has too much waiting.
func (f *floods) judge(waiting map[string]uint64) {
	var crowding int64
	for on, count := range waiting {
		if count < crowded {
			delete(f.told, on)
			continue
		}
		crowding++
		if count >= usagePerNode {
			f.stats.Full.Add(1)
		}
		f.tell(on, count)
	}
	for on := range f.told {
		if _, still := waiting[on]; !still {
			delete(f.told, on)
		}
	}
	f.stats.Crowding.Store(crowding)
}

func (f *floods) tell(on string, count uint64) {
	if now := f.now(); now.Sub(f.told[on]) >= floodRemind {
		f.told[on] = now
		environment, node, _ := subject.ParseUsage(on) // empty when it is nobody's, which the stream doesn't take
		f.log.Error("a node crowds the usage stream: beyond its share its batches are refused and stay with it; the other nodes' are taken. "+
			"If it isn't catching up after an outage, disable it",
			"node", node, "environment", environment, "waiting", count, "share", usagePerNode)
	}
}
