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
)

// Errands makes clients for what is fetched from an address that a user wrote, by libraries too (go-oidc), and with authorities of its own.
// Each is for one errand: its connections end with it. The guard and the bounds are in its transport, so that they hold whoever uses it:
//
//   - each address has the form that [Guard.CheckURL] demands;
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
	dialer := &net.Dialer{Timeout: connectTimeout, Control: e.guard.control}
	transport := &http.Transport{
		Proxy: nil, DialContext: dialer.DialContext, TLSHandshakeTimeout: connectTimeout, ResponseHeaderTimeout: fetchTimeout,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: authorities},
		MaxResponseHeaderBytes: maxHeaderBytes, MaxConnsPerHost: 2, IdleConnTimeout: fetchTimeout, ForceAttemptHTTP2: true,
	}
	bounded := &boundedTransport{next: transport, guard: e.guard, most: e.most}
	return &http.Client{Timeout: fetchTimeout, CheckRedirect: sameOrigin, Transport: errand{bounded}}, transport.CloseIdleConnections
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

// errand is a transport whose answers are those that somebody waits for, or redirects.
type errand struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (t errand) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := t.next.RoundTrip(r)
	if err != nil {
		return nil, err //nolint:wrapcheck // http.Client says what it did
	}
	status := answer.StatusCode
	redirects := status >= 300 && status < 400 && answer.Header.Get("Location") != "" // http.Client follows it, or gives up
	if status == http.StatusOK || redirects {
		return answer, nil
	}
	_ = answer.Body.Close() // nobody reads it
	return nil, fmt.Errorf("the status is %d", status)
}
