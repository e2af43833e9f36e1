package listener

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/http1"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
)

// http2 serves connections that speak HTTP/2, by net/http, behind the same Exchange.
type http2 struct {
	engine *engine
	server *http.Server
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
	served chan struct{}
}

// serveHTTP2 begins to serve.
func (e *engine) serveHTTP2() {
	h := &http2{engine: e, conns: make(chan net.Conn), closed: make(chan struct{}), served: make(chan struct{})}
	limits := e.limits()
	h.server = &http.Server{
		Handler:           h,
		ReadHeaderTimeout: limits.Head,
		IdleTimeout:       limits.Idle,
		MaxHeaderBytes:    limits.HeadBytes,
		ErrorLog:          slog.NewLogLogger(e.log.Handler(), slog.LevelDebug),
		// A handler of our own answers OPTIONS *, by refusing it like every target that is not a path.
		DisableGeneralOptionsHandler: true,
	}
	e.http2 = h
	go func() {
		defer close(h.served)
		_ = h.server.Serve(h) // it ends by being shut down alone
	}()
}

// Accept implements net.Listener.
func (h *http2) Accept() (net.Conn, error) {
	select {
	case conn := <-h.conns:
		return conn, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (h *http2) Close() error {
	h.once.Do(func() { close(h.closed) })
	return nil
}

// Addr implements net.Listener.
func (h *http2) Addr() net.Addr { return &net.TCPAddr{} }

// take serves a connection whose handshake has agreed on HTTP/2, until it is closed.
func (h *http2) take(secured *tls.Conn, closed <-chan struct{}) {
	select {
	case h.conns <- secured:
		<-closed
	case <-h.closed:
	}
}

// shutdown tells clients to go elsewhere, and lets requests under way end for as long as patience lasts; what it returns is closed once that is done.
func (e *engine) shutdownHTTP2(ctx context.Context, patience time.Duration) (ended <-chan struct{}) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		if e.http2.server.Shutdown(ctx) != nil {
			e.http2.kill()
		}
		<-e.http2.served
	}()
	return done
}

// kill ends all connections and what is served on them.
func (h *http2) kill() { _ = h.server.Close() } // nobody to tell

// ServeHTTP implements http.Handler.
func (h *http2) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ex := h.engine.handler.Acquire()
	defer h.engine.handler.Finish(ex)
	body := newHTTP2Body(w, r, &ex.Request, h.engine.limits().BodyStall)
	defer body.release()
	if refused := fillHTTP2(ex, r, body); refused != nil {
		ex.Refuse(refused)
	}
	defer watchHTTP2(r.Context(), ex)()
	h.engine.serve(ex)
	if !writeHTTP2(w, ex) {
		panic(http.ErrAbortHandler) // the only way to tell net/http that the answer is incomplete
	}
}

// watchHTTP2 aborts the exchange when the client goes, until the function that it returns has returned.
func watchHTTP2(client context.Context, ex *pipeline.Exchange) (end func()) {
	gone := make(chan struct{})
	stop := context.AfterFunc(client, func() {
		defer close(gone)
		ex.Abort.Because(pipeline.ErrGone)
	})
	return func() {
		if !stop() {
			<-gone
		}
	}
}

// fillHTTP2 describes the request; what HTTP itself or the canonical path forbids comes back as a rejection.
func fillHTTP2(ex *pipeline.Exchange, r *http.Request, body *http2Body) *pipeline.Rejection {
	ex.Started = time.Now()
	ex.ID = id.New(ex.Started)
	if peer, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		ex.Client.Peer = netip.AddrPortFrom(peer.Addr().Unmap().WithZone(""), peer.Port())
	}
	ex.Wire = body
	in := &ex.Request
	in.Method, in.Proto, in.Scheme, in.Host = r.Method, r.Proto, "https", r.Host
	in.Body, in.ContentLength = body, r.ContentLength
	for name, values := range r.Header {
		for _, value := range values {
			in.Header.Add(name, value)
		}
	}
	in.Header.DropConnection()
	if refused := checkMethod(r.Method); refused != nil {
		return refused
	}
	authority, ok := http1.Authority(r.Host)
	if !ok {
		return &pipeline.Rejection{Code: problem.BadRequest, Detail: "The :authority is not a valid host.", Reason: "invalid :authority"}
	}
	in.Authority = authority
	return fillTarget(in, r.RequestURI)
}

// http2Body hands over what the client sends, counts it, and adds the trailers at its end. A transport may go on reading on a
// goroutine of its own while the answer is written, and even after that, when the exchange belongs to another request:
// after release nothing is read, and nothing touches the exchange.
type http2Body struct {
	request  *http.Request
	control  *http.ResponseController
	patience time.Duration // with a client that is silent in the middle

	mu      sync.Mutex
	into    *pipeline.Request // nil: released
	ended   bool
	stopped bool
}

func newHTTP2Body(w http.ResponseWriter, r *http.Request, into *pipeline.Request, patience time.Duration) *http2Body {
	return &http2Body{
		request: r, control: http.NewResponseController(w), patience: patience,
		into: into, ended: r.ContentLength == 0,
	}
}

// Read implements io.Reader. Its errors but for io.EOF are rejections: they are the client's fault.
func (b *http2Body) Read(p []byte) (int, error) {
	if !b.expect() {
		return 0, errReleased
	}
	n, err := b.request.Body.Read(p)
	b.note(n, err)
	return n, http2Fault(err)
}

