package limiter

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"time"
)

// Bounds of a window, those of its contract.
const (
	MaxRequests = 1_000_000_000
	MinWindow   = 100 * time.Millisecond
	MaxWindow   = 24 * time.Hour

	// MaxWindows is how many windows one limit may have.
	MaxWindows = 4
)

// ErrOutOfRange is returned for a window that the arithmetic wasn't made for.
var ErrOutOfRange = errors.New("limit out of range")

// Window is one limit: Requests in each Length, of which Burst may come at once.
type Window struct {
	Requests uint32
	Length   time.Duration
	Burst    uint32 // 0: Requests
}

// horizon bounds how far ahead a TAT may lie, in nanoseconds (73 years); a burst that reaches further ends there. Times
// are at most as large, so that no sum of a time, a burst and an interval overflows.
const horizon = math.MaxInt64 / 4

// moment is a time or distance: ns nanoseconds and part/requests of another, part < requests.
type moment struct {
	ns   int64
	part uint32
}

// rate is a window prepared.
type rate struct {
	requests uint64
	length   uint64 // ns, in which the requests pass
	interval moment // T, length/requests
	burst    moment // burst·T
}

func newRate(w Window) (rate, error) {
	if w.Requests == 0 || w.Requests > MaxRequests || w.Burst > MaxRequests || w.Length < MinWindow || w.Length > MaxWindow {
		return rate{}, fmt.Errorf("%w: %d requests in %s, %d at once", ErrOutOfRange, w.Requests, w.Length, w.burst())
	}
	return w.rate(part{nth: 1, burst: w.burst()}), nil
}

// burst returns how many requests may come at once.
func (w Window) burst() uint32 {
	if w.Burst == 0 {
		return w.Requests
	}
	return w.Burst
}

// rate prepares a part of the window. The denominator of its times is that of the whole: cells mean the same under each.
func (w Window) rate(p part) rate {
	r := rate{requests: uint64(w.Requests), length: uint64(w.Length) * uint64(p.nth)}
	r.interval = moment{ns: int64(r.length / r.requests), part: uint32(r.length % r.requests)}
	high, low := bits.Mul64(uint64(p.burst), r.length)
	if high >= r.requests {
		r.burst = moment{ns: horizon}
		return r
	}
	whole, rest := bits.Div64(high, low, r.requests)
	if whole >= horizon {
		r.burst = moment{ns: horizon}
		return r
	}
	r.burst = moment{ns: int64(whole), part: uint32(rest)}
	return r
}

// plus returns m + d.
func (r *rate) plus(m, d moment) moment {
	sum := moment{ns: m.ns + d.ns}
	part := uint64(m.part) + uint64(d.part)
	if part >= r.requests {
		part -= r.requests
		sum.ns++
	}
	sum.part = uint32(part)
	return sum
}

// minus returns m - d, where d is not after m.
func (r *rate) minus(m, d moment) moment {
	if m.part < d.part {
		return moment{ns: m.ns - d.ns - 1, part: uint32(uint64(m.part) + r.requests - uint64(d.part))}
	}
	return moment{ns: m.ns - d.ns, part: m.part - d.part}
}

// after tells whether m is later than o.
func (m moment) after(o moment) bool {
	return m.ns > o.ns || m.ns == o.ns && m.part > o.part
}

// ceil returns m in nanoseconds, rounded up.
func (m moment) ceil() time.Duration {
	if m.part > 0 {
		return time.Duration(m.ns + 1)
	}
	return time.Duration(m.ns)
}

// next returns the TAT after one more request at now, and whether that may pass. A TAT in the past counts as now.
func (r *rate) next(tat moment, now int64) (moment, bool) {
	if tat.ns < now {
		tat = moment{ns: now}
	}
	tat = r.plus(tat, r.interval)
	return tat, !tat.after(r.plus(moment{ns: now}, r.burst))
}

// remaining returns how many more requests could pass at once at now.
func (r *rate) remaining(tat moment, now int64) uint64 {
	full := r.plus(moment{ns: now}, r.burst)
	if tat.ns < now {
		tat = moment{ns: now}
	}
	if tat.after(full) {
		return 0
	}
	room := r.minus(full, tat)
	high, low := bits.Mul64(uint64(room.ns), r.requests)
	low, carry := bits.Add64(low, uint64(room.part), 0)
	n, _ := bits.Div64(high+carry, low, r.length) // room ≤ burst·T, so that n ≤ burst
	return n
}

// reset returns how long after now the whole allowance is back.
func (r *rate) reset(tat moment, now int64) time.Duration {
	if tat.ns < now {
		return 0
	}
	return r.minus(tat, moment{ns: now}).ceil()
}

// wait returns how long after now a request will pass that doesn't now, given the TAT that it would lead to.
func (r *rate) wait(next moment, now int64) time.Duration {
	return r.minus(next, r.plus(moment{ns: now}, r.burst)).ceil()
}
