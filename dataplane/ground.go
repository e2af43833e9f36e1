package dataplane

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"sync"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/admin"
	"github.com/sallyport/sallyport/dataplane/internal/datadir"
	"github.com/sallyport/sallyport/dataplane/internal/handover"
)

// Names of what is handed over, and of the sockets of a service manager.
const (
	clientsSocket  = "clients"
	secureSocket   = "secure"
	operatorSocket = "operator"
	directoryLock  = "lock"
)

// ground is what a process stands on: the data directory, which it holds, and the sockets it listens on.
type ground struct {
	lock     *datadir.Lock
	writer   *datadir.Writer // nil: another process of the node writes
	clients  *yielding
	secure   *yielding // TLS; nil: there is none
	operator net.Listener
	// taking is the process that this one takes over from; nil: there is none.
	taking *handover.Taking
	took   bool // it has taken over
}

// ErrNotTakenOver is returned by a process that was to take over from a running one and couldn't. That one serves on: to start this one again
// would only try the same again.
var ErrNotTakenOver = errors.New("not taken over, the running process serves on")

// judge says what the end of a process means that was to take over.
func (g *ground) judge(err error) error {
	if g.taking == nil || g.took {
		return err
	}
	return fmt.Errorf("%w: %w", ErrNotTakenOver, err)
}

// takeGround holds the data directory and listens: by itself, or with what the process that runs there hands over.
func takeGround(ctx context.Context, cfg Config) (_ *ground, err error) {
	at := new(ground)
	defer func() {
		if err != nil {
			at.close()
		}
	}()
	passed := make(map[string]net.Listener)
	activated, err := cfg.Activation.Listeners(clientsSocket, secureSocket, operatorSocket)
	if err != nil {
		return nil, err //nolint:wrapcheck // says what
	}
	maps.Copy(passed, activated)
	defer func() { err = errors.Join(err, closeRest(passed)) }()
	at.lock, err = datadir.Hold(cfg.DataDir)
	if cfg.TakeOver && errors.Is(err, datadir.ErrInUse) {
		err = at.takeOver(ctx, cfg, passed)
		if errors.Is(err, handover.ErrGone) || errors.Is(err, handover.ErrNobody) {
			at.lock, err = holdAfter(ctx, cfg.DataDir, err)
		}
	}
	if err == nil && at.taking == nil {
		at.writer, err = at.lock.Write()
	}
	if err != nil {
		return nil, err
	}
	clients, err := listenOr(passed, clientsSocket, func() (net.Listener, error) { return new(net.ListenConfig).Listen(ctx, "tcp", cfg.Listen) })
	if err != nil {
		return nil, fmt.Errorf("listen for clients: %w", err)
	}
	at.clients = newYielding(clients)
	if cfg.ListenTLS != "" || passed[secureSocket] != nil {
		secure, err := listenOr(passed, secureSocket, func() (net.Listener, error) { return new(net.ListenConfig).Listen(ctx, "tcp", cfg.ListenTLS) })
		if err != nil {
			return nil, fmt.Errorf("listen for clients over TLS: %w", err)
		}
		at.secure = newYielding(secure)
	}
	if at.operator, err = listenOr(passed, operatorSocket, func() (net.Listener, error) { return admin.Listen(ctx, cfg.AdminListen) }); err != nil {
		return nil, err
	}
	return at, admin.Check(at.operator)
}

// listenOr takes a listener that was passed on, or makes one.
func listenOr(passed map[string]net.Listener, name string, listen func() (net.Listener, error)) (net.Listener, error) {
	if listener := passed[name]; listener != nil {
		delete(passed, name)
		return listener, nil
	}
	return listen()
}

func closeRest(passed map[string]net.Listener) error {
	var failed error
	for listener := range maps.Values(passed) {
		failed = errors.Join(failed, listener.Close())
	}
	return failed
}