// expect bounds how long the next bytes may take; false: nobody waits for them any more.
func (b *http2Body) expect() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.into == nil || b.stopped {
		return false
	}
	if !b.ended {
		b.deadline(time.Now().Add(b.patience))
	}
	return true
}

func (b *http2Body) note(n int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.into == nil {
		return
	}
	b.into.BodyBytes += int64(n)
	if !errors.Is(err, io.EOF) || b.ended {
		return
	}
	b.ended = true
	b.deadline(time.Time{}) // from here on net/http waits for the client to go away, which may take its time
	for name, values := range b.request.Trailer {
		for _, value := range values {
			b.into.Trailer.Add(name, value)
		}
	}
}

// StopReading implements pipeline.Stopper.
func (b *http2Body) StopReading() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.ended {
		b.stopped = true
		b.deadline(past)
	}
}

// release lets go of the exchange. What the client still sends is waited for by net/http, but not for long.
func (b *http2Body) release() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.into = nil
	if !b.ended {
		b.deadline(time.Now().Add(min(b.patience, lingerTime)))
	}
}

// Cut implements streams.Wire. Reads and writes under way fail; the stall's own deadline of a later write takes the place of this one.
func (b *http2Body) Cut() {
	b.deadline(past)
	_ = b.control.SetWriteDeadline(past) // of a closed connection there is nothing to cut
}

// deadline fails on closed connections alone, of which the next read tells.
func (b *http2Body) deadline(at time.Time) { _ = b.control.SetReadDeadline(at) }

// http2Fault says why a body can't be read.
func http2Fault(err error) error {
	switch {
	case err == nil || errors.Is(err, io.EOF):
		return err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &pipeline.Rejection{Code: problem.RequestTimeout, Reason: "the client fell silent in the middle of the body"}
	case errors.Is(err, io.ErrUnexpectedEOF):
		return &pipeline.Rejection{Code: problem.ClientGone, Reason: "the client left in the middle of the body"}
	}
	return &pipeline.Rejection{Code: problem.BadRequest, Detail: "The request body is malformed.", Reason: "read the body: " + err.Error()}
}

// writeHTTP2 sends the answer; false: it could not be sent whole, and the stream must end so that the client sees that.
func writeHTTP2(w http.ResponseWriter, ex *pipeline.Exchange) bool {
	out := &ex.Response
	if out.Body != nil {
		defer out.Body.Close()
	}
	header := w.Header()
	out.Header.CopyTo(header) // net/http writes a short answer's head when the exchange is finished already
	if _, dated := header["Date"]; dated {
		header["Date"] = header["Date"][:1]
	}
	none := ex.Request.Method == http.MethodHead || out.Status == http.StatusNoContent || out.Status == http.StatusNotModified
	if out.ContentLength >= 0 && out.Status != http.StatusNoContent && out.Status != http.StatusNotModified {
		header.Set("Content-Length", strconv.FormatInt(out.ContentLength, 10))
	}
	if _, typed := header["Content-Type"]; !typed {
		header["Content-Type"] = nil // else net/http guesses one
	}
	w.WriteHeader(out.Status)
	if out.Body == nil || none {
		return true
	}
	if !copyHTTP2(w, out) {
		return false
	}
	for _, field := range out.Trailer.Fields() {
		if http1.MayTrail(field.Name) && !withholds(out, field.Name) {
			header.Add(http.TrailerPrefix+field.Name, strings.Clone(field.Value))
		}
	}
	return true
}

// copyHTTP2 passes the body on. What has no known length may be a stream whose reader waits for each piece: it is flushed at once.
func copyHTTP2(w http.ResponseWriter, out *pipeline.Response) bool {
	buffer, ok := writeBuffers.Get().(*[writeBufferBytes]byte)
	if !ok {
		buffer = new([writeBufferBytes]byte)
	}
	defer writeBuffers.Put(buffer)
	control := http.NewResponseController(w)
	stream := out.ContentLength < 0
	for {
		n, err := out.Body.Read(buffer[:])
		if n > 0 {
			written, writeErr := writePiece(w, buffer[:n], !stream && out.BodyBytes+int64(n) >= out.ContentLength)
			out.BodyBytes += int64(written)
			if writeErr != nil {
				return false
			}
			if stream && control.Flush() != nil {
				return false
			}
		}
		if errors.Is(err, io.EOF) {
			return out.ContentLength < 0 || out.BodyBytes == out.ContentLength
		}
		if err != nil {
			return false
		}
	}
}

// writePiece writes a piece of a body. The last byte of the last one goes by itself: net/http keeps so little until the handler has returned, and
// with it the exchange is finished. So nobody has the end of an answer before it is counted. Other answers end with
// what net/http itself sends then.
func writePiece(w io.Writer, piece []byte, last bool) (int, error) {
	if !last || len(piece) < 2 {
		return w.Write(piece) //nolint:wrapcheck // its text goes nowhere
	}
	body, end := piece[:len(piece)-1], piece[len(piece)-1:]
	written, err := w.Write(body)
	if err != nil {
		return written, err //nolint:wrapcheck // its text goes nowhere
	}
	ended, err := w.Write(end)
	return written + ended, err //nolint:wrapcheck // its text goes nowhere
}
