package proxy

import (
	"bytes"
	"context"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
)

const (
	accessBufferBytes   = 256 << 10
	accessFlushInterval = 200 * time.Millisecond
)

// AccessLog writes one JSON line per request. Lines gather in memory and are written by Run, so that no request waits for a
// disk or a terminal; what does not fit while the writer is slow, or what it refuses, is dropped and counted: a full disk must
// not end a gateway.
type AccessLog struct {
	out     io.Writer
	lines   sync.Pool // *line
	wake    chan struct{}
	dropped atomic.Uint64

	mu      sync.Mutex
	filling []byte
	spare   []byte
}

// NewAccessLog returns a log that Run writes to out.
func NewAccessLog(out io.Writer) *AccessLog {
	return &AccessLog{out: out, wake: make(chan struct{}, 1), lines: sync.Pool{New: func() any { return new(line) }}}
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
	at, _ := l.lines.Get().(*line)
	defer l.lines.Put(at)
	at.begin(now)
	at.text("request_id", ex.IDText())
	at.address("client", ex.Client.Address)
	at.text("method", ex.Request.Method)
	at.text("host", ex.Request.Authority)
	at.text("path", ex.Request.Path)
	at.number("status", int64(ex.Response.Status))
	at.text("verdict", string(ex.Verdict))
	if ex.ShadowVerdict != "" {
		at.text("shadow_verdict", string(ex.ShadowVerdict))
	}
	if ex.Rejection != nil {
		at.text("policy", ex.Rejection.Policy)
		at.text("reason", ex.Rejection.Reason)
	}
	if len(ex.Findings) > 0 {
		at.rules(ex.Findings)
	}
	if ex.Replied() {
		at.text("answered_by", ex.AnsweredBy.Policy)
	}
	if ex.Route != nil {
		at.text("route", ex.Route.Name)
		at.text("service", ex.Route.ServiceName)
	}
	if ex.Identity.Known() {
		at.text("consumer", ex.Identity.Consumer.Name)
		if prefix, credential := ex.Identity.Vouching(); !credential.IsZero() {
			at.id("credential", prefix, credential)
		}
	}
	if ex.Span != nil {
		at.text("trace_id", ex.Span.TraceID())
	}
	at.number("request_bytes", ex.Request.BodyBytes)
	at.number("response_bytes", ex.Response.BodyBytes)
	at.number("duration_us", now.Sub(ex.Started).Microseconds())
	at.number("revision", int64(ex.Revision))
	l.add(at.end())
}

// add takes a line, unless what waits to be written is too much already.
func (l *AccessLog) add(text []byte) {
	l.mu.Lock()
	fits := len(l.filling)+len(text) <= accessBufferBytes
	if fits {
		l.filling = append(l.filling, text...)
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
}

// line is one line in the making: a JSON object.
type line struct{ json []byte }

func (l *line) begin(now time.Time) {
	l.json = append(l.json[:0], `{"time":"`...)
	l.json = now.AppendFormat(l.json, time.RFC3339Nano)
	l.json = append(l.json, `","msg":"request"`...)
}

func (l *line) name(name string) {
	l.json = append(l.json, `,"`...)
	l.json = append(l.json, name...)
	l.json = append(l.json, `":`...)
}

func (l *line) text(name, value string) {
	l.name(name)
	l.json = problem.AppendString(l.json, value)
}

func (l *line) number(name string, value int64) {
	l.name(name)
	l.json = strconv.AppendInt(l.json, value, 10)
}

// rules adds the rules that found something, each once: what they found may be a secret.
func (l *line) rules(findings []pipeline.Finding) {
	l.name("rules")
	l.json = append(l.json, '[')
	for i := range findings {
		if slices.ContainsFunc(findings[:i], func(f pipeline.Finding) bool { return f.Rule == findings[i].Rule }) {
			continue
		}
		if i > 0 {
			l.json = append(l.json, ',')
		}
		l.json = problem.AppendString(l.json, findings[i].Rule)
	}
	l.json = append(l.json, ']')
}

func (l *line) address(name string, value netip.Addr) {
	l.name(name)
	l.json = append(l.json, '"')
	l.json = value.AppendTo(l.json)
	l.json = append(l.json, '"')
}

func (l *line) id(name, prefix string, value id.ID) {
	l.name(name)
	l.json = append(l.json, '"')
	l.json = id.Append(l.json, prefix, value)
	l.json = append(l.json, '"')
}

func (l *line) end() []byte {
	l.json = append(l.json, "}\n"...)
	return l.json
}
