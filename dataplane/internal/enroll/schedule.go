package enroll

import (
	"context"
	mathrand "math/rand/v2"
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
	// renewSpread is over how long the nodes of a fleet renew when another issuer has taken the place of theirs.
	renewSpread = 10 * time.Second
)

// Run renews the identity each time that half of its certificate's life is over, and when another issuer
// has taken the place of the one who issued its papers, until ctx ends. A
// node that can't renew serves on with what it has; its operator is told at each attempt.
func (r *Renewer) Run(ctx context.Context) error {
	due, early := firstDue(r.identity.papers()), time.Now()
	for r.await(ctx, due, early) == nil && r.persist(ctx) == nil {
		due, early = nextDue(r.identity.papers()), time.Now().Add(leastEarly)
	}
	return nil
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

// await waits until the clock on the wall shows when a renewal is due. The papers can be outdated before, and a renewal wanted: that
// isn't made twice in a row, but early at the earliest.
func (r *Renewer) await(ctx context.Context, due, early time.Time) error {
	due = due.Round(0) // without the monotonic reading, which stands still while the machine sleeps
	hurry := func(to time.Time) {
		if to = to.Round(0); to.Before(due) {
			due = to
		}
	}
	hurried := false
	for {
		changed := r.identity.Changed() // before looking, so that nothing is missed
		if !hurried && r.identity.papers().outdated() {
			hurried = true
			hurry(time.Now().Add(mathrand.N(r.spread))) // #nosec G404 -- no secret, only to spread a fleet
		}
		left := due.Sub(time.Now().Round(0))
		if left <= 0 {
			return ctx.Err()
		}
		timer := time.NewTimer(min(left, clockLook))
		select {
		case <-timer.C:
		case <-changed:
		case <-r.wanted:
			hurry(early)
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
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
