package listener

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/stall"
)

// Handler decides on exchanges.
type Handler interface {
	// Acquire returns an empty exchange.
	Acquire() *pipeline.Exchange
	// Serve leaves an answer in ex.Response. It never panics.
	Serve(ex *pipeline.Exchange)
	// Finish ends the exchange, exactly once, after its answer was written or given up; ex must not be used after it.
	Finish(ex *pipeline.Exchange)
}

// Config is what a Listener needs.
type Config struct {
	// Listener accepts the connections. It is closed by Run.
	Listener net.Listener
	// Handler decides.
	Handler Handler
	// Logger hears of broken connections, at debug, and of panics.
	Logger *slog.Logger
	// Open counts the connections that are open, for whoever wants to know; nil: nobody does.
	Open *atomic.Int64
	// DrainTimeout bounds how long Run waits for requests under way once it is told to stop.
	DrainTimeout time.Duration
	// StallTimeout bounds how long a client may send nothing in the middle of a body, or take nothing of an answer; default
	// 60 s.
	StallTimeout time.Duration
}

// Limits on the client's side of the wire.
const (
	headTimeout         = 10 * time.Second
	idleTimeout         = 75 * time.Second
	defaultStallTimeout = 60 * time.Second
	// lingerTimeout is how long the rest of a body is waited for that nobody wants any more.
	lingerTimeout = 2 * time.Second
	// leaveTime is how long clients with open connections get to hear that they shall open no further request on them, and
	// balancers to hear from /readyz that the node goes, before idle connections are closed.
	leaveTime    = time.Second
	maxHeadBytes = 64 << 10
)

// Run serves until ctx ends, then tells clients to go elsewhere, takes no more connections and lets requests under way end.
func Run(ctx context.Context, cfg Config) error {
	if cfg.StallTimeout <= 0 {
		cfg.StallTimeout = defaultStallTimeout
	}
	open := connections{count: cfg.Open}
	if open.count == nil {
		open.count = new(atomic.Int64)
	}
	handler := &adapter{handler: cfg.Handler, log: cfg.Logger, patience: cfg.StallTimeout, leaving: func() bool { return ctx.Err() != nil }}
	server := newServer(handler, slog.NewLogLogger(cfg.Logger.Handler(), slog.LevelDebug))
	server.ConnState = open.note
	served := make(chan error, 1)
	go func() { served <- server.Serve(stall.NewListener(cfg.Listener, cfg.StallTimeout)) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve clients: %w", err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.DrainTimeout)
	defer cancel()
	// One that is closed under a client that is just sending its next request would cost that request.
	open.wait(drain, leaveTime)
	err := server.Shutdown(drain)
	if errors.Is(err, context.DeadlineExceeded) {
		_ = server.Close()
		open.wait(context.WithoutCancel(ctx), lingerTimeout) // what was cut off ends at once, and is to be counted
		err = fmt.Errorf("requests were still under way after %s", cfg.DrainTimeout)
	}
	if end := <-served; !errors.Is(end, http.ErrServerClosed) {
		err = errors.Join(err, end)
	}
	return err
}

// newServer returns the server of an adapter, with the limits on the client's side of the wire.
func newServer(handler http.Handler, complaints *log.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeadBytes,
		ErrorLog:          complaints,
		// A handler of our own answers OPTIONS *, by refusing it like every target that is not a path.
		DisableGeneralOptionsHandler: true,
	}
}

// connections counts those that are open.
type connections struct{ count *atomic.Int64 }

func (c *connections) note(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		c.count.Add(1)
	case http.StateClosed, http.StateHijacked:
		c.count.Add(-1)
	case http.StateActive, http.StateIdle:
	}
}

// wait returns when all are closed, their requests finished, or when ctx ends or patience does.
func (c *connections) wait(ctx context.Context, patience time.Duration) {
	const look = 10 * time.Millisecond
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(look)
	defer tick.Stop()
	for c.count.Load() > 0 {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
