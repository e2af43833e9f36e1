package upstream

import (
	"cmp"
	"slices"
	"sync/atomic"
)

// counts are what happened to a target.
type counts struct {
	opened        atomic.Uint64
	retries       atomic.Uint64
	foundDead     atomic.Uint64
	ejections     atomic.Uint64
	queueFull     atomic.Uint64
	queueTimeout  atomic.Uint64
	lookupsFailed atomic.Uint64
}

// Stats is how a target is, and what happened to it.
type Stats struct {
	// Target is its host:port; Others stands for all that there is no room to tell of one by one.
	Target string
	// Open, Idle and Waiting are connections, those of them that nobody uses, and requests that wait for one.
	Open, Idle, Waiting int64
	// Ejected tells how many are out of rotation: 0 or 1, but of Others.
	Ejected int64
	// Opened, Retried, Dead, Ejections, QueueFull, QueueTimeouts and LookupsFailed count: connections, requests sent again, connections
	// found dead when they were to be used, ejections, requests that found the queue full or waited in it in vain, and names not resolved.
	Opened, Retried, Dead, Ejections, QueueFull, QueueTimeouts, LookupsFailed uint64
}

// Others is the Target of all those together that aren't told of by themselves.
const Others = "others"

// mostTold is how many targets are told of one by one: metrics of each are kept for long, by whoever collects them.
const mostTold = 256

// Stats tells of the targets there are, the busiest by themselves, in the order of their names. Counts of targets that are gone are gone:
// to whoever collects them they begin anew.
func (r *Registry) Stats() []Stats {
	byName := map[string]*Stats{} // one name may be spoken to in several ways
	now := r.cfg.Sweeper.Now()
	for _, t := range r.all() {
		s := byName[t.key.address]
		if s == nil {
			s = &Stats{Target: t.key.address}
			byName[s.Target] = s
		}
		s.add(t.stats())
		if !t.health.available(now) {
			s.Ejected++
		}
	}
	all := make([]Stats, 0, len(byName))
	for _, s := range byName {
		all = append(all, *s)
	}
	slices.SortFunc(all, func(a, b Stats) int { return cmp.Or(cmp.Compare(b.Opened, a.Opened), cmp.Compare(a.Target, b.Target)) })
	if len(all) > mostTold {
		others := Stats{Target: Others}
		for _, s := range all[mostTold:] {
			others.add(s)
		}
		all = append(all[:mostTold], others)
	}
	slices.SortFunc(all, func(a, b Stats) int { return cmp.Compare(a.Target, b.Target) })
	return all
}

func (t *target) stats() Stats {
	c := &t.counts
	return Stats{
		Open: t.open.Load(), Idle: t.idle(), Waiting: int64(t.waiting.Load()),
		Opened: c.opened.Load(), Retried: c.retries.Load(), Dead: c.foundDead.Load(), Ejections: c.ejections.Load(),
		QueueFull: c.queueFull.Load(), QueueTimeouts: c.queueTimeout.Load(), LookupsFailed: c.lookupsFailed.Load(),
	}
}

func (s *Stats) add(other Stats) {
	s.Open += other.Open
	s.Idle += other.Idle
	s.Waiting += other.Waiting
	s.Ejected += other.Ejected
	s.Opened += other.Opened
	s.Retried += other.Retried
	s.Dead += other.Dead
	s.Ejections += other.Ejections
	s.QueueFull += other.QueueFull
	s.QueueTimeouts += other.QueueTimeouts
	s.LookupsFailed += other.LookupsFailed
}
