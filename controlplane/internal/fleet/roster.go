package fleet

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"time"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/id"
)

const (
	// rosterBeat is how often connected streams are reported although nothing happened, and how long
	// at most a disabled node's streams live on.
	rosterBeat = 3 * time.Second
	// rosterLease is how long a report holds: a replica that dies takes its streams' "connected" along.
	rosterLease = 12 * time.Second
	// reportTimeout bounds a write of reports, the last one at a stop included.
	reportTimeout = 5 * time.Second
	// reportRetry is the pause after a write that failed.
	reportRetry = time.Second
)

// Roster is the list of streams that this replica has open, and what their nodes answered. It writes
// answers to the database in groups: what comes in while one group is written goes into the next,
// so that many nodes cost few writes and one node waits for nobody.
type Roster struct {
	store NodeStore
	log   *slog.Logger
	stats *Stats
	dirty chan struct{} // capacity 1

	mu       sync.Mutex
	seats    map[*Seat]struct{}
	watches  map[*watch]struct{}
	answered chan struct{} // closed when a group of answers was written
}

// Seat is one stream of one node in the roster.
type Seat struct {
	roster *Roster
	node   string
	ended  chan struct{} // closed when the node may no longer be served
	end    func()

	// Guarded by the roster's mutex.
	report  LaneReport
	changed bool
	left    bool
}

// NewRoster returns an empty roster. It writes while Run does.
func NewRoster(store NodeStore, log *slog.Logger, stats *Stats) *Roster {
	return &Roster{
		store: store, log: log, stats: stats,
		dirty:    make(chan struct{}, 1),
		seats:    make(map[*Seat]struct{}),
		watches:  make(map[*watch]struct{}),
		answered: make(chan struct{}),
	}
}

// Seat adds a stream to the roster.
func (r *Roster) Seat(identity Identity, lane edgev1.Lane, hello *edgev1.Hello) *Seat {
	seat := &Seat{
		roster: r, node: identity.Node, ended: make(chan struct{}), changed: true,
		report: LaneReport{
			Session: id.New(time.Now()), Node: identity.Node, Lane: lane, Connected: true,
			Build: clean(hello.GetBuild(), 128), Capability: hello.GetCapability(),
			Boot: clean(hello.GetBoot(), maxBoot), Started: startedAt(hello),
		},
	}
	seat.end = sync.OnceFunc(func() { close(seat.ended) })
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seats[seat] = struct{}{}
	r.stats.Sessions.Add(1)
	return seat
}

// Ended is closed when the node may no longer be served: it was disabled or removed.
func (s *Seat) Ended() <-chan struct{} { return s.ended }

// Leave takes the stream off the roster.
func (s *Seat) Leave() {
	s.update(func(report *LaneReport) {
		if !s.left {
			s.left = true
			s.roster.stats.Sessions.Add(-1)
		}
		report.Connected = false
	})
}

// hold records what the node holds.
func (s *Seat) hold(p Position) {
	s.update(func(report *LaneReport) { report.Held = &p })
}

// refuse records what the node refused, and why.
func (s *Seat) refuse(head LaneHead, errs []*edgev1.ObjectError) {
	s.update(func(report *LaneReport) { report.Refused, report.Errors = &head, errs })
}

func (s *Seat) update(change func(*LaneReport)) {
	s.roster.mu.Lock()
	defer s.roster.mu.Unlock()
	change(&s.report)
	s.changed = true
	select {
	case s.roster.dirty <- struct{}{}:
	default: // it is about to write anyway
	}
}

// Answered returns a channel that is closed when more answers were written.
func (r *Roster) Answered() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.answered
}

// EndNode ends the node's streams on this replica.
func (r *Roster) EndNode(node string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.endLocked(node)
}

// endLocked ends all of a node's streams here.
func (r *Roster) endLocked(node string) {
	for seat := range r.seats {
		if seat.node == node {
			seat.end()
		}
	}
	for w := range r.watches {
		if w.node == node {
			w.end()
		}
	}
}

// watch is a stream of a node that is no lane's, and ends with those that are.
type watch struct {
	node string
	end  func()
}

// Watch returns a channel that is closed when the node may no longer be served, and what ends the watch.
func (r *Roster) Watch(identity Identity) (ended <-chan struct{}, release func()) {
	closed := make(chan struct{})
	w := &watch{node: identity.Node, end: sync.OnceFunc(func() { close(closed) })}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.watches[w] = struct{}{}
	return closed, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.watches, w)
	}
}

