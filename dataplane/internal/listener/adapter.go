package listener

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
)

// adapter stands between net/http and the gateway's own exchange.
type adapter struct {
	handler  Handler
	log      *slog.Logger
	patience time.Duration
	leaving  func() bool // no further request is wanted
}

func (a *adapter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ex := a.handler.Acquire()
	defer a.handler.Finish(ex)
	body := newRequestBody(w, r, &ex.Request, a.patience)
	defer body.release()
	if refused := fill(ex, r, body); refused != nil {
		ex.Refuse(refused)
	}
	if r.ContentLength != 0 {
		// An answer may come before the upload has ended, and must not wait for it.
		_ = http.NewResponseController(w).EnableFullDuplex()
	}
	defer watch(r.Context(), ex)()
	a.serve(ex)
	if a.leaving() || !body.atEnd() {
		// Behind a body that wasn't read to its end net/http would look for the next request wherever it stopped reading: inside what
		// the client, or a proxy in front, takes for the body.
		w.Header().Set("Connection", "close")
	}
	if !write(w, ex) {
		panic(http.ErrAbortHandler) // the only way to tell net/http that the answer is incomplete
	}
}

// watch aborts the exchange when the client goes, until the function that it returns has returned.
func watch(client context.Context, ex *pipeline.Exchange) (end func()) {
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

// serve answers though the handler panics, which would be a fault of ours: the caller is told so, and the request counts as failed.
func (a *adapter) serve(ex *pipeline.Exchange) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		// The value's text might hold something of the request.
		a.log.Error("a request failed by a panic", "request_id", id.Text(pipeline.RequestIDPrefix, ex.ID),
			"type", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
		ex.Refuse(&pipeline.Rejection{Code: problem.Internal, Reason: "panic"})
		ex.Answer()
	}()
	a.handler.Serve(ex)
}

// fill describes the request; what HTTP itself or the canonical path forbids comes back as a rejection.
func fill(ex *pipeline.Exchange, r *http.Request, body *requestBody) *pipeline.Rejection {
	ex.ID = id.New(time.Now())
	ex.Started = time.Now()
	if peer, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		ex.Client.Peer = netip.AddrPortFrom(peer.Addr().Unmap().WithZone(""), peer.Port())
	}
	ex.Wire = body
	in := &ex.Request
	in.Method, in.Proto = r.Method, r.Proto
	in.Scheme = "http"
	in.Host = r.Host
	in.Body, in.ContentLength = body, r.ContentLength
	for name, values := range r.Header {
		for _, value := range values {
			in.Header.Add(name, value)
		}
	}
	in.Header.DropConnection()
	if refused := checkMethod(r); refused != nil {
		return refused
	}
	authority, ok := hostOf(r.Host)
	if !ok {
		return &pipeline.Rejection{Code: problem.BadRequest, Detail: "The Host header is not a valid host.", Reason: "invalid Host"}
	}
	in.Authority = authority
	return fillTarget(in, r.RequestURI)
}

func checkMethod(r *http.Request) *pipeline.Rejection {
	switch {
	case r.Method == http.MethodConnect || r.Method == http.MethodTrace:
		return &pipeline.Rejection{Code: problem.MethodNotAllowed, Detail: "The gateway takes neither CONNECT nor TRACE.", Reason: r.Method}
	case r.Header.Get("Upgrade") != "":
		return &pipeline.Rejection{Code: problem.UpgradeNotSupported, Reason: "Upgrade asked for"}
	}
	return nil
}

// hostOf returns the host of a Host header in lower case, without port, brackets kept off.
func hostOf(host string) (string, bool) {
	if host == "" {
		return "", true // HTTP/1.0
	}
	if strings.HasPrefix(host, "[") {
		end := strings.IndexByte(host, ']')
		if end < 0 || !validPort(host[end+1:]) {
			return "", false
		}
		address, err := netip.ParseAddr(host[1:end])
		return address.String(), err == nil && address.Is6() && address.Zone() == ""
	}
	name, port := host, ""
	if colon := strings.IndexByte(host, ':'); colon >= 0 {
		name, port = host[:colon], host[colon:]
	}
	if name == "" || len(name) > 253 || !validPort(port) || strings.IndexFunc(name, notInHost) >= 0 {
		return "", false
	}
	// A trailing dot names the same host (RFC 1034, section 3.1): one host, one spelling.
	return strings.ToLower(strings.TrimSuffix(name, ".")), true
}

// notInHost tells which characters no host name has.
func notInHost(c rune) bool {
	letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
	digit := c >= '0' && c <= '9'
	return !letter && !digit && c != '-' && c != '.' && c != '_'
}

func validPort(port string) bool {
	if port == "" || port == ":" {
		return true
	}
	if port[0] != ':' || len(port) > 6 {
		return false
	}
	for _, c := range port[1:] {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
