package usage

import (
	"sync"
	"sync/atomic"

	"github.com/sallyport/sallyport/proto/id"
)

// Key is what requests are counted together by.
type Key struct {
	// Minute since 1970.
	Minute int64
	// Route is zero when none matched.
	Route id.ID
	// Consumer is zero when none was known.
	Consumer id.ID
	// StatusClass is 1 to 5.
	StatusClass uint8
	// Verdict is "allowed" or the code of the rejection.
	Verdict string
}

// Counts add up.
type Counts struct {
	Requests, RequestBytes, ResponseBytes, DurationUs uint64
}

func (c *Counts) add(more Counts) {
	c.Requests += more.Requests
	c.RequestBytes += more.RequestBytes
	c.ResponseBytes += more.ResponseBytes
	c.DurationUs += more.DurationUs
}

// stripes bounds how many goroutines can count without meeting each other.
const stripes = 64

// Recorder counts. Each exchange counts on a stripe that its pool slot brought along, so that requests on different
// processors practically never meet.
type Recorder struct {
	next    atomic.Uint32
	stripes [stripes]stripe
}

type stripe struct {
	mu     sync.Mutex
	counts map[Key]*Counts
	_      [40]byte // a cache line of its own
}

// NewRecorder returns an empty recorder.
func NewRecorder() *Recorder {
	r := new(Recorder)
	for i := range r.stripes {
		r.stripes[i].counts = make(map[Key]*Counts)
	}
	return r
}

// Stripe hands out a stripe; whoever counts often asks once and keeps it.
func (r *Recorder) Stripe() uint32 { return r.next.Add(1) % stripes }

// Record counts one answered request.
func (r *Recorder) Record(on uint32, key Key, counts Counts) {
	s := &r.stripes[on%stripes]
	s.mu.Lock()
	total := s.counts[key]
	if total == nil {
		total = new(Counts)
		s.counts[key] = total
	}
	total.add(counts)
	s.mu.Unlock()
}

// collect moves everything counted so far into dst.
func (r *Recorder) collect(dst map[Key]Counts) {
	for i := range r.stripes {
		s := &r.stripes[i]
		s.mu.Lock()
		for key, counts := range s.counts {
			if counts.Requests == 0 {
				delete(s.counts, key) // idle for a whole round
				continue
			}
			total := dst[key]
			total.add(*counts)
			dst[key] = total
			*counts = Counts{}
		}
		s.mu.Unlock()
	}
}
