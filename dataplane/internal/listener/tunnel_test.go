package listener

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/streams"
	"github.com/sallyport/sallyport/dataplane/internal/websocket"
	"github.com/sallyport/sallyport/proto/problem"
)

// side is a service's side of a tunnel.
type side struct{ *net.TCPConn }

func (s side) Cut() { _ = s.SetDeadline(past) }

// tunnelled is a client and a service with the listener in between.
type tunnelled struct {
	client, service *net.TCPConn
	answer          *http.Response
	fromService     *bufio.Reader // what the client reads
	exchange        *pipeline.Exchange
	bytes           chan [2]int64 // of request and answer, once it is finished
	stop            func()
	ended           <-chan error
}

const handshake = "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"

// counted tells how many bytes an exchange has carried.
type counted struct {
	echo
	bytes chan [2]int64
}

func (c *counted) Finish(ex *pipeline.Exchange) {
	c.bytes <- [2]int64{ex.Request.BodyBytes, ex.Response.BodyBytes}
	c.echo.Finish(ex)
}

// pair returns both ends of a TCP connection.
func pair(t *testing.T) (here, there *net.TCPConn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	here = dial(t, listener.Addr().String())
	accepted, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = accepted.Close() })
	return here, accepted.(*net.TCPConn)
}

// open switches a connection to WebSocket.
func open(t *testing.T) *tunnelled {
	t.Helper()
	ours, service := pair(t)
	if err := ours.SetDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	if err := service.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	w := &tunnelled{service: service, bytes: make(chan [2]int64, 1)}
	began := make(chan *pipeline.Exchange, 1)
	handler := &counted{bytes: w.bytes}
	handler.serve = func(ex *pipeline.Exchange) {
		if ex.Request.Upgrade != websocket.Protocol || ex.Request.Header.Has("Connection") {
			t.Errorf("asked to switch to %q by %v", ex.Request.Upgrade, ex.Request.Header.Fields())
		}
		ex.Response.Status, ex.Response.Tunnel = 101, side{ours}
		ex.Response.Header.Add("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
		began <- ex
	}
	address, stop, ended := running(t, Config{Handler: handler, DrainTimeout: 10 * time.Second})
	w.stop, w.ended = stop, ended
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	w.client = dial(t, address)
	t.Cleanup(func() { _ = w.client.Close() })
	say(t, w.client, handshake)
	w.exchange = <-began
	w.fromService = bufio.NewReader(w.client)
	answer, err := http.ReadResponse(w.fromService, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.answer = answer
	return w
}

// hello and reply are frames of either side.
var (
	hello = []byte{0x81, 0x85, 1, 2, 3, 4, 'h' ^ 1, 'e' ^ 2, 'l' ^ 3, 'l' ^ 4, 'o' ^ 1}
	reply = []byte{0x82, 3, 1, 2, 3}
)

// expect reads exactly what is wanted.
func expect(t *testing.T, from io.Reader, want []byte) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(from, got); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("got % x (%v), want % x", got, err, want)
	}
}

// expectClose reads a Close frame with a code, and the end behind it.
func expectClose(t *testing.T, from io.Reader, by websocket.Direction, code uint16) {
	t.Helper()
	rest, _ := io.ReadAll(from) // a reset after the frame says no more than an end
	want := websocket.AppendClose(nil, by, code)
	if len(rest) != len(want) || rest[0] != want[0] {
		t.Fatalf("got % x, want a Close frame alone", rest)
	}
	payload := rest[len(rest)-2:]
	if by == websocket.FromClient {
		payload[0] ^= rest[2]
		payload[1] ^= rest[3]
	}
	if got := binary.BigEndian.Uint16(payload); got != code {
		t.Errorf("code %d, want %d", got, code)
	}
}

func TestFramesPassBothWaysAndAreCounted(t *testing.T) {
	w := open(t)
	if w.answer.StatusCode != http.StatusSwitchingProtocols || w.answer.Header.Get("Connection") != "Upgrade" || w.answer.Header.Get("Upgrade") != "websocket" || w.answer.Header.Get("Sec-WebSocket-Accept") == "" {
		t.Errorf("answered %d %v", w.answer.StatusCode, w.answer.Header)
	}
	for range 3 {
		say(t, w.client, string(hello))
		expect(t, w.service, hello)
		say(t, w.service, string(reply))
		expect(t, w.fromService, reply)
	}
	// Each end is passed on by itself.
	if err := w.client.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if rest := hearAll(t, w.service); rest != "" {
		t.Errorf("got %q", rest)
	}
	say(t, w.service, string(reply))
	expect(t, w.fromService, reply)
	if err := w.service.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if rest := hearAll(t, w.fromService); rest != "" {
		t.Errorf("got %q", rest)
	}
	if got, want := <-w.bytes, [2]int64{int64(3 * len(hello)), int64(4 * len(reply))}; got != want {
		t.Errorf("%v bytes were counted, want %v", got, want)
	}
}