// takeOver asks the process that runs in the data directory for its lock and its sockets, which go to passed where nothing is in their place.
// One that is bound elsewhere than the node is to listen now isn't taken.
func (g *ground) takeOver(ctx context.Context, cfg Config, passed map[string]net.Listener) (err error) {
	if g.taking, err = handover.Ask(ctx, cfg.DataDir, cfg.Build); err != nil {
		return fmt.Errorf("%w: in %s: %w", ErrNotTakenOver, cfg.DataDir, err)
	}
	cfg.Logger.Info("takes over from a running process", "process", g.taking.From.Process)
	files := g.taking.Files
	defer func() {
		for file := range maps.Values(files) {
			_ = file.Close() // what wasn't taken
		}
	}()
	if files[directoryLock] == nil {
		return errors.New("the running process doesn't hand over its lock of the data directory")
	}
	if g.lock, err = datadir.Inherit(cfg.DataDir, files[directoryLock]); err != nil {
		return err //nolint:wrapcheck // says what
	}
	delete(files, directoryLock)
	for name, wanted := range map[string]string{clientsSocket: cfg.Listen, secureSocket: cfg.ListenTLS, operatorSocket: cfg.AdminListen} {
		file := files[name]
		if file == nil || wanted == "" || passed[name] != nil {
			continue
		}
		delete(files, name)
		listener, err := handover.Listener(file)
		if err != nil {
			return fmt.Errorf("the socket for %s: %w", name, err)
		}
		if !isAt(listener, wanted) {
			cfg.Logger.Warn("the running process listens elsewhere than this one is to: what waits there in the queue is lost", "socket", name, "there", listener.Addr().String(), "here", wanted)
			_ = listener.Close() // the other process has its own
			continue
		}
		passed[name] = listener
	}
	return nil
}

// holdAfter holds a data directory whose process can't be asked, or fell silent before it offered anything: it may have just ended, and then
// there is nobody to take over from, and nobody else who serves. gone is what is returned if it hasn't.
func holdAfter(ctx context.Context, dir string, gone error) (*datadir.Lock, error) {
	ctx, cancel := context.WithTimeout(ctx, claimTimeout)
	defer cancel()
	tick := time.NewTicker(turnPause)
	defer tick.Stop()
	for {
		lock, err := datadir.Hold(dir)
		if !errors.Is(err, datadir.ErrInUse) {
			return lock, err //nolint:wrapcheck // says what
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, gone
		}
	}
}

// isAt tells whether a listener is bound as an address says; port 0 is any.
func isAt(listener net.Listener, address string) bool {
	wanted, err := net.ResolveTCPAddr("tcp", address)
	bound, ok := listener.Addr().(*net.TCPAddr)
	if err != nil || !ok || wanted.Port != 0 && wanted.Port != bound.Port {
		return false
	}
	unspecified := len(wanted.IP) == 0 || wanted.IP.IsUnspecified()
	return unspecified && bound.IP.IsUnspecified() || wanted.IP.Equal(bound.IP)
}

// listeners are all that the process listens on.
func (g *ground) listeners() []net.Listener {
	all := []net.Listener{g.clients, g.operator}
	if g.secure != nil {
		all = append(all, g.secure)
	}
	return all
}

// overTLS is where clients connect over TLS; nil: nowhere.
func (g *ground) overTLS() net.Listener {
	if g.secure == nil {
		return nil
	}
	return g.secure
}

// leave leaves the sockets of clients to the next process.
func (g *ground) leave() {
	g.clients.leave()
	if g.secure != nil {
		g.secure.leave()
	}
}

func (g *ground) close() {
	if g.taking != nil {
		g.taking.Close()
	}
	// Whoever accepted has ended.
	if g.clients != nil {
		_ = g.clients.Close()
	}
	if g.secure != nil {
		_ = g.secure.Close()
	}
	if g.operator != nil {
		_ = g.operator.Close()
	}
	if g.writer != nil {
		g.writer.Release()
	}
	if g.lock != nil {
		g.lock.Release()
	}
}

// yielding is a listener that can be left to the next process: it accepts nothing from then on, and doesn't end before it is closed.
// Whoever accepts on it goes on until then with what it has, as it does at any end.
type yielding struct {
	net.Listener

	left, closed chan struct{}
	leave, close func()
}

func newYielding(listener net.Listener) *yielding {
	y := &yielding{Listener: listener, left: make(chan struct{}), closed: make(chan struct{})}
	y.leave = sync.OnceFunc(func() {
		close(y.left)
		_ = y.Listener.Close() // this process's copy
	})
	y.close = sync.OnceFunc(func() { close(y.closed) })
	return y
}

// Accept implements net.Listener.
func (y *yielding) Accept() (net.Conn, error) {
	conn, err := y.Listener.Accept()
	if err == nil {
		return conn, nil
	}
	select {
	case <-y.left:
		<-y.closed
	default:
	}
	return nil, err //nolint:wrapcheck // as it is
}

// Close implements net.Listener.
func (y *yielding) Close() error {
	y.close()
	return y.Listener.Close() //nolint:wrapcheck // as it is
}
