package e2e

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/tests/harness"
)

const (
	// nameTTL is how long an answer of the story's name server may be believed, in seconds: the least that an edge asks for.
	nameTTL = 1
	// moveBound is how long an edge may take to follow a name.
	moveBound = 30 * time.Second
)

// residence is one of several places of a service, all at the same port.
type residence struct {
	address netip.Addr
	reached atomic.Int64
	server  *httptest.Server
}

func newResidence(t *testing.T, listener net.Listener) *residence {
	t.Helper()
	at := &residence{address: netip.MustParseAddrPort(listener.Addr().String()).Addr()}
	at.server = &httptest.Server{Listener: listener, Config: &http.Server{
		ReadHeaderTimeout: time.Minute,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			at.reached.Add(1)
			_, _ = io.WriteString(w, "ok") // a client that died is no fault
		}),
	}}
	at.server.Start()
	t.Cleanup(at.server.Close)
	return at
}

// residences are two places at the same port of different addresses.
func residences(t *testing.T) (one, other *residence, port string) {
	t.Helper()
	for range 100 {
		first, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.2:0")
		if err != nil {
			t.Fatal(err)
		}
		_, port, _ := net.SplitHostPort(first.Addr().String())
		second, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.3:"+port)
		if err != nil { // somebody has it there
			_ = first.Close()
			continue
		}
		return newResidence(t, first), newResidence(t, second), port
	}
	t.Fatal("no port is free at two addresses")
	return nil, nil, ""
}

// follows returns once the load has been answered by one place alone for as long as 500 requests take.
func follows(t *testing.T, asked *load, to, from *residence) {
	t.Helper()
	harness.Eventually(t, moveBound, func() error {
		there := from.reached.Load()
		asked.progress(t, asked.answered.Load()+500)
		if more := from.reached.Load() - there; more > 0 || to.reached.Load() == 0 {
			return fmt.Errorf("the name leads to %s, and %d more requests went to %s", to.address, more, from.address)
		}
		return nil
	})
}

// questioned returns once the name server was asked again, and has told something that was believed until it was asked once more.
func questioned(t *testing.T, names *harness.Names) {
	t.Helper()
	before := names.Asked()
	harness.Eventually(t, moveBound, func() error {
		if asked := names.Asked() - before; asked < 2 {
			return fmt.Errorf("the name server was asked %d times", asked)
		}
		return nil
	})
}

// A service moves to another address while requests run, as a name server tells. Nobody notices; not even when the name server fails, since the
// last address stays in use. When it moves since its place is gone, those fail that went to that place, until the new one is known.
func TestAServiceWhoseNameMovesIsFollowedUnderLoad(t *testing.T) {
	t.Parallel()
	names := harness.NewNames(t)
	one, other, port := residences(t)
	names.Lead(one.address, nameTTL)
	s := product.OwnStory(t, 0, harness.Loopback)
	edge, err := s.Environment.AddEdgeAsking(t.Context(), names)
	if err != nil {
		t.Fatal(err)
	}
	s = s.Environment.Story(t) // its writes wait for the edge
	p := s.Protected("orders.sallyport.test:" + port)
	asked := startLoad(t, edge, s.Host, p.Key.Key)
	follows(t, asked, one, other)
	names.Lead(other.address, nameTTL)
	follows(t, asked, other, one)
	names.Fail()
	questioned(t, names)
	asked.progress(t, asked.answered.Load()+500)
	asked.check(t)

	names.Lead(other.address, nameTTL)
	questioned(t, names) // what failed isn't asked again as soon
	stricken := startLoad(t, edge, s.Host, p.Key.Key)
	stricken.progress(t, 500)
	other.server.Listener.Close()
	other.server.CloseClientConnections()
	names.Lead(one.address, nameTTL)
	follows(t, stricken, one, other)
	failed := stricken.failures()
	stricken.progress(t, stricken.answered.Load()+500)
	if more := stricken.failures()[len(failed):]; len(more) > 0 {
		t.Errorf("%d requests failed once the new address was known, first: %s", len(more), more[0])
	}
	stricken.end()
	for _, failure := range failed {
		if !strings.Contains(failure, "502 Bad Gateway") || !strings.Contains(failure, "upstream_unreachable") {
			t.Error(errors.New(failure))
			break
		}
	}
	t.Logf("%d requests went to the place that was gone", len(failed))
}
