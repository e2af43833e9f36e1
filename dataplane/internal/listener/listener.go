package listener

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/sweeper"
)

// Handler decides on exchanges.
type Handler interface {
	// Acquire returns an empty exchange.
	Acquire() *pipeline.Exchange
	// Serve leaves an answer in ex.Response. It never panics.
	Serve(ex *pipeline.Exchange)
	// Finish ends the exchange, exactly once: before the client has the end of its answer, or once it is given up. ex must not be used after it.
	Finish(ex *pipeline.Exchange)
}

// Config is what Run needs. Of the listeners there must be one; Run closes them.
type Config struct {
	// Plain accepts connections of plain HTTP; nil: none.
	Plain net.Listener
	// Secure accepts connections of HTTP over TLS, by TLS; nil: none. HTTP/2 is spoken where TLS offers it.
	Secure net.Listener
	TLS    *tls.Config
	// Introduce says who a connection is from, by what is sent in front of all else (PROXY protocol). It is called on the connection's own
	// goroutine, under the head's deadline; what it returns tells by RemoteAddr. If it only tells, and reads and writes are those of the
	// connection itself, it has that by NetConn. nil: the connection's own word.
	Introduce func(net.Conn) (net.Conn, error)
	// Limits returns the bounds in force, for each connection and each request; nil: DefaultLimits.
	Limits func() *Limits
	// Handler decides.
	Handler Handler
	// Logger hears of broken connections, at debug, and of panics.
	Logger *slog.Logger
	// Sweeper times everything.
	Sweeper *sweeper.Sweeper
	// Open counts the connections that are open, for whoever wants to know; nil: nobody does.
	Open *atomic.Int64
	// Counters count what happens at the client's side; nil: nobody wants to know.
	Counters *Counters
	// DrainTimeout bounds how long Run waits for requests under way once it is told to stop.
	DrainTimeout time.Duration
}

// Run serves until ctx ends, then tells clients to go elsewhere, takes no more connections and lets requests under way end.
func Run(ctx context.Context, cfg Config) error {
	e := newEngine(cfg)
	var accepting sync.WaitGroup
	failed := make(chan error, 2)
	accept := func(from net.Listener, secure *tls.Config) {
		if from != nil {
			accepting.Go(func() { failed <- e.accept(from, secure) })
		}
	}
	e.serveHTTP2()
	accept(cfg.Plain, nil)
	accept(cfg.Secure, cfg.TLS)
	var err error
	select {
	case err = <-failed:
	case <-ctx.Done():
		e.leaving.Store(true)
		// One that is closed under a client that is just sending its next request would cost that request.
		e.wait(context.WithoutCancel(ctx), min(leaveTime, cfg.DrainTimeout))
	}
	e.leaving.Store(true)
	e.stopped.Store(true)
	for _, l := range []net.Listener{cfg.Plain, cfg.Secure} {
		if l != nil {
			_ = l.Close() // what it accepted goes on
		}
	}
	accepting.Wait()
	return errors.Join(err, e.drain(context.WithoutCancel(ctx), cfg.DrainTimeout))
}

// drain lets requests under way end, and cuts off what hasn't ended in time.
func (e *engine) drain(ctx context.Context, patience time.Duration) error {
	const look = 50 * time.Millisecond
	ended := e.shutdownHTTP2(ctx, patience)
	defer func() { <-ended }()
	began := time.Now()
	for e.open.Load() > 0 && time.Since(began) < patience {
		e.closeIdle(time.Since(began) < leaveTime)
		e.wait(ctx, look)
	}
	if e.open.Load() == 0 {
		return nil
	}
	cut := e.cutAll()
	e.wait(ctx, lingerTime) // what was cut off ends at once, and is to be counted
	return fmt.Errorf("requests were still under way after %s: %d connections were cut off", patience, cut)
}

// wait returns when all connections are closed, their requests finished, or when patience ends.
func (e *engine) wait(ctx context.Context, patience time.Duration) {
	const look = 10 * time.Millisecond
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(look)
	defer tick.Stop()
	for e.open.Load() > 0 {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
