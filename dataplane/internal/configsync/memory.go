package configsync

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
)

// worthReturning is from how much memory on, held of the system for the heap, it is looked through for some to return, in bytes.
const worthReturning = 64 << 20

// giveBack returns memory to the system after whole states were taken: what they are made of is several times what stays, and
// the runtime would keep it for garbage that a node at work never makes. The first time is once the node is ready, since a start
// shan't wait for it.
func (s *Syncer) giveBack(ctx context.Context) {
	select {
	case <-s.ready:
	case <-ctx.Done():
		return
	}
	for {
		select {
		case <-s.whole:
			s.returnMemory()
		case <-ctx.Done():
			return
		}
	}
}

// tookWhole takes note that a lane has read a whole state.
func (s *Syncer) tookWhole() {
	select {
	case s.whole <- struct{}{}:
	default: // it is noted already
	}
}

// returnMemory returns what memory the heap doesn't need.
func returnMemory() {
	held := []metrics.Sample{{Name: "/memory/classes/heap/free:bytes"}, {Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"}}
	metrics.Read(held)
	var sum uint64
	for _, sample := range held {
		if sample.Value.Kind() == metrics.KindUint64 {
			sum += sample.Value.Uint64()
		}
	}
	if sum >= worthReturning {
		debug.FreeOSMemory()
	}
}
