package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

// Codes that a WebSocket ends with (RFC 6455, section 7.4.1).
const (
	normalClosure   = 1000
	goingAway       = 1001
	policyViolation = 1008
)

// echoing is a service that returns every frame, Close frames too, and then ends; asked for "/leaves" it ends the WebSocket itself.
func echoing(w *harness.Wire) {
	request, err := w.TakeWebSocket()
	if err != nil {
		return
	}
	if request.Target == "/leaves" {
		_ = w.ReturnFrame(harness.CloseFrame(goingAway, "leaving"))
		_, _ = w.ReadFrame()
		return
	}
	for {
		f, err := w.ReadFrame()
		if err != nil || w.ReturnFrame(f) != nil || f.Opcode == harness.Close {
			return
		}
	}
}

// sockets is a route to a service with WebSockets, behind API keys.
func sockets(t *testing.T, serve func(*harness.Wire)) (*harness.Story, harness.Protected) {
	t.Helper()
	s := product.Story(t)
	p := s.Protected(harness.NewWireUpstream(t, serve))
	return s, p
}

func socket(t *testing.T, s *harness.Story, edge *harness.Edge, path, key string) *harness.Wire {
	t.Helper()
	w := edge.Wire(t)
	if err := w.OpenWebSocket(s.Host, path, "X-Api-Key: "+key); err != nil {
		t.Fatal(err)
	}
	return w
}

// echoes sends a frame and reads the same one back.
func echoes(t *testing.T, w *harness.Wire, f harness.Frame) {
	t.Helper()
	if err := w.SendFrame(f); err != nil {
		t.Fatal(err)
	}
	got, err := w.ReadFrame()
	if err != nil || got.Opcode != f.Opcode || got.Final != f.Final || !bytes.Equal(got.Payload, f.Payload) {
		t.Fatalf("of a frame %d of %d bytes came %d of %d bytes back, %v", f.Opcode, len(f.Payload), got.Opcode, len(got.Payload), err)
	}
}

func TestFramesOfAWebSocketPassAsTheyAre(t *testing.T) {
	t.Parallel()
	s, p := sockets(t, echoing)
	w := socket(t, s, s.Edges()[0], "/chat", p.Key.Key)
	for _, f := range []harness.Frame{
		{Opcode: harness.Text, Final: true, Payload: []byte("hello")},
		{Opcode: harness.Text, Payload: []byte("in ")}, // fragments, with a control frame between them
		{Opcode: harness.Ping, Final: true, Payload: []byte("alive?")},
		{Opcode: harness.Continuation, Payload: []byte("three ")},
		{Opcode: harness.Continuation, Final: true, Payload: []byte("parts")},
		{Opcode: harness.Binary, Final: true},
		{Opcode: harness.Binary, Final: true, Payload: bytes.Repeat([]byte("0123456789abcdef"), 1<<16)},
		{Opcode: harness.Pong, Final: true},
	} {
		echoes(t, w, f)
	}
	echoes(t, w, harness.CloseFrame(normalClosure, "bye"))
	if rest, err := w.AwaitEnd(); err != nil || rest != "" {
		t.Errorf("behind the end came %q, %v", rest, err)
	}
}

func TestACloseOfTheServiceReachesTheClientWithItsCode(t *testing.T) {
	t.Parallel()
	s, p := sockets(t, echoing)
	w := socket(t, s, s.Edges()[0], "/leaves", p.Key.Key)
	f, err := w.ReadFrame()
	if err != nil || f.Code() != goingAway || string(f.Payload[2:]) != "leaving" {
		t.Fatalf("the service's end came as %+v, %v", f, err)
	}
	if err := w.SendFrame(harness.CloseFrame(goingAway, "")); err != nil {
		t.Fatal(err)
	}
	if _, err := w.AwaitEnd(); err != nil {
		t.Error(err)
	}
}

