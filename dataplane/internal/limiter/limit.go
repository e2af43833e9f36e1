package limiter

import (
	"fmt"
	"time"
)

// Limit is up to MaxWindows windows that must all hold. It is immutable.
type Limit struct {
	rates []rate
}

// NewLimit prepares a limit. Errors wrap ErrOutOfRange.
func NewLimit(windows ...Window) (Limit, error) {
	if len(windows) == 0 || len(windows) > MaxWindows {
		return Limit{}, fmt.Errorf("%w: %d windows, 1 to %d are possible", ErrOutOfRange, len(windows), MaxWindows)
	}
	var l Limit
	for i, w := range windows {
		r, err := newRate(w)
		if err != nil {
			return Limit{}, fmt.Errorf("windows[%d]: %w", i, err)
		}
		l.rates = append(l.rates, r)
	}
	return l, nil
}

// Windows returns how many windows the limit has.
func (l Limit) Windows() int { return len(l.rates) }

// Verdict is what a Table says to one request.
type Verdict struct {
	// Allowed means that every window had room, and that each was charged.
	Allowed bool
	// RetryAfter is how long until the same request would pass if nothing else comes; 0 when it is allowed.
	RetryAfter time.Duration
	// Windows holds each window's state after the request, the limit's Windows many.
	Windows [MaxWindows]State
	// Shared means that the caller was counted in the overflow cell.
	Shared bool
}

// State is what a window leaves a caller.
type State struct {
	// Remaining requests that could pass at once.
	Remaining uint64
	// Reset is how long until the whole allowance is back.
	Reset time.Duration
}

// take decides on one request against a cell's TATs, and charges all of them or none.
func (l Limit) take(tats []moment, now int64, spend bool) (v Verdict) {
	var next [MaxWindows]moment
	v.Allowed = true
	for i, was := range tats[:len(l.rates)] {
		r := &l.rates[i]
		tat, ok := r.next(was, now)
		next[i] = tat
		if !ok {
			v.Allowed = false
			v.RetryAfter = max(v.RetryAfter, r.wait(tat, now))
		}
	}
	if v.Allowed && spend {
		copy(tats, next[:len(l.rates)])
	}
	for i, tat := range tats[:len(l.rates)] {
		r := &l.rates[i]
		v.Windows[i] = State{Remaining: r.remaining(tat, now), Reset: r.reset(tat, now)}
	}
	return v
}

// fullAt returns when a cell is back at its full allowance in every window, in whole nanoseconds.
func fullAt(tats []moment) int64 {
	var latest int64
	for _, t := range tats {
		latest = max(latest, int64(t.ceil()))
	}
	return latest
}
