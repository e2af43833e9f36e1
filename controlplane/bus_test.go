package controlplane_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sallyport/sallyport/controlplane"
	"github.com/sallyport/sallyport/controlplane/internal/edgeapi/edgetest"
	"github.com/sallyport/sallyport/controlplane/internal/postgres"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

func TestSecondEmbeddedBusRefusesToStartInWords(t *testing.T) {
	cfg := configOf(t)
	start(t, cfg)
	second := cfg
	second.DataDir = t.TempDir()
	for name, run := range map[string]func(context.Context, controlplane.Config) error{"serve": controlplane.Run, "bus": controlplane.RunBus} {
		err := run(t.Context(), second)
		if !errors.Is(err, postgres.ErrBusClaimed) || !strings.Contains(err.Error(), "NATS_URL") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// startBus runs the bus alone until the test ends.
func startBus(t *testing.T, cfg controlplane.Config) (url string) {
	t.Helper()
	ready := make(chan controlplane.Addresses, 1)
	cfg.Ready = func(at controlplane.Addresses) error { ready <- at; return nil }
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- controlplane.RunBus(ctx, cfg) }()
	select {
	case at := <-ready:
		t.Cleanup(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
		return "tls://" + at.Bus
	case err := <-ended:
		cancel()
		t.Fatalf("the bus did not start: %v", err)
	}
	return ""
}

func TestControlPlanesShareABusAndOneCutsOffANodeOfTheOther(t *testing.T) {
	cfg := configOf(t)
	token, joinToken := operate(t, cfg)
	cfg.NATSURLs = []string{startBus(t, cfg)}
	cfg.BusListen, cfg.DataDir = "", ""
	first, _ := start(t, cfg)
	second, _ := start(t, cfg)
	node, err := edgetest.Enroll(t.Context(), first.Edge, joinToken, "n1")
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()
	if urls := node.Identity.GetBusUrls(); len(urls) != 1 || urls[0] != cfg.NATSURLs[0] || first.Bus != "" {
		t.Errorf("nodes are told of %v", urls)
	}
	first.Bus = strings.TrimPrefix(cfg.NATSURLs[0], "tls://")
	conn := connectBus(t, first, node)
	defer conn.Close()
	cut := conn.StatusChanged(nats.RECONNECTING, nats.CLOSED)
	directory := edgev1.Lane_LANE_DIRECTORY
	followed := make(chan error, 1)
	held := make(chan uint64, 16)
	go func() { followed <- node.Follow(t.Context(), node.Replica(directory), func(n uint64) { held <- n }) }()
	for n := range held {
		if n > 0 {
			break
		}
	}

	api := "http://" + second.Admin + "/api/v1/environments/production"
	if response, body := call(t, http.MethodPost, api+"/consumers", token, `{"name":"acme"}`); response.StatusCode != http.StatusCreated {
		t.Fatalf("%d: %s", response.StatusCode, body)
	}
	if n := <-held; n != 2 {
		t.Errorf("the first one's node holds %d after a write on the second", n)
	}
	for range 2 {
		response, body := call(t, http.MethodPost, api+"/nodes/"+node.Identity.GetNode()+"/disable", token, "")
		if response.StatusCode != http.StatusOK || !strings.Contains(body, `"disabled":true`) {
			t.Errorf("%d: %s", response.StatusCode, body)
		}
	}
	if err := <-followed; status.Code(err) != codes.PermissionDenied {
		t.Errorf("its stream ended with %v", err)
	}
	<-cut
	if err := node.Renew(t.Context()); status.Code(err) != codes.PermissionDenied {
		t.Errorf("it renews: %v", err)
	}
	refusedByBus(t, first, node)

	if response, body := call(t, http.MethodPost, api+"/nodes/"+node.Identity.GetNode()+"/enable", token, ""); response.StatusCode != http.StatusOK || strings.Contains(body, "disabled") {
		t.Errorf("%d: %s", response.StatusCode, body)
	}
	refusedByBus(t, first, node) // what it knew stays revoked
	for ctx, again := t.Context(), time.NewTicker(50*time.Millisecond); ; {
		err := node.Renew(ctx)
		if err == nil {
			again.Stop()
			break
		}
		if status.Code(err) != codes.Unavailable { // within the second of the revocation
			t.Fatal(err)
		}
		<-again.C
	}
	connectBus(t, first, node).Close()
	if response, _ := call(t, http.MethodPost, api+"/nodes/node_01jc0000000000000000000000/disable", token, ""); response.StatusCode != http.StatusNotFound {
		t.Errorf("a node that isn't there: %d", response.StatusCode)
	}
}

func refusedByBus(t *testing.T, at controlplane.Addresses, node *edgetest.Node) {
	t.Helper()
	if conn, err := dialBus(t, at, node); err == nil {
		conn.Close()
		t.Error("the bus lets it in")
	} else if !errors.Is(err, nats.ErrAuthorization) {
		t.Error(err)
	}
}

func TestControlPlaneServesWhileItsBusIsAway(t *testing.T) {
	cfg := configOf(t)
	token, _ := operate(t, cfg)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg.BusListen = listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	shared := cfg
	shared.NATSURLs = []string{"tls://" + cfg.BusListen}
	at, _ := start(t, shared)
	api := "http://" + at.Admin + "/api/v1/environments/production"
	if response, body := call(t, http.MethodPost, api+"/consumers", token, `{"name":"acme"}`); response.StatusCode != http.StatusCreated {
		t.Errorf("%d: %s", response.StatusCode, body)
	}
}
