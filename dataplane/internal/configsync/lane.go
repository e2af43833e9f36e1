package configsync

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/dataplane/internal/freshness"
	"github.com/sallyport/sallyport/dataplane/internal/state"
	"github.com/sallyport/sallyport/proto/digest"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// content is what a lane holds, behind its position.
type content interface {
	digest() digest.Sum
	limits() limits
	prepareDelta(*delta) (candidate, error)
	prepareSnapshot(compressed io.Reader) (candidate, error)
	// restored puts in force what was committed without complete, off the disk.
	restored(head) error
	// reset drops what was committed without complete.
	reset() error
}

// candidate is a state made aside. It is dropped unless it is committed.
type candidate interface {
	digest() digest.Sum
	// complete does what is left before commit, and may wait.
	complete(context.Context, head) error
	// commit puts the state in force.
	commit(number uint64) error
}

// delta is either lane's delta, less its head.
type delta struct {
	from    uint64
	objects []*edgev1.ObjectChange
	entries []*edgev1.EntryChange
}

// held is where a lane is. Epoch 0: nothing was applied yet.
type held struct {
	epoch, number uint64
	digest        digest.Sum
	time          time.Time          // of the newest verified head that names this state
	signed        *edgev1.SignedHead // that head
}

// lane is one lane's state and the rules by which it moves. One goroutine writes it.
type lane struct {
	name     string
	verifier verifier
	content  content
	log      *slog.Logger
	stats    *laneStats
	news     slog.Level // of what moves the lane
	moved    func()     // called after each move
	disk     disk
	// tookWhole is called after each whole state that was read, in force or not.
	tookWhole func()
	// freshness hears of each word on what the lane holds; nil: nobody does.
	freshness *freshness.Freshness
	// witness keeps how far the audit record goes; nil: this lane doesn't hear of it.
	witness *witness
	arrived time.Time // of the head that is dealt with; zero: it didn't come over the wire

	held atomic.Pointer[held]
	kept atomic.Pointer[held] // what of it lasts: it is what the other side is told
	// asked: the control plane was heard since the start of the process, or was asked for long enough.
	asked atomic.Bool
}

func newLane(name string, v verifier, c content, log *slog.Logger, news slog.Level, moved func()) *lane {
	l := &lane{name: name, verifier: v, content: c, log: log.With("lane", name), stats: new(laneStats), news: news, moved: moved, tookWhole: func() {}}
	l.begin()
	return l
}

// begin makes the lane hold nothing.
func (l *lane) begin() {
	l.held.Store(&held{digest: l.content.digest()})
	l.kept.Store(l.held.Load())
}

// check verifies a head and that it doesn't lead back.
func (l *lane) check(signed *edgev1.SignedHead) (head, error) {
	l.arrived = time.Now()
	h, err := l.verifier.verify(signed)
	if err != nil {
		return h, err
	}
	now := l.held.Load()
	if err := h.behind(state.Position{Epoch: now.epoch, Number: now.number}); err != nil {
		return h, err
	}
	return h, h.behind(l.disk.highest())
}

// behind refuses a head that leads back from where the node is, or ever was.
func (h head) behind(at state.Position) error {
	if !h.position().Before(at) {
		return nil
	}
	return &refusal{code: codeLowerPosition, reaction: reconnect, detail: fmt.Sprintf("the head is at %d in epoch %d, the node was at %d in epoch %d already", h.number, h.epoch, at.Number, at.Epoch)}
}

// delta applies a delta. It must start from what the lane told that it holds; what is held beyond that is in the delta again.
func (l *lane) delta(ctx context.Context, h head, d *delta) error {
	now := l.kept.Load()
	if d.from != now.number || now.epoch != 0 && h.epoch != now.epoch {
		return &refusal{code: codeWrongBase, reaction: reconnect, detail: fmt.Sprintf("the delta starts from %d in epoch %d, the node is at %d in epoch %d", d.from, h.epoch, now.number, now.epoch)}
	}
	l.stats.deltas.Add(1)
	return l.step(ctx, h, d)
}

func (l *lane) step(ctx context.Context, h head, d *delta) error {
	return l.apply(ctx, h, func() (candidate, error) { return l.content.prepareDelta(d) }, func() error { return l.disk.append(h, d) })
}

// snapshot applies a whole state.
func (l *lane) snapshot(ctx context.Context, h head, compressed io.Reader) error {
	l.stats.snapshots.Add(1)
	defer l.tookWhole()
	kept := l.disk.begin(h)
	defer kept.Abort()
	prepare := func() (candidate, error) { return l.content.prepareSnapshot(io.TeeReader(compressed, kept)) }
	return l.apply(ctx, h, prepare, kept.Commit)
}

