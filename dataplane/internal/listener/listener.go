package listener

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
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
	// Logger hears of broken connections, at debug.
	Logger *slog.Logger
	// DrainTimeout bounds how long Run waits for requests under way once it is told to stop.
	DrainTimeout time.Duration
}

// Limits on the client's side of the wire.
const (
	headTimeout  = 10 * time.Second
	idleTimeout  = 75 * time.Second
	maxHeadBytes = 64 << 10
)

// Run serves until ctx ends, then takes no more connections and lets requests under way end.
func Run(ctx context.Context, cfg Config) error {
	server := &http.Server{
		Handler:           &adapter{handler: cfg.Handler},
		ReadHeaderTimeout: headTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeadBytes,
		ErrorLog:          slog.NewLogLogger(cfg.Logger.Handler(), slog.LevelDebug),
		// A handler of our own answers OPTIONS *, by refusing it like every target that is not a path.
		DisableGeneralOptionsHandler: true,
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(cfg.Listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve clients: %w", err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.DrainTimeout)
	defer cancel()
	err := server.Shutdown(drain)
	if errors.Is(err, context.DeadlineExceeded) {
		_ = server.Close()
		err = fmt.Errorf("requests were still under way after %s", cfg.DrainTimeout)
	}
	if end := <-served; !errors.Is(end, http.ErrServerClosed) {
		err = errors.Join(err, end)
	}
	return err
}
