package streams

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/directory"
	"github.com/sallyport/sallyport/proto/digest"
	"github.com/sallyport/sallyport/proto/problem"
)

// Admission knows who is let in now.
type Admission interface {
	// Denied tells whether whoever was let in would be let in no more, and the code that says why. Of who proved nothing only the
	// address counts.
	Denied(who directory.Bearer, now time.Time) (problem.Code, bool)
	// Head changes whenever an answer of Denied may, but for those that time alone changes.
	Head() (uint64, digest.Sum)
}

const (
	// look is between two looks at the seats, and the least time between two rounds of questions.
	look = 100 * time.Millisecond
	// restShare is how many times as long as a round the rest after it is: where callers are many and the directory changes all the
	// time, rounds take a tenth of a processor. A round is due all the same once the last one is half a second ago.
	restShare = 9
	// longFrom is the age from which an exchange counts as long.
	longFrom = 250 * time.Millisecond
	// round is how often every caller is asked about although the directory hasn't changed: credentials expire.
	round = 500 * time.Millisecond
	// grace is what an ended exchange has to end by itself before its client is cut off.
	grace = 200 * time.Millisecond
)

const stripes = 64

// Registry is the exchanges under way. It is safe for concurrent use.
type Registry struct {
	admission Admission
	stripes   [stripes]stripe
	open      atomic.Int64
	ended     atomic.Uint64

	mu      sync.Mutex // taken before a stripe's
	callers map[directory.Bearer]*line
	dying   map[*Seat]struct{} // ended, and not gone yet
	head    head
	asked   time.Time     // when the last round was
	rest    time.Duration // that it is followed by, whatever changes
}

// head is what the directory was at the last round.
type head struct {
	sequence uint64
	digest   digest.Sum
}

// stripe holds young exchanges. The exchanges of one processor mostly have a few stripes to themselves.
type stripe struct {
	mu   sync.Mutex
	line line
	_    [40]byte // a cache line of its own
}

// NewRegistry returns an empty registry.
func NewRegistry(admission Admission) *Registry {
	return &Registry{admission: admission, callers: map[directory.Bearer]*line{}, dying: map[*Seat]struct{}{}}
}

// Enter seats an exchange that was let in at now, on a stripe of the caller's choice. cancel gives up on its upstream; wire may be
// nil. The seat must stay where it is until Leave.
func (r *Registry) Enter(s *Seat, on uint32, caller directory.Bearer, now time.Time, cancel context.CancelCauseFunc, wire Wire) {
	at := &r.stripes[on%stripes]
	at.mu.Lock()
	s.caller, s.since, s.cancel, s.wire = caller, now, cancel, wire
	s.stripe, s.state = on%stripes, young
	at.line.add(s)
	at.mu.Unlock()
}

// Leave frees a seat at its exchange's end, and cancels its context. A reason other than "" says that the exchange was ended, and
// why. A seat that nobody took is left alone.
func (r *Registry) Leave(s *Seat) (reason problem.Code) {
	if s.cancel == nil { // only the exchange's own goroutine sets it
		return ""
	}
	at := &r.stripes[s.stripe]
	at.mu.Lock()
	inIndex := s.state == indexed
	if !inIndex {
		at.line.remove(s)
	}
	at.mu.Unlock()
	if inIndex {
		r.unindex(s)
	}
	if s.ended != nil {
		reason = s.ended.Reason
	}
	cancel := s.cancel
	*s = Seat{}
	cancel(nil)
	return reason
}

func (r *Registry) unindex(s *Seat) {
	r.mu.Lock()
	defer r.mu.Unlock()
	seats := r.callers[s.caller]
	seats.remove(s)
	if seats.oldest == nil {
		delete(r.callers, s.caller)
	}
	delete(r.dying, s)
	r.open.Add(-1)
}

// Run looks after long exchanges until ctx ends.
func (r *Registry) Run(ctx context.Context) error {
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			r.look(now)
		}
	}
}

// look takes in who has become long, asks about those who must be asked about, and cuts off who doesn't end by himself.
func (r *Registry) look(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var at head
	at.sequence, at.digest = r.admission.Head() // before any question, so that no change is missed
	r.takeIn(now)
	if since := now.Sub(r.asked); at != r.head && since >= r.rest || since >= round {
		begun := time.Now()
		for caller, seats := range r.callers {
			r.ask(caller, seats.oldest, now)
		}
		r.head, r.asked, r.rest = at, now, restShare*time.Since(begun)
	}
	for s := range r.dying {
		if s.wire != nil && now.Sub(s.endedAt) >= grace {
			s.wire.Cut()
		}
	}
}

func (r *Registry) takeIn(now time.Time) {
	for i := range r.stripes {
		at := &r.stripes[i]
		at.mu.Lock()
		for s := at.line.oldest; s != nil && now.Sub(s.since) >= longFrom; s = at.line.oldest {
			at.line.remove(s)
			s.state = indexed
			seats := r.callers[s.caller]
			if seats == nil {
				seats = new(line)
				r.callers[s.caller] = seats
			}
			seats.add(s)
			r.open.Add(1)
			r.ask(s.caller, s, now)
		}
		at.mu.Unlock()
	}
}

// ask ends a caller's seats, from one on, unless he is let in still.
func (r *Registry) ask(caller directory.Bearer, from *Seat, now time.Time) {
	reason, denied := r.admission.Denied(caller, now)
	if !denied {
		return
	}
	for s := from; s != nil; s = s.next {
		if s.ended != nil {
			continue
		}
		s.ended, s.endedAt = &Ended{Reason: reason}, now
		r.dying[s] = struct{}{}
		r.ended.Add(1)
		s.cancel(s.ended)
	}
}

// Stats is what the registry holds and did.
type Stats struct {
	Open  int64  // long exchanges under way
	Ended uint64 // since the start of the process
}

// Stats returns what the registry holds and did.
func (r *Registry) Stats() Stats { return Stats{Open: r.open.Load(), Ended: r.ended.Load()} }
