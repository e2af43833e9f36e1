package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/snapshot"
	"github.com/sallyport/sallyport/dataplane/internal/stall"
	"github.com/sallyport/sallyport/proto/problem"
)

const (
	idleConnectionsPerTarget = 512
	idleTimeout              = 60 * time.Second
	maxResponseHeadBytes     = 64 << 10
	stallTimeout             = 60 * time.Second // that a target may take nothing of a request
)

// Pool holds the connections to one service's targets. It is safe for concurrent use, and closes its idle connections
// once nothing refers to it.
type Pool struct {
	targets   []snapshot.Target
	total     uint64
	transport *http.Transport
}

// New returns a pool of the connections to a service. It opens nothing until a request comes, and never connects to own,
// the edge's listeners, unless the environment allows exactly their address.
func New(spec snapshot.Spec, own []netip.AddrPort) *Pool {
	dialer := &net.Dialer{
		Timeout: spec.Connect,
		Control: NewGuard(spec.AllowedTargets, own).control,
	}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err //nolint:wrapcheck // net's own words, and types
			}
			return stall.NewConn(conn, stallTimeout), nil
		},
		DisableCompression:     true,
		MaxIdleConnsPerHost:    idleConnectionsPerTarget,
		IdleConnTimeout:        idleTimeout,
		ResponseHeaderTimeout:  spec.ResponseHead,
		MaxResponseHeaderBytes: maxResponseHeadBytes,
		ExpectContinueTimeout:  time.Second,
	}
	pool := &Pool{targets: slices.Clone(spec.Targets), transport: transport}
	for _, target := range pool.targets {
		pool.total += uint64(target.Weight)
	}
	runtime.AddCleanup(pool, (*http.Transport).CloseIdleConnections, transport)
	return pool
}

// Send asks one target and leaves its answer in ex.Response; the body must be closed. On failure it returns a
// *pipeline.Rejection that says in whose hands the request was.
func (p *Pool) Send(ex *pipeline.Exchange) error {
	address, ok := p.pick()
	if !ok {
		return &pipeline.Rejection{Code: problem.UpstreamUnreachable, Reason: "no target has weight"}
	}
	ex.Target = address
	ctx, cancel := context.WithCancel(context.Background())
	_ = ex.Abort.Hold(cutter(cancel))
	answer, err := p.transport.RoundTrip(newRequest(ex, address).WithContext(ctx))
	if err != nil {
		cancel()
		return rejection(ex, address, err)
	}
	if answer.StatusCode < 200 || answer.StatusCode > 599 {
		_ = answer.Body.Close()
		cancel()
		return &pipeline.Rejection{
			Code:   problem.UpstreamInvalidResponse,
			Reason: fmt.Sprintf("target %s answered with status %d", address, answer.StatusCode),
		}
	}
	fillResponse(&ex.Response, answer, ex.Abort, cancel)
	return nil
}

// pick draws a target by weight. A random draw shares no state between requests, where a round-robin counter would.
func (p *Pool) pick() (string, bool) {
	if p.total == 0 {
		return "", false
	}
	if len(p.targets) == 1 {
		return p.targets[0].Address, true
	}
	draw := rand.Uint64N(p.total) //nolint:gosec // nothing depends on that nobody foresees it
	for _, target := range p.targets {
		if draw < uint64(target.Weight) {
			return target.Address, true
		}
		draw -= uint64(target.Weight)
	}
	return "", false
}

// newRequest says the exchange's request in net/http's words. Opaque carries the path byte for byte: URL.Path would be
// encoded anew, and the upstream would see another spelling than the one that was decided on. Nothing lies in the exchange's
// memory: a target may answer before it has been sent all, and net/http then goes on sending while the exchange serves another request.
func newRequest(ex *pipeline.Exchange, address string) *http.Request {
	in := &ex.Request
	out := &http.Request{
		Method:        in.Method,
		URL:           &url.URL{Scheme: "http", Host: address, Opaque: strings.Clone(in.ForwardPath), RawQuery: strings.Clone(in.Query)},
		Host:          in.Host,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        make(http.Header, in.Header.Len()),
		ContentLength: in.ContentLength,
	}
	in.Header.CopyTo(out.Header)
	if in.ContentLength != 0 {
		out.Body = io.NopCloser(in.Body)
	}
	if _, named := out.Header["User-Agent"]; !named {
		out.Header["User-Agent"] = nil // else net/http names itself
	}
	return out
}

// cutter gives up on a round trip.
type cutter context.CancelFunc

func (c cutter) Cut() { c() }

func fillResponse(out *pipeline.Response, answer *http.Response, abort *pipeline.Abort, cancel context.CancelFunc) {
	out.Status = answer.StatusCode
	out.ContentLength = answer.ContentLength
	out.Header.Reset()
	for name, values := range answer.Header {
		for _, value := range values {
			out.Header.Add(name, value)
		}
	}
	out.Body = &body{answer: answer, trailer: &out.Trailer, abort: abort, cancel: cancel}
}

// body hands over the trailers once the answer's body is at its end.
type body struct {
	answer  *http.Response
	trailer *pipeline.Header
	abort   *pipeline.Abort
	cancel  context.CancelFunc
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.answer.Body.Read(p)
	if errors.Is(err, io.EOF) && b.trailer.Len() == 0 {
		for name, values := range b.answer.Trailer {
			for _, value := range values {
				b.trailer.Add(name, value)
			}
		}
	}
	return n, err //nolint:wrapcheck // io.EOF must stay what it is
}

func (b *body) Close() error {
	_ = b.abort.Hold(nil)
	err := b.answer.Body.Close()
	b.cancel()
	return err //nolint:wrapcheck // nothing to add
}

// rejection finds whose fault a failed round trip was. net/http has no types for malformed answers; its text is the
// only sign, and whatever is not recognised counts as unreachable.
func rejection(ex *pipeline.Exchange, address string, err error) error {
	reason := fmt.Sprintf("target %s: %v", address, err)
	var timeout interface{ Timeout() bool }
	var clients *pipeline.Rejection // the listener's word on a body that it could not read
	switch {
	case errors.As(err, &clients):
		return clients
	case ex.Abort.Cause() != nil:
		return &pipeline.Rejection{Code: problem.ClientGone, Reason: reason}
	case errors.Is(err, ErrAddressRefused):
		return &pipeline.Rejection{Code: problem.UpstreamAddressRefused, Reason: reason}
	case isDial(err):
		return &pipeline.Rejection{Code: problem.UpstreamUnreachable, Reason: reason}
	case errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout():
		return &pipeline.Rejection{Code: problem.UpstreamTimeout, Reason: reason}
	case soundsInvalid(err.Error()):
		return &pipeline.Rejection{Code: problem.UpstreamInvalidResponse, Reason: reason}
	}
	return &pipeline.Rejection{Code: problem.UpstreamUnreachable, Reason: reason}
}

// soundsInvalid recognises what net/http says of answers that break the rules of HTTP.
func soundsInvalid(text string) bool {
	for _, sign := range [...]string{
		"malformed", "bad ", "invalid", "headers exceeded", "transport protocol",
		"message cannot contain multiple", "unsupported transfer encoding", "too many transfer encodings",
	} {
		if strings.Contains(text, sign) {
			return true
		}
	}
	return false
}

func isDial(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}
