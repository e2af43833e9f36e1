package proxy

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/proto/id"
)

const (
	accessBufferBytes   = 256 << 10
	accessFlushInterval = 200 * time.Millisecond
)

// AccessLog writes one JSON line per request. Lines gather in memory and are written by Run, so that no request waits for a
// disk or a terminal; what does not fit while the writer is slow, or what it refuses, is dropped and counted: a full disk must
// not end a gateway.
type AccessLog struct {
	logger  *slog.Logger
	out     io.Writer
	wake    chan struct{}
	dropped atomic.Uint64

	mu      sync.Mutex
	filling []byte
	spare   []byte
}

// NewAccessLog returns a log that Run writes to out.
func NewAccessLog(out io.Writer) *AccessLog {
	l := &AccessLog{out: out, wake: make(chan struct{}, 1)}
	l.logger = slog.New(slog.NewJSONHandler(buffer{l}, &slog.HandlerOptions{ReplaceAttr: dropLevel}))
	return l
}

// dropLevel leaves out what is the same on every line.
func dropLevel(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.LevelKey {
		return slog.Attr{}
	}
	return a
}

// Dropped returns how many lines were dropped.
func (l *AccessLog) Dropped() uint64 { return l.dropped.Load() }

// Run writes until ctx ends, and then what is left.
func (l *AccessLog) Run(ctx context.Context) error {
	tick := time.NewTicker(accessFlushInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			l.flush()
			return nil
		case <-tick.C:
		case <-l.wake:
		}
		l.flush()
	}
}

func (l *AccessLog) flush() {
	l.mu.Lock()
	full := l.filling
	l.filling, l.spare = l.spare[:0], nil
	l.mu.Unlock()
	if len(full) > 0 {
		if written, err := l.out.Write(full); err != nil {
			l.dropped.Add(uint64(bytes.Count(full[min(max(written, 0), len(full)):], []byte{'\n'})))
		}
	}
	l.mu.Lock()
	l.spare = full[:0]
	l.mu.Unlock()
}

// write adds the line of a finished exchange. The path goes without its query, which may hold secrets.
func (l *AccessLog) write(ex *pipeline.Exchange, now time.Time) {
	attributes := make([]slog.Attr, 0, 16)
	add := func(a slog.Attr) { attributes = append(attributes, a) }
	add(slog.String("request_id", requestID(ex)))
	add(slog.String("client", ex.Client.Address.String()))
	add(slog.String("method", ex.Request.Method))
	add(slog.String("host", ex.Request.Authority))
	add(slog.String("path", ex.Request.Path))
	add(slog.Int("status", ex.Response.Status))
	add(slog.String("verdict", string(ex.Verdict)))
	if ex.ShadowVerdict != "" {
		add(slog.String("shadow_verdict", string(ex.ShadowVerdict)))
	}
	if ex.Rejection != nil {
		add(slog.String("policy", ex.Rejection.Policy))
		add(slog.String("reason", ex.Rejection.Reason))
	}
	if ex.Replied() {
		add(slog.String("answered_by", ex.AnsweredBy.Policy))
	}
	if ex.Route != nil {
		add(slog.String("route", ex.Route.Name))
		add(slog.String("service", ex.Route.ServiceName))
	}
	if ex.Identity.Known() {
		add(slog.String("consumer", ex.Identity.Consumer.Name))
		add(slog.String("credential", id.Text(credentialPrefix, ex.Identity.Credential)))
	}
	if ex.Span != nil {
		add(slog.String("trace_id", ex.Span.TraceID()))
	}
	add(slog.Int64("request_bytes", ex.Request.BodyBytes))
	add(slog.Int64("response_bytes", ex.Response.BodyBytes))
	add(slog.Int64("duration_us", now.Sub(ex.Started).Microseconds()))
	add(slog.Uint64("revision", ex.Revision))
	l.logger.LogAttrs(context.Background(), slog.LevelInfo, "request", attributes...)
}

// buffer is where the handler writes; one call is one line.
type buffer struct{ log *AccessLog }

func (b buffer) Write(line []byte) (int, error) {
	l := b.log
	l.mu.Lock()
	fits := len(l.filling)+len(line) <= accessBufferBytes
	if fits {
		l.filling = append(l.filling, line...)
	}
	half := len(l.filling) > accessBufferBytes/2
	l.mu.Unlock()
	if !fits {
		l.dropped.Add(1)
	}
	if half {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
	return len(line), nil
}
