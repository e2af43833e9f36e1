package usage

import (
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/sallyport/sallyport/dataplane/internal/usage/spool"
	usagev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/usage/v1"
	"github.com/sallyport/sallyport/proto/id"
)

// Request is an answered request, as far as it is counted and told of. Its texts may lie in memory that is another request's
// once Record has returned.
type Request struct {
	// Record is what is counted.
	spool.Record
	// ID that the client was given with the answer.
	ID id.ID
	// Method, Host and Path as asked for; the path is the canonical one, without the query.
	Method, Host, Path string
	// Client is its address.
	Client netip.Addr
	// Policy that rejected it; zero: none did.
	Policy id.ID
	// Revision it was decided by.
	Revision uint64
	// ShadowVerdict is the code with which a policy in shadow would have refused; "": none would have.
	ShadowVerdict string
	// Watched says that somebody wants to know from where the credential is used.
	Watched bool
	// Sampled says that it is one to keep though it was allowed.
	Sampled bool
	// Teller knows how it was decided; nil: nobody does.
	Teller Teller
	// UpstreamUs is how long the service took until its answer began, in microseconds.
	UpstreamUs uint64
}

// Teller tells how a request was decided. It is asked of those alone that are kept, before Record returns.
type Teller interface {
	Decision() *usagev1.Decision
}

// Recorder takes every answered request. Each exchange records on a stripe that its pool slot brought along, so that requests on
// different processors practically never meet.
type Recorder struct {
	ring    atomic.Pointer[spool.Ring] // nil: memory alone
	events  events
	stripes [spool.Stripes]stripe
	spare   tally // of the keeper
}

// stripe counts in memory what the ring has no room for. It has two cache lines of its own.
type stripe struct {
	spilled atomic.Uint64 // of them, in memory alone

	mu    sync.Mutex
	tally tally
}

// NewRecorder returns a recorder that counts in memory alone, until a Ledger gives it a ring.
func NewRecorder() *Recorder { return new(Recorder) }

// Record counts one answered request. Once it returns the count survives the process: the answer's end is sent after that.
func (r *Recorder) Record(on uint32, q *Request) {
	s := &r.stripes[on%spool.Stripes]
	if ring := r.ring.Load(); ring == nil || !ring.Append(on, &q.Record) {
		s.spill(&q.Record)
	}
	r.events.offer(q)
}

// HasRoom tells whether a request would be kept for this reason if it were recorded now: whoever prepares what is told of it asks
// before the effort.
func (r *Recorder) HasRoom(why Reason) bool { return r.events.hasRoom(why) }

func (s *stripe) spill(record *spool.Record) {
	s.spilled.Add(1)
	s.mu.Lock()
	s.tally.record(record)
	s.mu.Unlock()
}

// collect moves what was counted in memory into a tally. It is the keeper's.
func (r *Recorder) collect(into *tally) {
	for i := range r.stripes {
		if r.stripes[i].swap(&r.spare) {
			into.merge(&r.spare)
			r.spare.reset()
		}
	}
}

// swap gives what was counted for an empty tally: requests wait for no sum of it. False: there is nothing.
func (s *stripe) swap(empty *tally) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tally.empty() {
		return false
	}
	s.tally, *empty = *empty, s.tally
	return true
}

// spilled returns how many requests were counted in memory alone.
func (r *Recorder) spilled() uint64 {
	var n uint64
	for i := range r.stripes {
		n += r.stripes[i].spilled.Load()
	}
	return n
}
