package proxy

import (
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/directory"
	"github.com/sallyport/sallyport/dataplane/internal/edgetest"
	"github.com/sallyport/sallyport/dataplane/internal/snapshot"
	"github.com/sallyport/sallyport/dataplane/internal/usage"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

func TestANodeWithoutConfigurationRefusesAndKnowsWhom(t *testing.T) {
	p := New(Config{Snapshots: new(snapshot.Holder), Directory: directory.New(), Usage: usage.NewRecorder()})
	ex := p.Acquire()
	defer p.Finish(ex)
	ex.Client.Peer = netip.MustParseAddrPort("203.0.113.9:1")
	ex.Request.Header.Add(forwardedForHeader, "198.51.100.7")
	p.Serve(ex)
	if ex.Response.Status != http.StatusServiceUnavailable || ex.Verdict != problem.NotReady {
		t.Errorf("answered %d %s, want 503 %s", ex.Response.Status, ex.Verdict, problem.NotReady)
	}
	if want := netip.MustParseAddr("203.0.113.9"); ex.Client.Address != want {
		t.Errorf("the client is %v, want its peer %v", ex.Client.Address, want)
	}
}

// The block is asked about before the route is looked for: it holds where no policy could, and nothing is spent on whom it
// keeps out.
func TestABlockedAddressIsRefusedBeforeARouteIsLookedFor(t *testing.T) {
	e := edgetest.New(t)
	e.Configure(t, `{"settings": [{"name": "settings", "trusted_proxies": ["192.0.2.0/24"]}]}`)
	p := New(Config{Snapshots: &e.Holder, Directory: e.Directory, Usage: usage.NewRecorder()})
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
		ex.Request.Method, ex.Request.Authority, ex.Request.Path = "GET", "test", "/"
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