// Run writes answers until ctx ends, and then once more.
func (r *Roster) Run(ctx context.Context) error {
	beat := time.NewTicker(rosterBeat)
	defer beat.Stop()
	for {
		all := false
		select {
		case <-ctx.Done():
			return r.last(ctx)
		case <-r.dirty:
		case <-beat.C:
			all = true
		}
		if err := r.write(ctx, all); err != nil && ctx.Err() == nil {
			r.stats.AnswersDeferred.Add(1)
			r.log.Warn("can't write what nodes answered; trying again", "error", err)
			pause(ctx, reportRetry)
		}
	}
}

// last writes what is left when the control plane stops, so that no stream looks connected for the
// rest of its lease.
func (r *Roster) last(ctx context.Context) error {
	if err := r.write(context.WithoutCancel(ctx), false); err != nil {
		r.log.Warn("can't write what nodes answered last", "error", err)
	}
	return nil
}

func (r *Roster) write(ctx context.Context, all bool) error {
	reports, seats := r.take(all)
	if len(reports) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, reportTimeout)
	defer cancel()
	enabled, err := r.store.Report(ctx, reports, rosterLease)
	if err != nil {
		r.giveBack(reports, seats)
		return err
	}
	r.settle(enabled, seats)
	return nil
}

// take returns what has changed, or all; of several streams of one node in one lane that which has the say. During a
// hand-over a node has two processes: the one that started later has the say while its stream is open. When it ends before
// the older one's, that takes over with the next write.
func (r *Roster) take(all bool) (reports []LaneReport, seats []*Seat) {
	type place struct {
		node string
		lane edgev1.Lane
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	newest := make(map[place]int)
	for seat := range r.seats {
		if !seat.changed && !all {
			continue
		}
		report := seat.report
		seat.changed = false
		seat.report.Held, seat.report.Refused, seat.report.Errors = nil, nil, nil
		if seat.left {
			delete(r.seats, seat)
		}
		at, twice := newest[place{seat.node, report.Lane}]
		switch {
		case !twice:
			newest[place{seat.node, report.Lane}] = len(reports)
			reports, seats = append(reports, report), append(seats, seat)
		case report.after(&reports[at]):
			r.postpone(reports[at], seats[at], &report)
			reports[at], seats[at] = report, seat
		default:
			r.postpone(report, seat, &reports[at])
		}
	}
	return reports, seats
}

// postpone makes a report due again whose stream is open, but has less to say than one that has just ended.
func (r *Roster) postpone(report LaneReport, seat *Seat, winner *LaneReport) {
	if winner.Connected || !report.Connected {
		return
	}
	seat.changed, seat.report.Held, seat.report.Refused, seat.report.Errors = true, report.Held, report.Refused, report.Errors
	select {
	case r.dirty <- struct{}{}:
	default:
	}
}

// after tells whether a report of the same node and lane has the say over another.
func (r *LaneReport) after(other *LaneReport) bool {
	if r.Boot != other.Boot && !r.Started.Equal(other.Started) {
		return r.Started.After(other.Started)
	}
	return bytes.Compare(r.Session[:], other.Session[:]) > 0
}

// maxBoot bounds what a process calls itself, in bytes.
const maxBoot = 64

// startedAt returns when the process that says hello started; zero when it doesn't say.
func startedAt(hello *edgev1.Hello) time.Time {
	if at := hello.GetStartedAt(); at != nil && at.CheckValid() == nil {
		return at.AsTime().Truncate(time.Microsecond) // as fine as Postgres keeps it
	}
	return time.Time{}
}

// giveBack makes what could not be written due again, except where something newer came.
func (r *Roster) giveBack(reports []LaneReport, seats []*Seat) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, seat := range seats {
		r.seats[seat] = struct{}{}
		seat.changed = true
		if seat.report.Held == nil {
			seat.report.Held = reports[i].Held
		}
		if seat.report.Refused == nil {
			seat.report.Refused, seat.report.Errors = reports[i].Refused, reports[i].Errors
		}
	}
	select {
	case r.dirty <- struct{}{}:
	default:
	}
}

// settle wakes who waits for answers, and ends the streams of nodes that aren't enabled.
func (r *Roster) settle(enabled []string, seats []*Seat) {
	allowed := make(map[string]struct{}, len(enabled))
	for _, node := range enabled {
		allowed[node] = struct{}{}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, seat := range seats {
		if _, ok := allowed[seat.node]; !ok {
			seat.end()
			r.endLocked(seat.node)
		}
	}
	close(r.answered)
	r.answered = make(chan struct{})
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
