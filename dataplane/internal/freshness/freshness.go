package freshness

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// Never is the age of what nobody vouched for.
const Never time.Duration = math.MaxInt64

// Freshness is safe for concurrent use.
type Freshness struct {
	start time.Time    // of the process; all else is counted from it by the monotonic clock
	heard atomic.Int64 // nanoseconds from start; unheard

	mu       sync.Mutex
	previous time.Time // signed in the word before, on this stream
	newest   time.Time // signed in any word
}

const unheard = math.MinInt64

// New returns the freshness of a node that knows nothing yet.
func New(now time.Time) *Freshness {
	f := &Freshness{start: now}
	f.heard.Store(unheard)
	return f
}

// Age returns how long ago the control plane vouched, as of now.
func (f *Freshness) Age(now time.Time) time.Duration {
	heard := f.heard.Load()
	if heard == unheard {
		return Never
	}
	return now.Sub(f.start) - time.Duration(heard)
}

// Begin says that a stream begins: what comes on it is measured against all that came before.
func (f *Freshness) Begin() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.previous = f.newest
}

// Heard takes a verified word on what the node holds, signed at one time and received at another.
func (f *Freshness) Heard(signed, received time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if signed.After(f.previous) {
		f.heard.Store(int64(received.Sub(f.start)))
	}
	f.previous = signed
	if signed.After(f.newest) {
		f.newest = signed
	}
}

// Record is what outlives the process.
type Record struct {
	// Signed is the latest time that was signed in any word.
	Signed time.Time
	// Heard is when the control plane last vouched, by the node's wall clock as it was at Seen. Zero: not known.
	Heard time.Time
	// Seen is when the record was made.
	Seen time.Time
}

// Record returns what to keep; false: nothing is known that is worth it.
func (f *Freshness) Record(now time.Time) (Record, bool) {
	age := f.Age(now)
	if age == Never {
		return Record{}, false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	wall := now.Round(0)
	return Record{Signed: f.newest, Heard: wall.Add(-max(age, 0)), Seen: wall}, true
}

// Restore goes on from a record, and from the latest time signed in what the node has kept. It makes nothing less fresh.
func (f *Freshness) Restore(r Record, kept, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, at := range [...]time.Time{r.Signed, kept} {
		if at.After(f.newest) {
			f.newest = at
		}
	}
	f.previous = f.newest
	wall := now.Round(0)
	if r.Heard.IsZero() || wall.Before(r.Seen) || r.Seen.Before(r.Heard) {
		return
	}
	heard := int64(now.Sub(f.start) - wall.Sub(r.Heard))
	f.heard.Store(max(heard, f.heard.Load()))
}
