package reach_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/sallyport/sallyport/dataplane/internal/reach"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// replica is a server that answers whether it is well.
type replica struct {
	address string
	server  *grpc.Server
}

func start(t *testing.T) *replica {
	t.Helper()
	return startAt(t, "127.0.0.1:0")
}

func startAt(t *testing.T, address string) *replica {
	t.Helper()
	borrowed := httptest.NewTLSServer(nil) // for its certificate
	certificates := borrowed.TLS.Certificates
	borrowed.Close()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	r := &replica{
		address: listener.Addr().String(),
		server:  grpc.NewServer(grpc.Creds(credentials.NewTLS(&tls.Config{Certificates: certificates}))),
	}
	grpc_health_v1.RegisterHealthServer(r.server, health.NewServer())
	done := make(chan error, 1)
	go func() { done <- r.server.Serve(listener) }()
	t.Cleanup(func() {
		r.server.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return r
}

func dial(t *testing.T, addresses ...string) grpc_health_v1.HealthClient {
	t.Helper()
	connection, err := reach.Dial(strings.Join(addresses, ", "), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := connection.Close(); err != nil {
			t.Error(err)
		}
	})
	return grpc_health_v1.NewHealthClient(connection)
}

// ask returns which replica answered.
func ask(t *testing.T, client grpc_health_v1.HealthClient) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		var from peer.Peer
		_, err := client.Check(ctx, nil, grpc.Peer(&from), grpc.WaitForReady(true))
		if err == nil {
			return from.Addr.String()
		}
		if status.Code(err) != codes.Unavailable { // it may die under the call
			t.Fatal(err)
		}
	}
}

func TestNodeMovesToTheReplicaThatIsLeft(t *testing.T) {
	one, other := start(t), start(t)
	client := dial(t, one.address, other.address)
	at := ask(t, client)
	left := other
	if at == other.address {
		left = one
		other.server.Stop()
	} else {
		one.server.Stop()
	}
	if now := ask(t, client); now != left.address {
		t.Errorf("it is at %s, want %s", now, left.address)
	}
}

func TestReplicaThatIsSilentOrGoneIsPassedOver(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	alive := start(t)
	for range 4 { // each has an order of its own
		if at := ask(t, dial(t, silent.Addr().String(), "127.0.0.1:1", alive.address)); at != alive.address {
			t.Errorf("it is at %s", at)
		}
	}
}

func TestFleetSpreadsOverTheReplicas(t *testing.T) {
	one, other := start(t), start(t)
	seen := map[string]int{}
	for range 32 {
		seen[ask(t, dial(t, one.address, other.address))]++
	}
	if len(seen) != 2 {
		t.Errorf("all nodes are at one replica: %v", seen)
	}
}

func TestAddressesThatAreNoneAreRefused(t *testing.T) {
	for _, text := range []string{"", "host", "host:", ":7443", "a:1,,b:1", "a:1,b", strings.Repeat("a:1,", 64) + "a:1"} {
		if list, err := reach.Parse(text); err == nil {
			t.Errorf("%q was taken as %v", text, list)
		}
	}
	if list, err := reach.Parse("a:1, [::1]:2"); err != nil || len(list) != 2 || list[1] != "[::1]:2" {
		t.Errorf("%v, %v", list, err)
	}
}
