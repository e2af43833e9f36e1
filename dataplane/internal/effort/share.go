package effort

import "time"

// window is how much of its share the node may have spent ahead.
const window = 2 * time.Second

// entitled is which part of the share is each class's own, whatever the other takes.
var entitled = [classes]float64{light: 3.0 / 4, dear: 1.0 / 4}

// share is the time of its processors that a node lets inspections take. Its methods are called by one at a time.
type share struct {
	all purse
	own [classes]purse
}

// purse is time that was spent and comes back at a pace.
type purse struct {
	most  time.Duration
	pace  float64
	spent time.Duration
	at    time.Time
}

func newShare(pace float64) share {
	s := share{all: newPurse(pace)}
	for of := range classes {
		s.own[of] = newPurse(entitled[of] * pace)
	}
	return s
}

func newPurse(pace float64) purse {
	return purse{most: time.Duration(pace * float64(window)), pace: pace}
}

func (p *purse) now(now time.Time) time.Duration {
	p.spent, p.at = back(p.spent, p.pace, p.at, now)
	return p.spent
}

// opens returns how long it takes until something of the purse is left; 0: it is.
func (p *purse) opens(now time.Time) time.Duration {
	if over := p.now(now) - p.most; over >= 0 {
		return max(time.Duration(float64(over)/p.pace), 0) + time.Millisecond
	}
	return 0
}

func (p *purse) book(cost time.Duration, now time.Time) { p.spent = p.now(now) + cost }

// opens returns how long it takes until there is time for a piece of a class: of all of the share, or of what is its own.
func (s *share) opens(of class, now time.Time) time.Duration {
	return min(s.all.opens(now), s.own[of].opens(now))
}

func (s *share) book(of class, cost time.Duration, now time.Time) {
	s.all.book(cost, now)
	s.own[of].book(cost, now)
}

// counting returns which part of callers' allowances counts.
func (s *share) counting(now time.Time) float64 {
	return counting(float64(s.all.now(now)) / float64(s.all.most))
}
