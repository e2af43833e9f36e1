package limiter

import (
	"fmt"
	"time"
)

// Limit is up to MaxWindows windows that must all hold. It is immutable.
type Limit struct {
	rates   []rate
	windows []Window // that the rates are made of, or of parts of which
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
		l.windows = append(l.windows, w)
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
func (l Limit) take(t tats, now int64, spend bool) (v Verdict) {
	var next [MaxWindows]moment
	v.Allowed = true
	for i := range l.rates {
		r := &l.rates[i]
		tat, ok := r.next(*t.at(i), now)
		next[i] = tat
		if !ok {
			v.Allowed = false
			v.RetryAfter = max(v.RetryAfter, r.wait(tat, now))
		}
	}
	if v.Allowed && spend {
		t.copy(tatsOf(next[:len(l.rates)]))
	}
	for i := range l.rates {
		r, tat := &l.rates[i], *t.at(i)
		v.Windows[i] = State{Remaining: r.remaining(tat, now), Reset: r.reset(tat, now)}
	}
	return v
}

// tats are a cell's, one for each window.
type tats struct {
	first *moment
	more  []moment
}

// tatsOf returns those in a list, which isn't empty.
func tatsOf(list []moment) tats { return tats{first: &list[0], more: list[1:]} }

func (t tats) at(window int) *moment {
	if window == 0 {
		return t.first
	}
	return &t.more[window-1]
}

// copy sets them to those of another cell of the same limit.
func (t tats) copy(from tats) {
	*t.first = *from.first
	copy(t.more, from.more)
}

// fullAt returns when a cell is back at its full allowance in every window, in whole nanoseconds.
func (t tats) fullAt() int64 {
	latest := max(int64(t.first.ceil()), 0)
	for _, m := range t.more {
		latest = max(latest, int64(m.ceil()))
	}
	return latest
}
