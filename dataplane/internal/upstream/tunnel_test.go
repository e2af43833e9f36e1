package upstream

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/proto/problem"
)

const switched = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n"

func upgrade(ctx context.Context) *pipeline.Exchange {
	ex := request(ctx, "/")
	ex.Request.Upgrade = "websocket"
	return ex
}

func TestAServiceThatSwitchesProtocolsIsSpokenToBothWays(t *testing.T) {
	pool := at(t, service(t, func(_ int, conn net.Conn, from *bufio.Reader) {
		r, err := http.ReadRequest(from)
		if err != nil || r.Header.Get("Upgrade") != "websocket" || r.Header.Get("Connection") != "Upgrade" {
			return
		}
		_, _ = io.WriteString(conn, switched+"at once")
		_, _ = io.Copy(conn, from)
		_, _ = io.WriteString(conn, " and the end")
	}))
	ex := upgrade(t.Context())
	if err := pool.Send(ex); err != nil {
		t.Fatal(err)
	}
	tunnel := ex.Response.Tunnel
	if ex.Response.Status != 101 || tunnel == nil || ex.Response.Body != nil {
		t.Fatalf("status %d, tunnel %v, body %v", ex.Response.Status, tunnel, ex.Response.Body)
	}
	for _, said := range []string{"at once", "hello", "again"} {
		if said != "at once" {
			if _, err := io.WriteString(tunnel, said); err != nil {
				t.Fatal(err)
			}
		}
		heard := make([]byte, len(said))
		if _, err := io.ReadFull(tunnel, heard); err != nil || string(heard) != said {
			t.Fatalf("heard %q, %v; want %q", heard, err, said)
		}
	}
	if err := tunnel.CloseWrite(); err != nil {
		t.Error(err)
	}
	if rest, err := io.ReadAll(tunnel); err != nil || string(rest) != " and the end" {
		t.Errorf("heard %q, %v", rest, err)
	}
	for range 2 {
		if err := tunnel.Close(); err != nil {
			t.Error(err)
		}
	}
	if open := pool.members[0].target.open.Load(); open != 0 {
		t.Errorf("%d connections are left", open)
	}
}

func TestATunnelEndsWhenTheExchangeIsAborted(t *testing.T) {
	pool := at(t, service(t, func(_ int, conn net.Conn, from *bufio.Reader) {
		take(from)
		_, _ = io.WriteString(conn, switched)
		_, _ = io.Copy(io.Discard, from)
	}))
	gone, leave := context.WithCancel(t.Context())
	ex := upgrade(gone)
	if err := pool.Send(ex); err != nil {
		t.Fatal(err)
	}
	leave()
	if _, err := io.ReadAll(ex.Response.Tunnel); err == nil {
		t.Error("the tunnel ended as if all was well")
	}
	_ = ex.Response.Tunnel.Close()
}

func TestAServiceMayDeclineToSwitch(t *testing.T) {
	pool := at(t, service(t, serving))
	for range 2 {
		wantAnswer(t, pool, upgrade(t.Context()), "200 1")
	}
	other := at(t, talker(t, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"))
	wantAnswer(t, other, upgrade(t.Context()), string(problem.UpstreamInvalidResponse))
	unnamed := at(t, talker(t, "HTTP/1.1 101 Switching Protocols\r\n\r\n"))
	wantAnswer(t, unnamed, upgrade(t.Context()), string(problem.UpstreamInvalidResponse))
}

func TestEarlyHintsAreHandedOver(t *testing.T) {
	pool := at(t, talker(t, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"+ok("fine")))
	ex, hints := request(t.Context(), "/"), ""
	ex.Interim = func(status int, header *pipeline.Header) { hints += fmt.Sprint(status, header.Get("Link")) }
	wantAnswer(t, pool, ex, "200 fine")
	if hints != "103</a>" {
		t.Errorf("handed over %q", hints)
	}
}

func TestTrailersOfAnAnswerAreThereAtItsEnd(t *testing.T) {
	pool := at(t, talker(t, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nGrpc-Status: 0\r\n\r\n"))
	ex := request(t.Context(), "/")
	if err := pool.Send(ex); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(ex.Response.Body); err != nil {
		t.Fatal(err)
	}
	if got := ex.Response.Trailer.Get("grpc-status"); got != "0" {
		t.Errorf("Grpc-Status is %q", got)
	}
	_ = ex.Response.Body.Close()
}

func TestWhatEndsWithTheConnectionIsPassedUntilItsEnd(t *testing.T) {
	pool := at(t, talker(t, "HTTP/1.0 200 OK\r\n\r\nall of it"))
	for range 2 {
		wantAnswer(t, pool, request(t.Context(), "/"), "200 all of it")
	}
}
