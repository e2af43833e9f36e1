package proxy

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/dataplane/internal/directory"
	"github.com/sallyport/sallyport/dataplane/internal/edgetest"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/snapshot"
	"github.com/sallyport/sallyport/dataplane/internal/streams"
	"github.com/sallyport/sallyport/dataplane/internal/usage"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	usagev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/usage/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
)

func TestANodeWithoutConfigurationRefusesAndKnowsWhom(t *testing.T) {
	p := New(Config{Snapshots: new(snapshot.Holder), Directory: directory.New(), Streams: streams.NewRegistry(directory.New()), Usage: usage.Open(usage.Config{Log: slog.New(slog.DiscardHandler)}).Recorder()})
	ex := p.Acquire()
	defer p.Finish(ex)
	ex.Client.Peer = netip.MustParseAddrPort("203.0.113.9:1")
	ex.Request.Header.Add(forwardedForHeader, "198.51.100.7")
	ex.Request.RawPath = "/%61"
	p.Serve(ex)
	if ex.Request.Path != "/a" {
		t.Errorf("the log is told of %q, want /a", ex.Request.Path)
	}
	if ex.Response.Status != http.StatusServiceUnavailable || ex.Verdict != problem.NotReady {
		t.Errorf("answered %d %s, want 503 %s", ex.Response.Status, ex.Verdict, problem.NotReady)
	}
	if want := netip.MustParseAddr("203.0.113.9"); ex.Client.Address != want {
		t.Errorf("the client is %v, want its peer %v", ex.Client.Address, want)
	}
}

// How a path is read is for the settings to say. One that isn't to be read comes to nobody who decides by paths.
func TestThePathIsMadeByTheSettingsInForce(t *testing.T) {
	var asked []string
	e := newEdge(t, noting{&asked, new([]string)})
	for _, tt := range []struct {
		rules, raw, path string
		want             problem.Code
	}{
		{``, "/x/../a", "", problem.PathRefused},
		{`"dot_segments": "normalise"`, "/x/../a", "/a", pipeline.Allowed},
		{`"dot_segments": "normalise"`, "//a", "", problem.PathRefused},
		{``, "/%61", "/a", pipeline.Allowed},
	} {
		e.configure(t, strings.Replace(protected, "{", `{"settings": [{"name": "settings", "path": {`+tt.rules+`}}],`, 1))
		for _, acquire := range []func() *pipeline.Exchange{e.proxy.Acquire, e.proxy.AcquireDry} {
			ex := acquire()
			request := e.Exchange(edgetest.Get("/", "X-Api-Key: "+e.key))
			ex.ID, ex.Started, ex.Request, ex.Client = id.New(time.Now()), time.Now(), request.Request, request.Client
			ex.Request.RawPath, ex.Request.Path, ex.Request.ForwardPath = tt.raw, "", ""
			e.proxy.Serve(ex)
			if ex.Verdict != tt.want || ex.Request.Path != tt.path || ex.Request.ForwardPath != tt.path || (ex.Route == nil) != (tt.path == "") {
				t.Errorf("%s, dry %v: %s: %s, %q, forwarded as %q", tt.rules, ex.Dry, tt.raw, ex.Verdict, ex.Request.Path, ex.Request.ForwardPath)
			}
			e.proxy.Finish(ex)
		}
	}
}

