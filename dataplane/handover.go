package dataplane

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/admin"
	"github.com/sallyport/sallyport/dataplane/internal/datadir"
	"github.com/sallyport/sallyport/dataplane/internal/enroll"
	"github.com/sallyport/sallyport/dataplane/internal/handover"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

const (
	// turnPause is between looks at whether the node could serve by now.
	turnPause = 10 * time.Millisecond
	// claimTimeout is how long a process that lost sight of the one before waits for the right to write.
	claimTimeout = 2 * time.Second
)

// handing is what a node knows of hand-overs, as the next process or as the one before.
type handing struct {
	turn  chan struct{} // closed once this process may serve and write
	leave func()        // stops accepting
	under atomic.Bool   // the next process has the sockets, and doesn't serve yet
	left  atomic.Bool   // the next process serves

	// connected: the control plane was heard when the sockets were offered. Later is no time to look: a state that this process can't keep
	// ends its stream again and again.
	connected atomic.Bool

	takenOver, refused, givenUp atomic.Uint64
}

// checkRestored fails unless what the process before holds is in force here as well.
func (n *node) checkRestored() error {
	if configuration, directory := n.syncer.Epochs(); configuration == 0 || directory == 0 {
		return errors.New("what the running process has kept can't be put in force here (the log says why)")
	}
	return nil
}

// identifyNext is identify for a process that takes over: it writes nothing, and enrols no node.
func identifyNext(cfg Config, file *snapshotFile) (*enroll.Identity, error) {
	kept, err := enroll.Load(cfg.DataDir)
	switch {
	case errors.Is(err, enroll.ErrNone) && file != nil:
		return nil, nil //nolint:nilnil // a node without an identity is one
	case err != nil:
		return nil, err //nolint:wrapcheck // says what
	}
	kept.Freeze()
	return kept, nil
}

// takeTurn returns once this process may serve: at once, or when the process that it takes over from has said so. After an error that one
// serves on.
func (n *node) takeTurn(ctx context.Context) error {
	defer close(n.handing.turn)
	taking := n.ground.taking
	if taking == nil {
		return nil
	}
	defer taking.Close()
	began := time.Now()
	gone, err := n.askTurn(ctx, taking)
	if err != nil {
		return fmt.Errorf("take over from process %d: %w", taking.From.Process, err)
	}
	if err := n.claim(ctx); err != nil {
		return fmt.Errorf("take over from process %d: %w", taking.From.Process, err)
	}
	n.ground.took = true
	taking.Serving()
	n.thaw()
	if err := n.ground.lock.Sign(); err != nil {
		n.cfg.Logger.Warn("the data directory's lock names another process", "error", err) // for people alone
	}
	n.handing.takenOver.Add(1)
	n.cfg.Logger.Info("has taken over", "from", taking.From.Process, "alone", gone, "took_ms", time.Since(began).Milliseconds())
	return nil
}

// askTurn returns when it is this process's turn, or when the one before is gone.
func (n *node) askTurn(ctx context.Context, taking *handover.Taking) (gone bool, err error) {
	ctx, cancel := context.WithDeadlineCause(ctx, taking.Until(), errors.New("this process wasn't ready to serve in time"))
	defer cancel()
	select {
	case <-n.syncer.Ready():
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
	tick := time.NewTicker(turnPause)
	defer tick.Stop()
	for {
		at := n.heard()
		turn, need, err := taking.Ready(at, n.connected())
		switch {
		case errors.Is(err, handover.ErrGone):
			n.cfg.Logger.Warn("the process before is gone without a word: this one goes on alone if it can", "error", err)
			return true, nil
		case err != nil || turn:
			return false, err //nolint:wrapcheck // says what
		}
		for again := time.Now().Add(askPause); n.heard().Before(need) || !n.connected() && time.Now().Before(again); {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return false, fmt.Errorf("it is at %+v of the directory, connected %t; the running process is at %+v: %w", n.heard(), n.connected(), need, context.Cause(ctx))
			}
		}
	}
}

// askPause is how long a process that hears nothing of the control plane waits before it asks for its turn again: the one before may hear
// nothing either by then.
const askPause = 500 * time.Millisecond

// claim takes the right to write. The process before let go of it when it offered its sockets, and has it again if it went on.
func (n *node) claim(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, claimTimeout)
	defer cancel()
	tick := time.NewTicker(turnPause)
	defer tick.Stop()
	for {
		writer, err := n.ground.lock.Write()
		if err == nil {
			n.ground.writer = writer
			return nil
		}
		select {
		case <-ctx.Done():
			return err //nolint:wrapcheck // says what
		case <-tick.C:
		}
		if !errors.Is(err, datadir.ErrWritten) {
			return err //nolint:wrapcheck // says what
		}
	}
}

// heard is where the directory in force is.
func (n *node) heard() handover.Position {
	epoch, sequence := n.syncer.Heard()
	return handover.Position{Epoch: epoch, Number: sequence}
}

// connected tells whether both streams to the control plane are open.
func (n *node) connected() bool {
	configuration, directory := n.syncer.Stats()
	return configuration.Connected && directory.Connected
}