// beat takes note of a head under which nothing changed. The lane may move by it: a change may have
// been taken back by another that the node never saw, and an empty lane is held from its first beat
// on.
func (l *lane) beat(ctx context.Context, h head) error {
	l.stats.beats.Add(1)
	now := l.held.Load()
	same := h.digest == now.digest
	switch {
	case h.epoch != now.epoch && now.epoch != 0:
		return &refusal{code: codeWrongBase, detail: fmt.Sprintf("a beat of epoch %d, the node is in epoch %d", h.epoch, now.epoch)}
	case h.epoch == now.epoch && h.number == now.number && same:
		l.confirm(h)
		return nil
	case h.epoch == now.epoch && h.number == now.number:
		return l.mismatch(h, now.digest)
	case same && l.kept.Load().number == now.number:
		return l.step(ctx, h, &delta{from: now.number})
	default: // what leads there is on its way, or was refused
		return nil
	}
}

// apply is the one place where a lane's state changes: what is prepared must be what the head says. It is acked once it lasts.
//
// A configuration is kept first and in force then, so that one on which the process dies is known to be the one; without a disk there
// is no new configuration. What is the case is in force at once, and without a disk it isn't acked: the stream is opened again
// and the delta comes again, with what happened meanwhile.
func (l *lane) apply(ctx context.Context, h head, prepare func() (candidate, error), keep func() error) error {
	if l.disk.blocked(h) {
		return &refusal{code: codeCrashed, detail: fmt.Sprintf("the process died twice soon after taking revision %d; the one before it is in force until a newer one comes", h.number)}
	}
	next, err := prepare()
	if err != nil {
		return err
	}
	if sum := next.digest(); sum != h.digest {
		return l.mismatch(h, sum)
	}
	if err := next.complete(ctx, h); err != nil {
		return err
	}
	// That may have taken its time, in which the key was retired: off the disk it would be believed up to where the node was then.
	if _, known := l.verifier.trust.SigningKey(h.signed.GetKeyId()); !known {
		return unknownKey(h.signed)
	}
	if l.disk.first {
		if err := keep(); err != nil {
			return notDurable(h, err)
		}
	}
	if err := l.put(next, h); err != nil {
		return err
	}
	l.vouched(h)
	l.moved()
	if !l.disk.first {
		if err := keep(); err != nil {
			return notDurable(h, err)
		}
	}
	l.kept.Store(l.held.Load())
	if !l.disk.first {
		l.moved() // a configuration may wait for it to last
	}
	return nil
}

// put puts a state in force.
func (l *lane) put(next candidate, h head) error {
	if err := next.commit(h.number); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	l.held.Store(&held{epoch: h.epoch, number: h.number, digest: h.digest, time: h.time, signed: h.signed})
	return nil
}

// vouched takes note that the control plane has vouched for what is in force.
func (l *lane) vouched(h head) {
	if l.freshness != nil && !l.arrived.IsZero() {
		l.freshness.Heard(h.time, l.arrived)
	}
}

// confirm keeps the newest word on what is held: an older one may be sent again by anybody.
func (l *lane) confirm(h head) {
	l.vouched(h)
	now := *l.held.Load()
	if h.time.After(now.time) {
		now.time, now.signed = h.time, h.signed
		l.held.Store(&now)
	}
}

func (l *lane) mismatch(h head, own digest.Sum) error {
	l.stats.mismatches.Add(1)
	l.log.Error("digest mismatch: the node computes another state than the control plane has signed",
		"number", h.number, "epoch", h.epoch, "want", h.digest, "got", own)
	return &refusal{code: codeDigestMismatch, reaction: resync, detail: "the node's digest of the state is another than the signed one"}
}

// hello says what the lane holds for good.
func (l *lane) hello(config Config) *edgev1.Hello {
	now := l.kept.Load()
	hello := &edgev1.Hello{
		Epoch: now.epoch, Number: now.number, Digest: now.digest[:], Capability: Capability, Boot: config.Boot, Build: config.Build, Head: now.signed,
		TrustVersion: l.verifier.trust.TrustVersion(),
	}
	if !config.Started.IsZero() {
		hello.StartedAt = timestamppb.New(config.Started)
	}
	if l.witness != nil {
		hello.AuditHead = l.witness.kept()
	}
	return hello
}