// The protocol is switched once the service has, and by nothing else: what comes behind a request whose service doesn't is a request.
func TestAConnectionSwitchesOnlyWithItsService(t *testing.T) {
	t.Parallel()
	s, p := sockets(t, func(w *harness.Wire) {
		for {
			asked, err := w.Request()
			if err != nil {
				return
			}
			body := "no " + asked.Target
			if w.Say(fmt.Sprintf("HTTP/1.1 403 Forbidden\r\nContent-Length: %d\r\n\r\n%s", len(body), body)) != nil {
				return
			}
		}
	})
	w := s.Edges()[0].Wire(t)
	for _, path := range []string{"/first", "/second"} {
		if err := w.AskWebSocket(s.Host, path, "X-Api-Key: "+p.Key.Key); err != nil {
			t.Fatal(err)
		}
		answers(t, w, "GET", http.StatusForbidden, "no "+path)
	}
	if err := w.AskWebSocket(s.Host, "/nobody"); err != nil {
		t.Fatal(err)
	}
	if answer := answers(t, w, "GET", http.StatusUnauthorized, ""); answer.Code() != "credential_missing" {
		t.Errorf("without a key: %s", answer)
	}
	for _, upgrade := range []string{"h2c", "websocket, h2c", "TLS/1.0"} {
		other := s.Edges()[0].Wire(t)
		say(t, other, "GET / HTTP/1.1\r\nHost: "+s.Host+"\r\nX-Api-Key: "+p.Key.Key+"\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\nUpgrade: "+upgrade+"\r\n\r\n")
		if answer := answers(t, other, "GET", http.StatusNotImplemented, ""); answer.Code() != "upgrade_not_supported" {
			t.Errorf("an upgrade to %s: %s", upgrade, answer)
		}
	}
}

// Whoever is let in no more is told so, by a code of the protocol, within a second of the revocation; others go on.
func TestAWebSocketEndsWithItsKeyAndOthersGoOn(t *testing.T) {
	t.Parallel()
	s, p := sockets(t, echoing)
	other := s.Key(sallyport.APIKey{Consumer: p.Consumer.Name})
	var revoked, going []*harness.Wire
	for _, edge := range s.Edges() {
		revoked, going = append(revoked, socket(t, s, edge, "/chat", p.Key.Key)), append(going, socket(t, s, edge, "/chat", other.Key))
	}
	echoes(t, revoked[0], harness.Frame{Opcode: harness.Text, Final: true, Payload: []byte("hello")}) // the others were idle from the beginning
	begun := time.Now()

	s.Revoke(p.Key)

	for _, w := range revoked {
		f, err := w.ReadFrame()
		if err != nil || f.Code() != policyViolation {
			t.Errorf("the revoked one ended as %+v, %v; want code %d", f, err, policyViolation)
		}
		if _, err := w.AwaitEnd(); err != nil {
			t.Error(err)
		}
	}
	t.Logf("revoked, and ended everywhere, %s after it was asked for", time.Since(begun))
	for _, w := range going {
		echoes(t, w, harness.Frame{Opcode: harness.Text, Final: true, Payload: []byte("still here")})
	}
}

// Neither side's silence ends a WebSocket: bounds on bodies and between requests are none on it.
func TestAWebSocketMayBeSilentForLongerThanAnyBound(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 1, harness.Loopback)
	s.Settings(map[string]any{"connections": map[string]any{"head_timeout": "1s", "idle_timeout": "1s", "body_stall": "1s", "write_stall": "1s", "body_rate": 1000}})
	p := s.Protected(harness.NewWireUpstream(t, echoing))
	edge := s.Edges()[0]
	w := socket(t, s, edge, "/chat", p.Key.Key)
	for range 4 { // as often as a connection between requests is given up, the WebSocket has said nothing for that long
		idle := edge.Wire(t)
		say(t, idle, "GET / HTTP/1.1\r\nHost: "+s.Host+"\r\n\r\n")
		answers(t, idle, "GET", http.StatusUnauthorized, "")
		if _, err := idle.AwaitEnd(); err != nil {
			t.Error(err)
		}
	}
	echoes(t, w, harness.Frame{Opcode: harness.Text, Final: true, Payload: []byte(strings.Repeat("x", 100))})
}
