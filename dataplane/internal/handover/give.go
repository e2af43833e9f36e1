package handover

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// socketFile is where a running process is asked, in the data directory.
const socketFile = "handover.sock"

// Bounds of a hand-over.
const (
	// talkTimeout is how long the other process may take to say what needs no thought.
	talkTimeout = 5 * time.Second
	// readyTimeout is how long the next process may take until it could serve. The disk stands still meanwhile.
	readyTimeout = time.Minute
	// keepPause is between attempts to write again, while the next process hasn't ended that failed.
	keepPause = 100 * time.Millisecond
)

// Position is where a process's directory is.
type Position struct{ Epoch, Number uint64 }

// Before tells whether a position lies behind another one.
func (p Position) Before(other Position) bool {
	return p.Epoch < other.Epoch || p.Epoch == other.Epoch && p.Number < other.Number
}

// Peer is the other process.
type Peer struct {
	// Process is its number, by the kernel's word.
	Process int
	// Build it says it is.
	Build string
}

// Socket is an open file that is handed over, under a name.
type Socket struct {
	Name string
	File syscall.Conn
}

// Node is the running process, as far as it can be taken over from.
type Node interface {
	// Offer makes the disk stand still, lets go of the right to write, and returns what to hand over. An error is told to who asked,
	// and nothing has changed then.
	Offer(next Peer) ([]Socket, error)
	// Position is what the next process must have heard, too.
	Position() Position
	// Connected tells whether the control plane was heard when the sockets were offered: then a next process that doesn't hear it isn't let serve.
	Connected() bool
	// Keep takes the right to write again and goes on as before. It fails while the next process has that right.
	Keep() error
	// Leave is called once the next process serves: this one stops accepting, and ends when it has answered.
	Leave(next Peer)
}

// Giver is asked for the sockets of a running process.
type Giver struct {
	node     Node
	log      *slog.Logger
	path     string
	own      os.FileInfo
	listener *net.UnixListener
	peerOf   func(*net.UnixConn) (user, process int, err error)
	ready    time.Duration // readyTimeout
	turn     time.Duration // talkTimeout: from its turn to serving
}

// Listen makes a process one that can be taken over from, in place of whoever could before. The caller holds the data directory.
func Listen(dir string, node Node, log *slog.Logger) (*Giver, error) {
	path := filepath.Join(dir, socketFile)
	// Beside its place, so that it is there only once it is its owner's alone.
	making := path + ".new"
	if err := os.Remove(making); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("handover: %w", err)
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: making, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("handover: listen in the data directory: %w", err)
	}
	listener.SetUnlinkOnClose(false) // by then the place may be the next process's
	err = os.Chmod(making, 0o600)
	if err == nil {
		err = os.Rename(making, path)
	}
	var own os.FileInfo
	if err == nil {
		own, err = os.Lstat(path)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("handover: %w", err), listener.Close())
	}
	return &Giver{node: node, log: log, path: path, own: own, listener: listener, peerOf: peerOf, ready: readyTimeout, turn: talkTimeout}, nil
}

// Run lets itself be asked, by one process at a time, until ctx ends or the sockets are handed over.
func (g *Giver) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _ = g.listener.Close() })
	defer stop()
	for {
		conn, err := g.listener.AcceptUnix()
		if ctx.Err() != nil {
			if err == nil {
				_ = conn.Close() // it reads that we end
			}
			return g.remove()
		}
		if err != nil {
			return errors.Join(fmt.Errorf("handover: %w", err), g.remove())
		}
		if g.serve(ctx, conn) {
			_ = g.listener.Close() // nobody needs it
			return nil
		}
	}
}

// remove takes the socket away that nobody can be asked on. One in its place is the next process's.
func (g *Giver) remove() error {
	_ = g.listener.Close() // it may be closed
	now, err := os.Lstat(g.path)
	if errors.Is(err, os.ErrNotExist) || err == nil && !os.SameFile(now, g.own) {
		return nil
	}
	if err == nil {
		err = os.Remove(g.path)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("handover: %w", err)
	}
	return nil
}

// serve speaks with one process, and tells whether it has taken over.
func (g *Giver) serve(ctx context.Context, conn *net.UnixConn) (left bool) {
	w := &wire{conn: conn}
	defer w.close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	next, err := g.admit(w)
	if err != nil {
		g.log.Warn("somebody who may not or can't take over asked for the sockets", "error", err)
		return false
	}
	began := time.Now()
	sockets, err := g.node.Offer(next)
	if err != nil {
		g.log.Warn("the next process is refused", "process", next.Process, "build", next.Build, "reason", err)
		_ = w.send(message{Kind: refused, Reason: err.Error()}, talkTimeout) // it may be gone
		return false
	}
	g.log.Info("handing over: the next process gets the listening sockets, and this one serves until that one can", "process", next.Process, "build", next.Build)
	err = g.hand(w, sockets)
	if err != nil && ctx.Err() == nil {
		g.log.Error("the hand-over is given up: this process serves on", "process", next.Process, "after_ms", time.Since(began).Milliseconds(), "error", err)
		err = g.keep(ctx, w, next, err)
	}
	if err != nil {
		return false
	}
	g.node.Leave(next)
	g.log.Info("handed over: the next process accepts, this one answers what it has accepted", "process", next.Process, "took_ms", time.Since(began).Milliseconds())
	return true
}