// thaw makes this process write, which has the right to.
func (n *node) thaw() {
	n.state.Thaw()
	if !n.joined.Load() {
		return
	}
	if err := n.identity.Thaw(); err != nil {
		n.cfg.Logger.Error("what changed of the node's identity during the hand-over can't be kept; it will be renewed", "error", err)
	}
}

// beAsked lets the next process ask for the sockets, while this one serves. Where it can't be asked it serves all the same.
func (n *node) beAsked(ctx context.Context) {
	giver, err := handover.Listen(n.cfg.DataDir, giving{n}, n.cfg.Logger)
	if err == nil {
		err = giver.Run(ctx)
	}
	if err != nil {
		n.cfg.Logger.Warn("the next process can't take over from this one: stop it before the next is started", "error", err)
	}
}

// operate answers the operator until the node ends, or the next process does.
func (n *node) operate(background, serving context.Context) error {
	ctx, cancel := context.WithCancel(background)
	defer cancel()
	stop := context.AfterFunc(serving, func() {
		if n.handing.left.Load() { // whoever asks for readiness is to ask the process that has it
			cancel()
		}
	})
	defer stop()
	return admin.Run(ctx, n.ground.operator, n.operatorHandler(), n.cfg.Logger) //nolint:wrapcheck // says what
}

// notify tells the service manager how far the node is.
func (n *node) notify(state string) {
	if err := n.cfg.Activation.Notify(state); err != nil {
		n.cfg.Logger.Warn("the service manager can't be told how far the node is", "state", state, "error", err)
	}
}

func (n *node) handoverSamples(one func(string, float64, ...string)) {
	one(admin.Handovers, float64(n.handing.takenOver.Load()), "taken_over")
	one(admin.Handovers, float64(n.handing.refused.Load()), "refused")
	one(admin.Handovers, float64(n.handing.givenUp.Load()), "given_up")
}

// giving is a node as the process that is taken over from.
type giving struct{ n *node }

// Offer implements handover.Node.
func (g giving) Offer(handover.Peer) ([]handover.Socket, error) {
	sockets, err := g.offer()
	if err != nil {
		g.n.handing.refused.Add(1)
	}
	return sockets, err
}

func (g giving) offer() ([]handover.Socket, error) {
	n := g.n
	if err := g.able(); err != nil {
		return nil, err
	}
	type open struct {
		name string
		file any // a syscall.Conn
	}
	all := []open{{directoryLock, n.ground.lock.File()}, {clientsSocket, n.ground.clients.Listener}, {operatorSocket, n.ground.operator}}
	if n.ground.secure != nil {
		all = append(all, open{secureSocket, n.ground.secure.Listener})
	}
	var sockets []handover.Socket
	for _, open := range all {
		file, ok := open.file.(syscall.Conn)
		if !ok {
			return nil, fmt.Errorf("its socket for %s (%T) can't be handed over", open.name, open.file)
		}
		sockets = append(sockets, handover.Socket{Name: open.name, File: file})
	}
	n.handing.connected.Store(n.connected())
	if fresh, known := n.freshness.Record(time.Now()); known && n.maxStaleness() > 0 {
		if err := n.state.KeepFreshness(fresh); err != nil {
			return nil, fmt.Errorf("its disk takes nothing: %w", err)
		}
	}
	if err := n.state.Freeze(); err != nil {
		return nil, fmt.Errorf("its disk takes nothing, so that what it serves may not be on it: %w", err)
	}
	if n.joined.Load() {
		n.identity.Freeze()
	}
	n.ground.writer.Release()
	n.handing.under.Store(true)
	return sockets, nil
}

// able says why nobody can take over now.
func (g giving) able() error {
	n := g.n
	switch {
	case n.draining.Load():
		return errors.New("it is ending; start this one again when it has")
	case !n.ready():
		return errors.New("it isn't ready itself; try again when it is, or stop it first")
	case !n.joined.Load() && n.cfg.JoinToken != "":
		return errors.New("it is about to enrol; try again when it has, or stop it first")
	}
	for _, lane := range []edgev1.Lane{edgev1.Lane_LANE_CONFIGURATION, edgev1.Lane_LANE_DIRECTORY} {
		if !n.state.Lane(lane).Stats().Durable {
			return errors.New("what it serves isn't on its disk, which takes nothing; mend that, or stop it first")
		}
	}
	return nil
}

// Position implements handover.Node.
func (g giving) Position() handover.Position { return g.n.heard() }

// Connected implements handover.Node.
func (g giving) Connected() bool { return g.n.handing.connected.Load() }

// Keep implements handover.Node.
func (g giving) Keep() error {
	n := g.n
	writer, err := n.ground.lock.Write()
	if err != nil {
		return err //nolint:wrapcheck // says what
	}
	n.ground.writer = writer
	n.thaw()
	n.handing.under.Store(false)
	n.handing.givenUp.Add(1)
	return nil
}

// Leave implements handover.Node.
func (g giving) Leave(handover.Peer) {
	g.n.handing.left.Store(true)
	g.n.ground.lock.Release() // should the next process die, a third one needn't wait for this one's end
	g.n.ground.leave()
	g.n.handing.leave()
}
