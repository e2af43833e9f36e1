package edgetest

import (
	"bytes"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/backoff"
	"github.com/sallyport/sallyport/dataplane/internal/directory"
	"github.com/sallyport/sallyport/dataplane/internal/issuers"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/shares"
	"github.com/sallyport/sallyport/dataplane/internal/snapshot"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
)

// Epoch is when the clock of an Edge starts.
var Epoch = time.Date(2026, time.January, 2, 3, 4, 5, 0, time.UTC)

// NodeID is who an Edge is in the fleet.
var NodeID = id.ID{15: 1}

// Edge is an edge without a network. It belongs to one test, and to one goroutine but for Run.
type Edge struct {
	Directory *directory.Directory
	Metrics   *pipeline.Metrics
	Failures  *backoff.Table
	Holder    snapshot.Holder
	Env       *snapshot.Env
	// Issuers looks for keys once a test lets it run.
	Issuers *issuers.Registry
	// Now is the edge's clock, unless RealTime says that it is the machine's.
	Now      time.Time
	RealTime bool
	// Log is what stages' failures were logged as.
	Log bytes.Buffer

	objects  map[ref]object
	people   map[string]id.ID // consumers by name
	sequence uint64
	pool     pipeline.Pool
}

// New returns an Edge of these kinds, without configuration and with one pepper.
func New(t testing.TB, kinds ...pipeline.Binding) *Edge {
	t.Helper()
	e := &Edge{
		Directory: directory.New(),
		Metrics:   pipeline.NewMetrics(kinds),
		Failures:  backoff.New(backoff.DefaultKeys),
		Now:       Epoch,
		objects:   map[ref]object{},
		people:    map[string]id.ID{},
	}
	logger := slog.New(slog.NewTextHandler(&e.Log, nil))
	e.Issuers = issuers.NewRegistry(issuers.Config{
		Directory: e.Directory, Logger: logger, Clock: e.clock,
		InForce: func() (*issuers.Set, []netip.Prefix) {
			if current := e.Holder.Load(); current != nil {
				return current.Issuers(), current.Settings.AllowedTargets.Prefixes()
			}
			return nil, nil
		},
	})
	even := shares.NewEven(e.Directory)
	even.Join(NodeID)
	e.Env = snapshot.NewEnv(snapshot.Config{
		Directory: e.Directory, Shares: even, Failures: e.Failures, Issuers: e.Issuers, Kinds: kinds, Metrics: e.Metrics,
		Logger: logger,
		Clock:  e.clock,
	})
	e.addPepper(t)
	return e
}

func (e *Edge) clock() time.Time {
	if e.RealTime {
		return time.Now()
	}
	return e.Now
}

// Advance moves the clock.
func (e *Edge) Advance(d time.Duration) { e.Now = e.Now.Add(d) }

// Request is what a test asks. The zero value is GET / on "test" from 192.0.2.1.
type Request struct {
	Method string
	// Target is path and query; the path as a client sends it.
	Target string
	Host   string
	Header []pipeline.Field
	// Address of the client.
	Address string
	Dry     bool
}

// Get returns a request for a target with header fields "Name: value".
func Get(target string, fields ...string) Request {
	r := Request{Target: target}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		r.Header = append(r.Header, pipeline.Field{Name: name, Value: value})
	}
	return r
}

// Exchange returns the request as a listener would fill it, its path made by the settings in force.
func (e *Edge) Exchange(r Request) *pipeline.Exchange {
	ex := e.pool.Get()
	ex.ID = id.New(e.Now)
	ex.Started = e.Now
	ex.Dry = r.Dry
	raw, query, _ := strings.Cut(or(r.Target, "/"), "?")
	ex.Request.Method = or(r.Method, "GET")
	ex.Request.Scheme = "http"
	ex.Request.Authority = or(r.Host, "test")
	ex.Request.Host = ex.Request.Authority
	ex.Request.Query = query
	ex.Request.Proto = "HTTP/1.1"
	ex.Request.Body = strings.NewReader("")
	for _, f := range r.Header {
		ex.Request.Header.Add(f.Name, f.Value)
	}
	ex.Client.Address = netip.MustParseAddr(or(r.Address, "192.0.2.1"))
	ex.Client.Peer = netip.AddrPortFrom(ex.Client.Address, 4711)
	ex.Request.RawPath = raw
	settings := new(snapshot.Settings)
	if current := e.Holder.Load(); current != nil {
		settings = current.Settings
	}
	if refused := settings.Locate(ex); refused != nil {
		ex.Refuse(refused)
	}
	return ex
}

// Do takes a request through the edge. The exchange that comes back is finished but kept, so that all of it can be looked
// at.
func (e *Edge) Do(r Request) *pipeline.Exchange {
	ex := e.Exchange(r)
	e.Run(ex)
	return ex
}

// Run takes an exchange through the edge, answers it 200 if it is allowed, and finishes it.
func (e *Edge) Run(ex *pipeline.Exchange) {
	if ex.Rejection != nil {
		ex.Answer()
		return
	}
	route, err := e.Holder.Load().Route(ex)
	if err != nil {
		rejection, _ := err.(*pipeline.Rejection) //nolint:errorlint // Route says so
		ex.Refuse(rejection)
		ex.Answer()
		return
	}
	defer route.Stages.Finish(ex)
	if route.Stages.Run(ex) != nil {
		ex.Answer()
	} else if !ex.Replied() {
		ex.Response.Status = 200
	}
	_ = route.Stages.Respond(ex)
}

// Count returns one counter of verdicts.
func (e *Edge) Count(kind string, mode pipeline.Mode, verdict problem.Code) uint64 {
	for series, n := range e.Metrics.All() {
		if series == (pipeline.Series{Kind: kind, Mode: mode, Verdict: verdict}) {
			return n
		}
	}
	return 0
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
