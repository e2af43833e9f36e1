package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Status is what a node says of itself.
type Status struct {
	// Node, Environment and Boot name the process.
	Node        string `json:"node"`
	Environment string `json:"environment"`
	Boot        string `json:"boot"`
	// Ready: both lanes have been applied, and the node is not draining.
	Ready bool `json:"ready"`
	// HandingOver: the next process of the node has been given the listening sockets, and this one serves until that one can. Nothing is written
	// on the disk meanwhile.
	HandingOver bool `json:"handing_over"`
	// Stale: the control plane was last heard longer ago than the environment's max_staleness; routes that authenticate have stopped.
	// That doesn't end readiness: all nodes lose the control plane at once, and public routes go on.
	Stale bool `json:"stale"`
	// Connected: both streams to the control plane are open.
	Connected bool `json:"connected"`
	// Clients are the connections of clients that are open.
	Clients int64 `json:"clients"`
	// Epoch, Revision and Sequence are the node's position.
	Epoch    uint64 `json:"epoch"`
	Revision uint64 `json:"revision"`
	Sequence uint64 `json:"sequence"`
	// ConfigurationDigest and DirectoryDigest are what it computed of what it holds, in hexadecimal.
	ConfigurationDigest string `json:"configuration_digest"`
	DirectoryDigest     string `json:"directory_digest"`
	// ConfirmedAt is when the control plane last vouched for both lanes.
	ConfirmedAt time.Time `json:"confirmed_at"`
	// CertificateExpiresAt is when the node's certificate ends.
	CertificateExpiresAt time.Time `json:"certificate_expires_at"`
	// Certificates are those that clients and services are shown.
	Certificates []Certificate `json:"certificates,omitempty"`
}

// Certificate is how one of the environment's certificates is.
type Certificate struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Hosts     []string  `json:"hosts,omitempty"`
	ExpiresAt time.Time `json:"expires_at"`
	// Trouble is why it can't be used: handshakes for its hosts are refused. Empty: it can.
	Trouble string `json:"trouble,omitempty"`
}

// Source knows the node.
type Source interface {
	Status() Status
	Samples(yield func(Sample))
}

const (
	headTimeout  = 5 * time.Second
	writeTimeout = 30 * time.Second
	drainTimeout = 2 * time.Second
)

// Listen opens the admin listener. Anything but loopback is refused: the answers name the node's inner state.
func Listen(ctx context.Context, address string) (net.Listener, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for the operator: %w", err)
	}
	if err := Check(listener); err != nil {
		_ = listener.Close()
		return nil, err
	}
	return listener, nil
}

// Check refuses a listener that isn't on loopback.
func Check(listener net.Listener) error {
	bound, err := netip.ParseAddrPort(listener.Addr().String())
	if err != nil || !bound.Addr().Unmap().IsLoopback() {
		return fmt.Errorf("admin listener %s: only loopback is allowed, name 127.0.0.1 or [::1]", listener.Addr())
	}
	return nil
}

// Run serves what a handler answers, that of [Handler] or [Profiled], until ctx ends.
func Run(ctx context.Context, listener net.Listener, handler http.Handler, log *slog.Logger) error {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headTimeout,
		WriteTimeout:      writeTimeout,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	stopped := context.AfterFunc(ctx, func() {
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
		defer cancel()
		_ = server.Shutdown(drain)
	})
	defer stopped()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the operator: %w", err)
	}
	return nil
}

// Handler answers GET /healthz, /readyz, /status and /metrics.
func Handler(source Source) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collector{source}, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, map[string]bool{"healthy": true})
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		status := source.Status()
		code := http.StatusOK
		if !status.Ready {
			code = http.StatusServiceUnavailable
		}
		answer(w, code, map[string]bool{"ready": status.Ready})
	})
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, source.Status()) })
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	return mux
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) //nolint:errchkjson // the operator may be gone: nobody to tell
}
