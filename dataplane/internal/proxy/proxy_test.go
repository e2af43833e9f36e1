package proxy

import (
	"net/http"
	"net/netip"
	"testing"

	"github.com/sallyport/sallyport/dataplane/internal/directory"
	"github.com/sallyport/sallyport/dataplane/internal/snapshot"
	"github.com/sallyport/sallyport/dataplane/internal/streams"
	"github.com/sallyport/sallyport/dataplane/internal/usage"
	"github.com/sallyport/sallyport/proto/problem"
)

func TestANodeWithoutConfigurationRefusesAndKnowsWhom(t *testing.T) {
	p := New(Config{Snapshots: new(snapshot.Holder), Streams: streams.NewRegistry(directory.New()), Usage: usage.NewRecorder()})
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