// The block is asked about before the route is looked for: it holds where no policy could, and nothing is spent on whom it
// keeps out.
func TestABlockedAddressIsRefusedBeforeARouteIsLookedFor(t *testing.T) {
	e := edgetest.New(t)
	e.Configure(t, `{"settings": [{"name": "settings", "trusted_proxies": ["192.0.2.0/24"]}]}`)
	p := New(Config{Snapshots: &e.Holder, Directory: e.Directory, Usage: usage.Open(usage.Config{Log: slog.New(slog.DiscardHandler)}).Recorder()})
	end := e.Now.Add(time.Minute)
	e.Block(t, &directoryv1.Block{Target: &directoryv1.Block_AddressRange{AddressRange: "198.51.100.0/24"}, ExpiresAtMs: end.UnixMilli()})
	for _, ask := range []struct {
		peer, forwarded string
		at              time.Time
		want            problem.Code
		dry             bool
	}{
		{peer: "198.51.100.7:1", want: problem.Blocked},
		{peer: "198.51.100.7:1", want: problem.Blocked, dry: true},
		{peer: "[::ffff:198.51.100.7]:1", want: problem.Blocked},
		{peer: "203.0.113.9:1", want: problem.RouteNotFound},
		{peer: "203.0.113.9:1", forwarded: "198.51.100.7", want: problem.RouteNotFound},
		{peer: "192.0.2.1:1", forwarded: "198.51.100.7", want: problem.Blocked},
		{peer: "198.51.100.7:1", at: end.Add(-time.Nanosecond), want: problem.Blocked},
		{peer: "198.51.100.7:1", at: end, want: problem.RouteNotFound},
	} {
		ex := p.Acquire()
		ex.Started, ex.Dry = e.Now, ask.dry
		if !ask.at.IsZero() {
			ex.Started = ask.at
		}
		ex.Request.Method, ex.Request.Authority, ex.Request.RawPath = "GET", "test", "/"
		ex.Client.Peer = netip.MustParseAddrPort(ask.peer)
		if ask.forwarded != "" {
			ex.Request.Header.Add(forwardedForHeader, ask.forwarded)
		}
		p.Serve(ex)
		if ex.Verdict != ask.want || (ask.want == problem.Blocked) != (ex.Response.Status == http.StatusForbidden) {
			t.Errorf("%+v: %s, %d", ask, ex.Verdict, ex.Response.Status)
		}
		p.Finish(ex)
	}
}

// batches are what a bus was given.
type batches struct{ all []*usagev1.Batch }

func (b *batches) Publish(_ context.Context, _ string, data []byte) error {
	batch := new(usagev1.Batch)
	b.all = append(b.all, batch)
	return proto.Unmarshal(data, batch) //nolint:wrapcheck // a test's
}

func TestAFinishedExchangeIsCountedForItsCredentialAndToldOfWhenItWasRejected(t *testing.T) {
	ledger := usage.Open(usage.Config{Log: slog.New(slog.DiscardHandler)})
	p := New(Config{Snapshots: new(snapshot.Holder), Usage: ledger.Recorder()})
	ex := p.Acquire()
	ex.ID, ex.Started, ex.Upstream, ex.Revision = id.New(time.Now()), time.Now(), 3*time.Millisecond, 12
	ex.Request.Method, ex.Request.Authority, ex.Request.Path, ex.Request.Query = "GET", "api.example", "/a", "secret=1"
	ex.Request.Header.Add("X-Api-Key", "secret")
	ex.Client.Address = netip.MustParseAddr("192.0.2.7")
	ex.Route = &pipeline.RouteInfo{ID: id.ID{1}}
	ex.Identity = pipeline.Identity{Consumer: &directory.Consumer{ID: id.ID{2}}, Credential: id.ID{3}}
	ex.Refuse(&pipeline.Rejection{Code: problem.RateLimited, Policy: "limit", PolicyID: id.ID{4}})
	ex.Response.Status = http.StatusTooManyRequests
	want := &usagev1.Event{
		RequestId: id.Text(id.Request, ex.ID), Method: "GET", Host: "api.example", Path: "/a", Client: []byte{192, 0, 2, 7},
		Route: idOf(1), Consumer: idOf(2), Credential: idOf(3), Policy: idOf(4), Status: 429, Verdict: string(problem.RateLimited),
		Revision: 12, UpstreamUs: 3000,
		Decision: &usagev1.Decision{Header: []*usagev1.Field{{Name: "X-Api-Key", Masked: true}}},
	}
	p.Finish(ex)

	bus := new(batches)
	ended, end := context.WithCancel(t.Context())
	end()
	if err := usage.NewSender(ledger, bus, slog.New(slog.DiscardHandler)).Run(ended, time.Minute); err != nil {
		t.Fatal(err)
	}
	if len(bus.all) != 1 || len(bus.all[0].GetEvents()) != 1 || len(bus.all[0].GetCredentials()) != 1 {
		t.Fatalf("the bus was given %v, want a batch with one event and one credential", bus.all)
	}
	event, used := bus.all[0].GetEvents()[0], bus.all[0].GetCredentials()[0]
	want.TimeMs, want.DurationUs = event.GetTimeMs(), event.GetDurationUs()
	if !proto.Equal(event, want) {
		t.Errorf("told of as %v, want %v", event, want)
	}
	if id.ID(used.GetCredential()) != (id.ID{3}) || id.ID(used.GetConsumer()) != (id.ID{2}) || used.GetRequests() != 1 || used.GetLastUsedMs() != event.GetTimeMs() {
		t.Errorf("the credential's count is %v", used)
	}
}

func idOf(first byte) []byte {
	of := id.ID{first}
	return of[:]
}
