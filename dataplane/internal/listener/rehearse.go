package listener

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
)

// Rehearsed is what a client would have got.
type Rehearsed struct {
	// Status of the answer.
	Status int
	// Header of the answer, without what belongs to the connection.
	Header []pipeline.Field
	// Body of the answer, as much of it as was asked for.
	Body string
}

// Rehearse serves one request over a connection in memory as Run serves it over the network, and returns the answer. head is the
// request up to its empty line, as a client would send it; of a body that it announces nothing comes. The handler is asked
// unless HTTP itself forbids the request, and has finished when Rehearse returns.
func Rehearse(ctx context.Context, head []byte, peer netip.AddrPort, handler Handler, logger *slog.Logger, maxBody int64) (Rehearsed, error) {
	client, wire := net.Pipe()
	stop := context.AfterFunc(ctx, func() { _ = client.Close() })
	defer stop()
	asked := &tracked{Handler: handler, finished: make(chan struct{})}
	adapted := &adapter{
		handler: asked, log: logger, patience: defaultStallTimeout,
		leaving: func() bool { return true }, // so that the connection ends with the answer
	}
	server := newServer(adapted, log.New(io.Discard, "", 0)) // what it says might hold something of the request
	closed := make(chan struct{})
	server.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			close(closed)
		}
	}
	_ = server.Serve(&single{conn: &from{Conn: wire, peer: net.TCPAddrFromAddrPort(peer)}}) // returns at once: there is one connection
	answer, err := converse(client, head, maxBody)
	_ = client.Close()
	if err != nil {
		<-closed // the handler, if it was ever asked, has finished before that
		return Rehearsed{}, errors.Join(err, context.Cause(ctx))
	}
	if asked.begun.Load() { // else it won't be: the server itself has answered
		<-asked.finished // net/http keeps the connection for another moment if a large body wasn't read
	}
	return answer, nil
}

// tracked is a handler of one request that tells when it has finished.
type tracked struct {
	Handler

	begun    atomic.Bool
	finished chan struct{}
}

func (t *tracked) Acquire() *pipeline.Exchange {
	t.begun.Store(true)
	return t.Handler.Acquire()
}

func (t *tracked) Finish(ex *pipeline.Exchange) {
	defer close(t.finished)
	t.Handler.Finish(ex)
}

// converse sends a head and reads the answer.
func converse(client net.Conn, head []byte, maxBody int64) (Rehearsed, error) {
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_, _ = client.Write(head) // who refuses early doesn't read it all
	}()
	defer func() {
		_ = client.Close() // ends the sending
		<-sent
	}()
	method, _, _ := strings.Cut(string(head[:min(len(head), maxMethod)]), " ") // that of HEAD has no body
	answer, err := http.ReadResponse(bufio.NewReader(client), &http.Request{Method: method})
	if err != nil {
		return Rehearsed{}, fmt.Errorf("read the answer of a rehearsal: %w", err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxBody))
	if err != nil {
		return Rehearsed{}, fmt.Errorf("read the answer of a rehearsal: %w", err)
	}
	out := Rehearsed{Status: answer.StatusCode, Body: string(body)}
	for name, values := range answer.Header {
		for _, value := range values {
			if name != "Connection" {
				out.Header = append(out.Header, pipeline.Field{Name: name, Value: value})
			}
		}
	}
	return out, nil
}

// maxMethod is how far a method is looked for.
const maxMethod = 16

// single is a listener that accepts one connection.
type single struct{ conn net.Conn }

func (s *single) Accept() (net.Conn, error) {
	if s.conn == nil {
		return nil, net.ErrClosed
	}
	conn := s.conn
	s.conn = nil
	return conn, nil
}

func (s *single) Close() error   { return nil }
func (s *single) Addr() net.Addr { return &net.TCPAddr{} }

// from is a connection that says where it comes from.
type from struct {
	net.Conn

	peer net.Addr
}

func (f *from) RemoteAddr() net.Addr { return f.peer }
