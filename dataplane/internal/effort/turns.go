package effort

import (
	"sync"
	"time"
)

// class is how dear a piece looks.
type class int

const (
	light class = iota
	dear
	classes
)

var classNames = [classes]string{light: "light", dear: "dear"}

// turns lets some pieces be at work at a time, as many as they may and as the node's share has time for, in their order.
type turns struct {
	cfg      Config
	most     int
	mostDear int
	counts   *counts

	mu      sync.Mutex
	atWork  [classes]int
	waiting [classes]line
	looks   [classes]time.Duration // of those who wait
	share   share
	wake    *time.Timer // while somebody waits for the node's share; made once
}

func newTurns(cfg Config, counts *counts) *turns {
	return &turns{
		cfg: cfg, most: cfg.Turns, mostDear: max(cfg.Turns/2, 1), counts: counts,
		share: newShare(cfg.Share * float64(cfg.Processors)),
	}
}

// counting returns which part of callers' allowances counts now: less, the more of its share the node has spent, and the longer the dear ones who wait will have to.
func (t *turns) counting(now time.Time) float64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	wait := float64(t.looks[dear]) / float64(t.mostDear) / float64(t.cfg.Patience)
	return min(t.share.counting(now), counting(wait))
}

// counting returns which part of allowances counts where so much of what there is is used: all of it up to a half, then less, a twentieth where nothing is left.
func counting(used float64) float64 { return max(min(2*(1-used), 1), little) }

// take waits until it is a piece's turn. An error says why it won't be: ErrBusy or ErrGone.
func (t *turns) take(p *piece, watch func(func()) (func(), error)) error {
	t.mu.Lock()
	if len(t.waiting[p.class]) == 0 && t.mayBegin(p.class, p.came) {
		t.atWork[p.class]++
		t.mu.Unlock()
		return nil
	}
	if !t.join(p) {
		t.mu.Unlock()
		t.counts.refuse(queueFull)
		return ErrBusy
	}
	t.sleep(p.came)
	t.mu.Unlock()
	return t.wait(p, watch)
}

func (t *turns) wait(p *piece, watch func(func()) (func(), error)) error {
	gone := make(chan struct{})
	if watch != nil {
		release, err := watch(sync.OnceFunc(func() { close(gone) }))
		if err != nil {
			return t.leave(p, ErrGone, clientGone)
		}
		defer release()
	}
	late := time.NewTimer(t.cfg.Patience)
	defer late.Stop()
	select {
	case err := <-p.granted:
		return err
	case <-late.C:
		return t.leave(p, ErrBusy, tooLate)
	case <-gone:
		return t.leave(p, ErrGone, clientGone)
	}
}

// leave takes a piece out of the line that waits no longer. One that has been let in, or pushed out, at this moment is heard of that first.
func (t *turns) leave(p *piece, why error, reason string) error {
	t.mu.Lock()
	if !t.drop(p) {
		t.mu.Unlock()
		err := <-p.granted
		if err != nil || why != ErrGone { //nolint:errorlint // our own, unwrapped
			return err
		}
		t.giveBack(p.class, 0)
	} else {
		t.sleep(t.cfg.Clock())
		t.mu.Unlock()
	}
	t.counts.refuse(reason)
	return why
}

// giveBack ends a piece's turn, books what it has cost the node, and lets in who is next.
func (t *turns) giveBack(of class, cost time.Duration) {
	now := t.cfg.Clock()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.atWork[of]--
	t.share.book(of, cost, now)
	t.letIn(now)
}

// letIn lets in whoever may begin. The caller holds the turns.
func (t *turns) letIn(now time.Time) {
	for begun := true; begun; {
		begun = false
		for of := range classes {
			if len(t.waiting[of]) > 0 && t.mayBegin(of, now) {
				t.atWork[of]++
				first := t.waiting[of][0]
				t.drop(first)
				first.granted <- nil
				begun = true
			}
		}
	}
	t.sleep(now)
}

// mayBegin tells whether there is a turn for one of a class, and time. A dear one that waits has one turn kept for it.
func (t *turns) mayBegin(of class, now time.Time) bool {
	free := t.most - t.atWork[light] - t.atWork[dear]
	if of == dear && t.atWork[dear] >= t.mostDear {
		return false
	}
	if of == light && len(t.waiting[dear]) > 0 && t.atWork[dear] == 0 && t.share.opens(dear, now) == 0 {
		free--
	}
	return free > 0 && t.share.opens(of, now) == 0
}

// join puts a piece into the line. If that is full the one gives way that is due last: a dear one, as long as there are any.
func (t *turns) join(p *piece) bool {
	if len(t.waiting[light])+len(t.waiting[dear]) >= t.cfg.Queue {
		from := &t.waiting[dear]
		if len(*from) == 0 {
			from = &t.waiting[light]
		}
		last := from.last()
		if last == nil || p.class > last.class || p.class == last.class && !p.due.Before(last.due) {
			return false
		}
		t.drop(last)
		t.counts.refuse(queueFull)
		last.granted <- ErrBusy
	}
	t.waiting[p.class].add(p)
	t.looks[p.class] += p.looks
	return true
}

// drop takes a piece out of the line; false: it isn't there any more.
func (t *turns) drop(p *piece) bool {
	if !t.waiting[p.class].remove(p) {
		return false
	}
	t.looks[p.class] -= p.looks
	return true
}

// sleep sees to it that who waits for the node's share is let in once there is something of it: one timer for all of them, none while nobody does.
func (t *turns) sleep(now time.Time) {
	var next time.Duration
	for of := range classes {
		if opens := t.share.opens(of, now); len(t.waiting[of]) > 0 && opens > 0 && (next == 0 || opens < next) {
			next = opens
		}
	}
	switch {
	case next > 0 && t.wake == nil:
		t.wake = time.AfterFunc(next, t.woken)
	case next > 0:
		t.wake.Reset(next)
	case t.wake != nil:
		t.wake.Stop()
	}
}

func (t *turns) woken() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.letIn(t.cfg.Clock())
}