// admit finds out who asks: nobody but a process of the same user may.
func (g *Giver) admit(w *wire) (Peer, error) {
	user, process, err := g.peerOf(w.conn)
	if err != nil {
		return Peer{}, err
	}
	if user != os.Geteuid() {
		return Peer{}, fmt.Errorf("handover: process %d is user %d's, this one is user %d's", process, user, os.Geteuid())
	}
	m, err := w.receive(time.Now().Add(talkTimeout))
	switch {
	case err != nil:
		return Peer{}, err
	case m.Kind != hello:
		return Peer{}, fmt.Errorf("%w: it begins with %q", errMessage, m.Kind)
	case m.Version != version:
		reason := fmt.Sprintf("it speaks version %d of the hand-over, the running process version %d: stop that one before you start this", m.Version, version)
		_ = w.send(message{Kind: refused, Reason: reason}, talkTimeout) // it may be gone
		return Peer{}, errors.New("handover: " + reason)
	}
	return Peer{Process: process, Build: m.Build}, nil
}

// hand returns once the next process serves.
func (g *Giver) hand(w *wire, sockets []Socket) error {
	if err := send(w, sockets); err != nil {
		return err
	}
	until := time.Now().Add(g.ready)
	var need *Position
	for {
		m, err := w.receive(until)
		if err != nil {
			return err
		}
		switch m.Kind {
		case ready:
		case serving:
			return errTaken
		default:
			return fmt.Errorf("%w: %q where it is to get ready", errMessage, m.Kind)
		}
		if need == nil {
			now := g.node.Position()
			need = &now
		}
		if (Position{m.Epoch, m.Number}).Before(*need) || m.Alone && g.node.Connected() {
			if err := w.send(message{Kind: wait, Epoch: need.Epoch, Number: need.Number}, talkTimeout); err != nil {
				return err
			}
			continue
		}
		if err := w.send(message{Kind: serve}, talkTimeout); err != nil {
			return err
		}
		return g.served(w, time.Now().Add(g.turn))
	}
}

// served returns once the next process has said that it serves.
func (g *Giver) served(w *wire, until time.Time) error {
	m, err := w.receive(until)
	if err == nil && m.Kind != serving {
		return fmt.Errorf("%w: %q where it is to serve", errMessage, m.Kind)
	}
	return err
}

// keep makes this process go on as before; nil: the next one serves after all. It said so late, or before it was its turn (why), but it has had
// the right to write since before it said so, which this process therefore never got.
func (g *Giver) keep(ctx context.Context, w *wire, next Peer, why error) error {
	tick := time.NewTicker(keepPause)
	defer tick.Stop()
	for told := false; ; told = true {
		err := g.node.Keep()
		if err == nil {
			return errKept
		}
		if errors.Is(why, errTaken) {
			return nil
		}
		if !told {
			g.log.Error("this process can't write on its disk while the next one has it: what it hears holds in memory alone. End that one", "process", next.Process, "error", err)
		}
		if g.served(w, time.Now().Add(keepPause)) == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err() //nolint:wrapcheck // the process ends
		case <-tick.C:
		}
	}
}

// errKept says that the running process goes on.
var errKept = errors.New("handover: given up")

// errTaken says that the next process serves without having been told to: this one was silent for so long that it was taken for gone.
var errTaken = fmt.Errorf("%w: it serves before it is its turn", errMessage)

// send sends copies of the sockets. An os.File's Fd would make the sockets block, for this process too.
func send(w *wire, sockets []Socket) (err error) {
	m := message{Kind: offer, Process: os.Getpid()}
	var copies []int
	defer func() {
		for _, number := range copies {
			err = errors.Join(err, syscall.Close(number))
		}
	}()
	for _, socket := range sockets {
		number, err := copyOf(socket.File)
		if err != nil {
			return fmt.Errorf("handover: the socket for %s: %w", socket.Name, err)
		}
		copies = append(copies, number)
		m.Names = append(m.Names, socket.Name)
	}
	return w.send(m, talkTimeout, copies...)
}

func copyOf(file syscall.Conn) (number int, err error) {
	raw, err := file.SyscallConn()
	if err != nil {
		return 0, err //nolint:wrapcheck // send says of which
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		syscall.ForkLock.RLock()
		defer syscall.ForkLock.RUnlock()
		if number, failed = syscall.Dup(int(fd)); failed == nil {
			syscall.CloseOnExec(number)
		}
	})
	return number, errors.Join(err, failed)
}
