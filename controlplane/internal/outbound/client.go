package outbound

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Bounds of a request.
const (
	connectTimeout = 5 * time.Second
	requestTimeout = 15 * time.Second
	maxRedirects   = 3
	maxHeaderBytes = 64 << 10
	// maxUnread is how much of a post's answer is read, so that its connection can be used again: nobody wants to know what it says.
	maxUnread = 4 << 10
)

var (
	// ErrTooLarge is why an answer was given up.
	ErrTooLarge = errors.New("the answer is larger than it may be")

	errElsewhere = errors.New("the address redirects to somebody else, who isn't asked")
)

// Client makes requests to addresses that users wrote. It is safe for concurrent use, and keeps its connections.
type Client struct {
	guard     Guard
	transport *http.Transport
}

// NewClient returns a client whose every connection the guard checks.
func NewClient(guard Guard) *Client { return &Client{guard: guard, transport: guard.transport(nil)} }

// HTTP returns a client for libraries that make requests themselves: each connection passes the guard, each address has the form that
// [Guard.CheckURL] asks for, redirects are few and lead to the same origin (RFC 6454), and of an answer no more than so many bytes are read.
func (c *Client) HTTP(most int64) *http.Client {
	return &http.Client{Timeout: requestTimeout, CheckRedirect: sameOrigin, Transport: &heldTransport{next: c.transport, guard: c.guard, most: most}}
}

// Post sends a body, and returns the status of the answer. It follows no redirect: what is signed for one address isn't shown to another.
func (c *Client) Post(ctx context.Context, address string, header http.Header, body []byte) (status int, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return 0, errors.New("the address can't be read as a URL")
	}
	request.Header = header
	client := c.HTTP(maxUnread)
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	answer, err := client.Do(request)
	if err != nil {
		return 0, fmt.Errorf("post: %w", withoutURL(err))
	}
	defer func() { _ = answer.Body.Close() }() // its status is what was asked for
	_, _ = io.Copy(io.Discard, answer.Body)    // ends where the bound is
	return answer.StatusCode, nil
}

// withoutURL is why a request failed, without its address: that may hold what is nobody's business.
func withoutURL(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}

// transport returns a transport whose connections the guard checks. It trusts authorities, those of the system where there are none.
func (g Guard) transport(authorities *x509.CertPool) *http.Transport {
	dialer := &net.Dialer{Timeout: connectTimeout, Control: g.control}
	return &http.Transport{
		Proxy: nil, DialContext: dialer.DialContext, TLSHandshakeTimeout: connectTimeout, ResponseHeaderTimeout: requestTimeout,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: authorities},
		MaxResponseHeaderBytes: maxHeaderBytes, MaxConnsPerHost: 4, MaxIdleConns: 16, IdleConnTimeout: 30 * time.Second, ForceAttemptHTTP2: true,
	}
}

// sameOrigin follows a few redirects, which lead nowhere else: what an address that a user wrote leads to is no one else's to say, and
// what was sent to it, a client's secret too, no one else's to see.
func sameOrigin(r *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return fmt.Errorf("more than %d redirects", maxRedirects)
	}
	if from := via[0].URL; r.URL.Scheme != from.Scheme || r.URL.Host != from.Host {
		return errElsewhere
	}
	return nil
}

// heldTransport holds every request to the guard's form, and every answer to a size.
type heldTransport struct {
	next  http.RoundTripper
	guard Guard
	most  int64
}

// RoundTrip implements http.RoundTripper.
func (t *heldTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := t.guard.CheckURL(r.URL.String()); err != nil {
		return nil, fmt.Errorf("the address isn't asked: %w", err)
	}
	answer, err := t.next.RoundTrip(r)
	if err != nil {
		return nil, err //nolint:wrapcheck // http.Client says what it did
	}
	answer.Body = &boundedBody{ReadCloser: answer.Body, left: t.most}
	return answer, nil
}

// boundedBody fails once more was read than an answer may have: half of one must not be taken for all of it.
type boundedBody struct {
	io.ReadCloser
	left int64
}

// Read implements io.Reader.
func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, ErrTooLarge
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return n - 1, ErrTooLarge
	}
	return n, err
}
