package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"

	addresses "github.com/sallyport/sallyport/proto/address"
)

// Errands makes clients for what libraries fetch (go-oidc), or what has authorities of its own. Each is for one errand: its connections end
// with it. The guard and the bounds are in its transport, so that they hold whoever uses it:
//
//   - every address asked for has the form that [CheckURL] demands, but that the machine itself, where the guard lets it be reached at all, may
//     be asked in plain;
//   - a redirect leads to the same origin (RFC 6454) or nowhere: what an address that a user wrote leads to is no one else's to say;
//   - what isn't a 200 is an error, which holds nothing of what was answered, and an answer ends beyond the bound.
type Errands struct {
	guard Guard
	most  int64
}

// NewErrands returns errands whose answers have at most so many bytes.
func NewErrands(guard Guard, most int64) *Errands { return &Errands{guard: guard, most: most} }

// Client returns a client that trusts authorities, those of the system where there are none, and what ends its connections.
func (e *Errands) Client(authorities *x509.CertPool) (client *http.Client, done func()) {
	transport := func(control func(network, address string, _ syscall.RawConn) error) *http.Transport {
		dialer := &net.Dialer{Timeout: connectTimeout, Control: control}
		return &http.Transport{
			Proxy: nil, DialContext: dialer.DialContext, TLSHandshakeTimeout: connectTimeout, ResponseHeaderTimeout: fetchTimeout,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: authorities},
			MaxResponseHeaderBytes: maxHeaderBytes, MaxConnsPerHost: 2, IdleConnTimeout: fetchTimeout, ForceAttemptHTTP2: true,
		}
	}
	t := &errand{secure: transport(e.guard.control), plain: transport(e.guard.controlOwn), most: e.most}
	return &http.Client{Timeout: fetchTimeout, CheckRedirect: sameOrigin, Transport: t}, t.close
}

// Get fetches what an address holds by a client of these errands.
func (e *Errands) Get(ctx context.Context, client *http.Client, address string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, errors.New("the address can't be read as a URL")
	}
	answer, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("fetch: %w", err)
	}
	defer func() { _ = answer.Body.Close() }() // it was read, or is given up
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, fmt.Errorf("read what was fetched: %w", err)
	}
	return body, nil
}

// controlOwn is control for connections without TLS: only the machine itself is asked so, and only if that is allowed.
func (g Guard) controlOwn(network, address string, raw syscall.RawConn) error {
	parsed, err := netip.ParseAddrPort(address)
	if err != nil || addresses.ClassOf(parsed.Addr()) != addresses.Loopback {
		return fmt.Errorf("%w: in plain only this machine itself is asked, and %q is elsewhere", ErrAddressRefused, address)
	}
	return g.control(network, address, raw)
}

var errElsewhere = errors.New("the address redirects to somebody else, who isn't asked")

// sameOrigin follows a few redirects that lead nowhere else.
func sameOrigin(r *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return fmt.Errorf("more than %d redirects", maxRedirects)
	}
	if from := via[0].URL; r.URL.Scheme != from.Scheme || r.URL.Host != from.Host {
		return errElsewhere
	}
	return nil
}

// errand is the transport of one client.
type errand struct {
	secure, plain *http.Transport
	most          int64
}

func (t *errand) close() {
	t.secure.CloseIdleConnections()
	t.plain.CloseIdleConnections()
}

// RoundTrip implements http.RoundTripper.
func (t *errand) RoundTrip(r *http.Request) (*http.Response, error) {
	by, checked := t.secure, *r.URL
	if r.URL.Scheme == "http" && isOwn(r.URL) {
		by, checked.Scheme = t.plain, "https" // but for that it is to be as any other
	}
	if err := CheckURL(checked.String()); err != nil {
		return nil, fmt.Errorf("the address isn't fetched: %w", err)
	}
	answer, err := by.RoundTrip(r)
	if err != nil {
		return nil, err //nolint:wrapcheck // http.Client says what it did
	}
	switch status := answer.StatusCode; {
	case status == http.StatusOK:
		answer.Body = &bounded{answer.Body, t.most}
		return answer, nil
	case status >= 300 && status < 400 && answer.Header.Get("Location") != "":
		return answer, nil // http.Client follows it, or gives up
	default:
		_ = answer.Body.Close() // nobody reads it
		return nil, fmt.Errorf("the status is %d", status)
	}
}

// isOwn tells whether an address is of the machine itself, by what it is called.
func isOwn(u *url.URL) bool {
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() == "localhost" || err == nil && ip.IsLoopback()
}

// bounded is a body that fails beyond its bound, rather than ending there.
type bounded struct {
	io.ReadCloser
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return n, ErrTooLarge
	}
	return n, err //nolint:wrapcheck // it is io.EOF, mostly
}
