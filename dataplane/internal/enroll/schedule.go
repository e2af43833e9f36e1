package enroll

import (
	"context"
	mathrand "math/rand/v2"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	// clockLook is how often the clock is looked at while a renewal isn't due: timers stand still while
	// a machine sleeps, certificates don't.
	clockLook = time.Minute
	// leastRetry, and mostRetry or a tenth of what is left of the certificate, are the bounds of the pause
	// after a renewal that failed. Close to the end and after it, that is endRetry at most.
	leastRetry = time.Second
	endRetry   = 10 * time.Second
	mostRetry  = 5 * time.Minute
	// leastEarly is the least pause between a renewal and the next one that somebody wants early.
	leastEarly = time.Minute
	// refusedRetry is the least pause after a refusal: only a person can mend what caused it.
	refusedRetry = time.Minute
)

// Run renews the identity each time that half of its certificate's life is over, until ctx ends. A
// node that can't renew serves on with what it has; its operator is told at each attempt.
func (r *Renewer) Run(ctx context.Context) error {
	due, early := firstDue(r.identity.papers()), time.Now()
	for r.awaitDue(ctx, due, early) == nil && r.persist(ctx) == nil {
		due, early = nextDue(r.identity.papers()), time.Now().Add(leastEarly)
	}
	return nil
}

// awaitDue waits until a renewal is due, or is wanted and was not made just before.
func (r *Renewer) awaitDue(ctx context.Context, due, early time.Time) error {
	waiting, wanted := context.WithCancel(ctx)
	defer wanted()
	var asking sync.WaitGroup
	defer asking.Wait()
	asking.Go(func() {
		select {
		case <-r.wanted:
			if awaitClock(waiting, early) == nil {
				wanted()
			}
		case <-waiting.Done():
		}
	})
	_ = awaitClock(waiting, due) // due, wanted, or the end
	wanted()
	return ctx.Err()
}

// firstDue returns when a certificate from the disk is to be renewed: in the middle of its life, or up
// to a tenth of it later, so that a fleet doesn't come in step.
func firstDue(p *papers) time.Time {
	return p.certificate.Leaf.NotBefore.Add(share(p))
}

// nextDue is firstDue for a certificate just received. It counts from now by the node's own clock: a
// clock that is wrong must not make it renew again and again.
func nextDue(p *papers) time.Time { return time.Now().Add(share(p)) }

func share(p *papers) time.Duration {
	life := p.expires().Sub(p.certificate.Leaf.NotBefore)
	return life/2 + mathrand.N(max(life/10, 1)) // #nosec G404 -- no secret, only to spread a fleet
}

// awaitClock waits until the clock on the wall shows a time, or ctx ends.
func awaitClock(ctx context.Context, due time.Time) error {
	due = due.Round(0) // without the monotonic reading, which stands still while the machine sleeps
	for left := time.Until(due); left > 0; left = due.Sub(time.Now().Round(0)) {
		if err := sleep(ctx, min(left, clockLook)); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// persist tries until the identity is renewed; its error is the end of ctx.
func (r *Renewer) persist(ctx context.Context) error {
	by := byCertificate
	for pause := leastRetry; ; pause *= 2 {
		expires := r.identity.Expires()
		if !time.Now().Before(expires) {
			by = byProof
		}
		err := r.attempt(ctx, by)
		if err == nil {
			r.succeeded.Add(1)
			r.log.Info("the node's certificate is renewed", "node", r.identity.Node(), "by", string(by), "until", r.identity.Expires())
			r.renewed()
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		r.failed.Add(1)
		left := time.Until(expires)
		pause = min(pause, mostRetry, max(left/10, endRetry))
		wait := pause/2 + mathrand.N(pause/2+1) // #nosec G404 -- no secret, only to spread a fleet
		if !passing(status.Code(err)) {
			wait = max(wait, refusedRetry)
		}
		r.complain(by, left, wait, err)
		if err := sleep(ctx, wait); err != nil {
			return err
		}
		by = other(by, err)
	}
}

// other returns the way to try next. A server whose clock is ahead of ours breaks off at the sight of a
// certificate that has ended for it alone, which looks as if it weren't there: it takes the proof.
func other(by way, err error) way {
	if by == byCertificate && status.Code(err) == codes.Unavailable {
		return byProof
	}
	return byCertificate
}

// complain tells an operator that the node couldn't renew.
func (r *Renewer) complain(by way, left, wait time.Duration, err error) {
	attributes := []any{"node", r.identity.Node(), "by", string(by), "left", left.Round(time.Second), "again_in", wait.Round(time.Millisecond), "error", err}
	if left > 0 {
		r.log.Warn("the node's certificate couldn't be renewed", attributes...)
		return
	}
	r.log.Error("the node's certificate has ended and couldn't be renewed: the node serves what it holds, and hears of no change; "+
		"if this is refused, or 30 days are over, enrol it again with a new join token and an empty data folder", attributes...)
}
