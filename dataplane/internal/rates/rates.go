// Package rates counts, per service, what was asked of it, what came of it and how long that took: rate, errors, duration (RED).
//
// It owns the counters of services ([Table], [Service]) and their buckets of time. They live as long as the process, whatever
// revisions come and go, so that no counter ever goes back. It doesn't own who is counted how often by contract (usage, which is
// exact and leaves the node), nor how metrics are read out (admin).
//
// Data flows one way: the proxy records each request as it ends, on a stripe of its own; a scrape adds the stripes up.
package rates

import (
	"iter"
	"math/bits"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/proto/id"
)

// Classes of statuses: the first digit, 1 to 5. What is none of them counts as 5.
const classes = 5

// bounds are the upper bounds of the buckets, in seconds; there is one more without.
var bounds = [...]float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

const (
	// maxServices bounds the memory, and what a scrape brings: services beyond it are counted together.
	maxServices = 2000
	// maxStripes bounds it on machines with many processors, which then share stripes.
	maxStripes = 16
)

// Other is the name under which services beyond the bound are counted.
const Other = "(other)"

// Table holds the counters of all services. It is safe for concurrent use.
type Table struct {
	mu    sync.Mutex
	known map[id.ID]*Service
	other *Service
	none  *Service
}

// NewTable returns a table that has counted nothing.
func NewTable() *Table {
	return &Table{known: make(map[id.ID]*Service), none: newService(""), other: newService(Other)}
}

// Of returns a service's counters, which are read out under this name from now on.
func (t *Table) Of(service id.ID, name string) *Service {
	t.mu.Lock()
	defer t.mu.Unlock()
	s, ok := t.known[service]
	switch {
	case ok:
		s.name.Store(&name)
	case len(t.known) < maxServices:
		s = newService(name)
		t.known[service] = s
	default:
		return t.other
	}
	return s
}

// None returns the counters of requests for which no service was found.
func (t *Table) None() *Service { return t.none }

// All yields every service that was asked something, with what it came to.
func (t *Table) All() iter.Seq2[string, Counts] {
	return func(yield func(string, Counts) bool) {
		t.mu.Lock()
		all := []*Service{t.none, t.other}
		for _, s := range t.known {
			all = append(all, s)
		}
		t.mu.Unlock()
		byName := make(map[string]*Counts, len(all)) // a name may have been another service's before
		var names []string
		for _, s := range all {
			name := *s.name.Load()
			counts, ok := byName[name]
			if !ok {
				counts = newCounts()
				byName[name] = counts
				names = append(names, name)
			}
			s.addTo(counts)
		}
		slices.Sort(names)
		for _, name := range names {
			if byName[name].Asked > 0 && !yield(name, *byName[name]) {
				return
			}
		}
	}
}

// Service is the counters of one service. It is safe for concurrent use.
type Service struct {
	name    atomic.Pointer[string]
	stripes []stripe
	samples [len(bounds) + 1]atomic.Pointer[Sample]
}

// stripe is the counters that the exchanges of one processor mostly write.
type stripe struct {
	outcomes [classes * 2]atomic.Uint64 // by class, answered and refused
	whole    times
	upstream times
	_        [64]byte // the next stripe begins in another cache line
}

// times is a histogram.
type times struct {
	buckets [len(bounds) + 1]atomic.Uint64
	sum     atomic.Uint64 // microseconds
}

// Request is what is counted of one.
type Request struct {
	Status   int
	Refused  bool          // by the gateway
	Whole    time.Duration // from first byte in to last byte out
	Upstream time.Duration // until the service's answer began; 0: it wasn't asked
	Trace    string        // id of its trace, if it is sampled: an example for its bucket
}

// Sample is a request that stands as an example of its bucket.
type Sample struct {
	Trace   string
	Seconds float64
	Time    time.Time
}

func newService(name string) *Service {
	n := min(1<<bits.Len(uint(max(runtime.GOMAXPROCS(0), 1)-1)), maxStripes)
	s := &Service{stripes: make([]stripe, n)}
	s.name.Store(&name)
	return s
}

// Record counts a request. Only one that is an example allocates.
func (s *Service) Record(on uint32, r Request) {
	at := &s.stripes[on&uint32(len(s.stripes)-1)] // #nosec G115 -- at most maxStripes
	class := r.Status/100 - 1
	if class < 0 || class >= classes {
		class = classes - 1
	}
	outcome := 2 * class
	if r.Refused {
		outcome++
	}
	at.outcomes[outcome].Add(1)
	bucket := at.whole.add(r.Whole)
	if r.Upstream > 0 {
		at.upstream.add(r.Upstream)
	}
	if r.Trace != "" {
		s.samples[bucket].Store(&Sample{Trace: r.Trace, Seconds: r.Whole.Seconds(), Time: time.Now()})
	}
}

func (t *times) add(d time.Duration) (bucket int) {
	seconds := d.Seconds()
	for bucket < len(bounds) && seconds > bounds[bucket] {
		bucket++
	}
	t.buckets[bucket].Add(1)
	t.sum.Add(uint64(max(d.Microseconds(), 0))) // #nosec G115 -- not negative
	return bucket
}

// Counts is what a service came to.
type Counts struct {
	Asked    uint64
	Outcomes map[Outcome]uint64
	Whole    Histogram
	Upstream Histogram
	Samples  []Sample // the latest example of each bucket that has one
}

// Outcome is what became of requests.
type Outcome struct {
	Class   int  // of the status, 1 to 5
	Refused bool // by the gateway
}

// Histogram is durations by their length.
type Histogram struct {
	Buckets map[float64]uint64 // requests that took at most so many seconds
	Count   uint64
	Sum     float64 // seconds
}

func newCounts() *Counts {
	return &Counts{
		Outcomes: make(map[Outcome]uint64),
		Whole:    Histogram{Buckets: make(map[float64]uint64, len(bounds))}, Upstream: Histogram{Buckets: make(map[float64]uint64, len(bounds))},
	}
}

func (s *Service) addTo(c *Counts) {
	for i := range s.stripes {
		at := &s.stripes[i]
		for outcome := range at.outcomes {
			if n := at.outcomes[outcome].Load(); n > 0 {
				c.Outcomes[Outcome{Class: outcome/2 + 1, Refused: outcome%2 == 1}] += n
				c.Asked += n
			}
		}
		at.whole.addTo(&c.Whole)
		at.upstream.addTo(&c.Upstream)
	}
	for i := range s.samples {
		if sample := s.samples[i].Load(); sample != nil {
			c.Samples = append(c.Samples, *sample)
		}
	}
}

func (t *times) addTo(h *Histogram) {
	var below uint64
	for i := range bounds {
		below += t.buckets[i].Load()
		h.Buckets[bounds[i]] += below
	}
	h.Count += below + t.buckets[len(bounds)].Load()
	h.Sum += float64(t.sum.Load()) / 1e6
}
