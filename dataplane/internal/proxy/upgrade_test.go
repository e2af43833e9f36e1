package proxy

import (
	"io"
	"testing"

	"github.com/sallyport/sallyport/dataplane/internal/edgetest"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/websocket"
	"github.com/sallyport/sallyport/proto/problem"
)

const (
	key    = "dGhlIHNhbXBsZSBub25jZQ=="
	accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

func TestAServiceIsAskedToSwitchInTheGatewaysOwnWords(t *testing.T) {
	ex := exchangeWith("Sec-WebSocket-Key: "+key, "Upgrade: h2c", "Connection: upgrade, X-Dropped", "X-Dropped: 1")
	ex.Request.Upgrade = websocket.Protocol
	prepareRequest(ex)
	for name, want := range map[string]string{"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Key": key, "X-Dropped": ""} {
		if got := ex.Request.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	plain := exchangeWith("Upgrade: websocket", "Connection: upgrade")
	prepareRequest(plain)
	if plain.Request.Header.Has("Upgrade") || plain.Request.Header.Has("Connection") {
		t.Errorf("nobody asked, and the service gets %v", plain.Request.Header.Fields())
	}
}

// end is a service's side of a tunnel, of which only the end matters.
type end struct {
	io.ReadWriter
	closed bool
}

func (e *end) Close() error    { e.closed = true; return nil }
func (*end) CloseWrite() error { return nil }
func (*end) Cut()              {}

// switches is a service that answers a handshake with a status, a tunnel or none, and fields.
type switches struct {
	status int
	tunnel *end
	fields []pipeline.Field
}

func (s switches) Send(ex *pipeline.Exchange) error {
	ex.Response.Status = s.status
	if s.tunnel != nil {
		ex.Response.Tunnel = s.tunnel
	}
	for _, f := range s.fields {
		ex.Response.Header.Add(f.Name, f.Value)
	}
	return nil
}

func TestOnlyAServiceThatTheClientWouldBelieveSwitches(t *testing.T) {
	right := pipeline.Field{Name: "Sec-WebSocket-Accept", Value: accept}
	hop := []pipeline.Field{right, {Name: "Upgrade", Value: "websocket"}, {Name: "Connection", Value: "Upgrade"}}
	for name, tt := range map[string]struct {
		service switches
		asked   bool
		status  int
	}{
		"a right answer":           {switches{101, new(end), hop}, true, 101},
		"no switch":                {switches{403, nil, nil}, true, 403},
		"nobody asked":             {switches{101, new(end), hop}, false, 502},
		"a wrong accept":           {switches{101, new(end), nil}, true, 502},
		"a subprotocol of its own": {switches{101, new(end), append(hop[:1:1], pipeline.Field{Name: "Sec-WebSocket-Protocol", Value: "x"})}, true, 502},
		"no tunnel":                {switches{101, nil, hop}, true, 502},
		"a tunnel behind a 200":    {switches{200, new(end), hop}, true, 502},
	} {
		e := newEdge(t, tt.service)
		ex := e.proxy.Acquire()
		asked := e.Exchange(edgetest.Get("/ws", "X-Api-Key: "+e.key, "Sec-WebSocket-Key: "+key))
		ex.Request, ex.Client = asked.Request, asked.Client
		if tt.asked {
			ex.Request.Upgrade = websocket.Protocol
		}
		e.proxy.Serve(ex)
		if ex.Response.Status != tt.status {
			t.Errorf("%s: status %d, want %d", name, ex.Response.Status, tt.status)
		}
		if refused := tt.status == 502; refused && (ex.Verdict != problem.UpstreamInvalidResponse || ex.Response.Tunnel != nil || tt.service.tunnel != nil && !tt.service.tunnel.closed) {
			t.Errorf("%s: verdict %s, tunnel %v", name, ex.Verdict, ex.Response.Tunnel)
		}
		if tt.status == 101 && (ex.Response.Tunnel == nil || ex.Response.Header.Has("Upgrade") || ex.Response.Header.Get("Sec-WebSocket-Accept") != accept) {
			t.Errorf("%s: answered by %v", name, ex.Response.Header.Fields())
		}
		e.proxy.Finish(ex)
	}
}