func TestASilentTunnelWhoseCallerIsRevokedIsToldSoAndEnds(t *testing.T) {
	w := open(t)
	say(t, w.client, string(hello))
	expect(t, w.service, hello)
	w.exchange.Abort.Because(&streams.Ended{Reason: problem.CredentialInvalid})
	expectClose(t, w.fromService, websocket.FromService, websocket.PolicyBroken)
	expectClose(t, w.service, websocket.FromClient, websocket.GoingAway)
	<-w.bytes
}

// A Close frame inside another frame would be a part of that.
func TestATunnelIsToldItsEndBehindTheFrameUnderWay(t *testing.T) {
	w := open(t)
	half := append(bytes.Clone(reply[:4]), []byte(nil)...)
	say(t, w.service, string(half))
	expect(t, w.fromService, half)
	w.exchange.Abort.Because(&streams.Ended{Reason: problem.CredentialInvalid})
	expectClose(t, w.service, websocket.FromClient, websocket.GoingAway)
	<-w.bytes
	rest, _ := io.ReadAll(w.fromService)
	if len(rest) != 0 {
		t.Errorf("% x was written into a frame", rest)
	}
}

func TestATunnelEndsAtTheNextFrameThoughTheServiceGoesOn(t *testing.T) {
	w := open(t)
	say(t, w.service, string(reply[:4]))
	expect(t, w.fromService, reply[:4])
	w.exchange.Abort.Because(&streams.Ended{Reason: problem.CredentialInvalid})
	say(t, w.service, string(reply[4:])+string(reply)+string(reply))
	expect(t, w.fromService, reply[4:])
	expectClose(t, w.fromService, websocket.FromService, websocket.PolicyBroken)
	<-w.bytes
}

func TestAFrameThatBreaksTheRulesEndsTheTunnel(t *testing.T) {
	for _, tt := range []struct {
		name  string
		send  func(*tunnelled) io.Writer
		bytes []byte
	}{
		{"a client that doesn't mask", func(w *tunnelled) io.Writer { return w.client }, reply},
		{"a service that masks", func(w *tunnelled) io.Writer { return w.service }, hello},
		{"a reserved bit", func(w *tunnelled) io.Writer { return w.service }, []byte{0xc1, 0}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := open(t)
			say(t, tt.send(w), string(tt.bytes))
			expectClose(t, w.fromService, websocket.FromService, websocket.ProtocolError)
			expectClose(t, w.service, websocket.FromClient, websocket.ProtocolError)
			<-w.bytes
		})
	}
}

func TestATunnelIsToldThatTheNodeGoes(t *testing.T) {
	w := open(t)
	w.stop()
	expectClose(t, w.fromService, websocket.FromService, websocket.GoingAway)
	<-w.bytes
}

func TestAClientThatIsGoneEndsItsTunnel(t *testing.T) {
	w := open(t)
	if err := w.client.SetLinger(0); err != nil {
		t.Fatal(err)
	}
	_ = w.client.Close()
	_, _ = io.ReadAll(w.service)
	<-w.bytes
}

func TestAServiceThatDoesNotSwitchIsAnsweredForAsEver(t *testing.T) {
	conn := dial(t, start(t, &echo{serve: func(ex *pipeline.Exchange) {
		ex.Response.Status = http.StatusForbidden
		ex.Response.Body, ex.Response.ContentLength = io.NopCloser(strings.NewReader("no")), 2
	}}))
	say(t, conn, handshake+"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	reader := bufio.NewReader(conn)
	for range 2 {
		if answer, body := next(t, reader, http.MethodGet); answer.StatusCode != http.StatusForbidden || body != "no" {
			t.Errorf("got %d %q", answer.StatusCode, body)
		}
	}
}

func TestATunnelWithAHeadThatCanNotBeSentIsNone(t *testing.T) {
	ours, service := pair(t)
	conn := dial(t, start(t, &echo{serve: func(ex *pipeline.Exchange) {
		ex.Response.Status, ex.Response.Tunnel = 101, side{ours}
		ex.Response.Header.Add("X", "a\r\nb")
	}}))
	say(t, conn, handshake+"GET /frames-are-no-requests")
	if answer, _ := next(t, bufio.NewReader(conn), http.MethodGet); answer.StatusCode != http.StatusInternalServerError {
		t.Errorf("got %d, want 500", answer.StatusCode)
	}
	if _, err := io.ReadAll(service); err != nil {
		t.Errorf("the service isn't told: %v", err)
	}
}
