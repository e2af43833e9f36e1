package listener

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"

	"github.com/sallyport/sallyport/dataplane/internal/http1"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/sweeper"
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
	client, side := net.Pipe()
	stop := context.AfterFunc(ctx, func() { _ = client.Close() })
	defer stop()
	e := newEngine(Config{Handler: handler, Logger: logger, Sweeper: sweeper.New()}) // which nobody runs: ctx is the deadline
	e.leaving.Store(true)                                                            // so that the connection ends with the answer
	c := newConn(e, &from{Conn: side, peer: net.TCPAddrFromAddrPort(peer)})
	e.remember(c)
	served := make(chan struct{})
	go func() {
		defer close(served)
		c.serve(nil)
	}()
	answer, err := converse(client, head, maxBody)
	_ = client.Close()
	<-served // the handler, if it was ever asked, has finished before that
	if err != nil {
		return Rehearsed{}, errors.Join(err, context.Cause(ctx))
	}
	return answer, nil
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
	answer, err := hear(client, method, maxBody)
	if err != nil {
		return Rehearsed{}, fmt.Errorf("read the answer of a rehearsal: %w", err)
	}
	return answer, nil
}

// hear reads an answer.
func hear(client net.Conn, method string, maxBody int64) (Rehearsed, error) {
	limits := http1.Limits{StartLine: writeBufferBytes, Head: maxAnswerHead, Fields: maxAnswerFields}
	var (
		reader          http1.Reader
		answer          http1.Response
		header, trailer pipeline.Header
	)
	reader.Attach(client, make([]byte, writeBufferBytes))
	head, err := reader.ReadHead(&limits)
	if err != nil {
		return Rehearsed{}, err //nolint:wrapcheck // the caller does
	}
	if malformed := answer.Parse(head, method == methodHead, &limits, &header); malformed != nil {
		return Rehearsed{}, malformed
	}
	body, err := io.ReadAll(io.LimitReader(reader.Body(&answer.Head, &trailer), maxBody))
	if err != nil {
		return Rehearsed{}, err //nolint:wrapcheck // as above
	}
	out := Rehearsed{Status: answer.Status, Body: string(body)}
	for _, f := range header.Fields() {
		if !pipeline.EqualFold(f.Name, "Connection") {
			out.Header = append(out.Header, pipeline.Field{Name: strings.Clone(f.Name), Value: strings.Clone(f.Value)})
		}
	}
	return out, nil
}

const (
	// maxMethod is how far a method is looked for.
	maxMethod = 16
	// maxAnswerHead and maxAnswerFields bound what the gateway itself answers.
	maxAnswerHead   = 1 << 20
	maxAnswerFields = 10_000
)

// from is a connection that says where it comes from.
type from struct {
	net.Conn

	peer net.Addr
}

// RemoteAddr implements net.Conn.
func (f *from) RemoteAddr() net.Addr { return f.peer }
