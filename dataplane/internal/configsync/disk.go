package configsync

import (
	"errors"
	"fmt"
	"io"

	"github.com/sallyport/sallyport/dataplane/internal/state"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// disk is where a lane keeps its state; the zero one keeps nothing.
type disk struct {
	lane  *state.Lane
	first bool // what can't be kept isn't put in force
}

// keeping is a whole state being kept.
type keeping interface {
	io.Writer
	Commit() error
	Abort()
}

// notKept keeps nothing.
type notKept struct{}

func (notKept) Write(p []byte) (int, error) { return len(p), nil }
func (notKept) Commit() error               { return nil }
func (notKept) Abort()                      {}

func (d disk) highest() state.Position {
	if d.lane == nil {
		return state.Position{}
	}
	return d.lane.Highest()
}

func (d disk) blocked(h head) bool { return d.lane != nil && d.lane.Blocked(h.position()) }

func (d disk) append(h head, change *delta) error {
	if d.lane == nil {
		return nil
	}
	return d.lane.Append(&state.Delta{Head: h.signed, From: change.from, Objects: change.objects, Entries: change.entries})
}

func (d disk) begin(h head) keeping {
	if d.lane == nil {
		return notKept{}
	}
	return d.lane.Begin(h.signed)
}

// notDurable refuses to ack what a crash would lose. The stream is opened again, after a pause: the state is offered once more, with
// what happened meanwhile.
func notDurable(h head, err error) *refusal {
	return &refusal{code: codeNotDurable, reaction: reconnect, expected: errors.Is(err, state.ErrFrozen), detail: fmt.Sprintf("%d can't be kept on the node's disk: %v", h.number, err)}
}

func (h head) position() state.Position { return state.Position{Epoch: h.epoch, Number: h.number} }

// wasAsked takes note that the control plane was heard, or asked for long enough.
func (l *lane) wasAsked() {
	if !l.asked.Swap(true) {
		l.moved()
	}
}

// Restore puts in force what the node has kept. It comes before Run. What can't be used has been put aside and is fetched anew.
func (s *Syncer) Restore() {
	if s.config.State == nil {
		return
	}
	s.directory.restore()
	s.configuration.restore()
}

// restore reads a lane off the disk. Until its last step nothing of a configuration is compiled.
func (l *lane) restore() {
	defer l.tookWhole()
	err := l.disk.lane.Load(&restorer{lane: l})
	if err != nil {
		l.log.Error("what the node has kept is of no use; it begins with nothing", "error", err)
		if err := l.content.reset(); err != nil {
			l.log.Error("what came off the disk can't be dropped", "error", err) // never: nobody else writes yet
		}
		l.begin()
		return
	}
	if now := l.held.Load(); now.epoch > 0 {
		l.kept.Store(now)
		l.log.Info("in force, off the disk", "number", now.number, "epoch", now.epoch, "signed", now.time)
		l.moved()
	}
}

// restorer verifies what a lane has kept as if it came over the wire.
type restorer struct {
	lane *lane
	last head
}

// Snapshot implements state.Reader.
func (r *restorer) Snapshot(signed *edgev1.SignedHead, compressed io.Reader) error {
	return r.take(signed, func() (candidate, error) { return r.lane.content.prepareSnapshot(compressed) })
}

// Delta implements state.Reader.
func (r *restorer) Delta(d *state.Delta) error {
	if now := r.lane.held.Load(); d.From != now.number {
		return &refusal{code: codeWrongBase, detail: fmt.Sprintf("it starts from %d, what comes before it ends at %d", d.From, now.number)}
	}
	for _, change := range d.Objects {
		if fault := refuseUnknown(change.ProtoReflect()); fault != nil {
			return fault
		}
	}
	for _, change := range d.Entries {
		if fault := refuseUnknown(change.ProtoReflect()); fault != nil {
			return fault
		}
	}
	return r.take(d.Head, func() (candidate, error) {
		return r.lane.content.prepareDelta(&delta{from: d.From, objects: d.Objects, entries: d.Entries})
	})
}

func (r *restorer) take(signed *edgev1.SignedHead, prepare func() (candidate, error)) error {
	h, err := r.lane.verifier.verifyKept(signed)
	if err != nil {
		return err
	}
	now := r.lane.held.Load()
	if err := h.behind(state.Position{Epoch: now.epoch, Number: now.number}); err != nil {
		return err
	}
	if now.epoch != 0 && h.epoch != now.epoch {
		return &refusal{code: codeWrongBase, detail: fmt.Sprintf("it is of epoch %d, what comes before it of %d", h.epoch, now.epoch)}
	}
	next, err := prepare()
	if err != nil {
		return err
	}
	if sum := next.digest(); sum != h.digest {
		return r.lane.mismatch(h, sum)
	}
	r.last = h
	return r.lane.put(next, h)
}

// Done implements state.Reader.
func (r *restorer) Done() error { return r.lane.content.restored(r.last) }
