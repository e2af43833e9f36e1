package outbound

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// Errands makes clients for what is fetched with authorities of its own, by libraries too (go-oidc). Each is for one errand: its connections
// end with it. It is held to what [Client.HTTP] is, and what isn't a 200 is an error, which holds nothing of what was answered.
type Errands struct {
	guard Guard
	most  int64
}

// NewErrands returns errands whose answers have at most so many bytes.
func NewErrands(guard Guard, most int64) *Errands { return &Errands{guard: guard, most: most} }

// Client returns a client that trusts authorities, those of the system where there are none, and what ends its connections.
func (e *Errands) Client(authorities *x509.CertPool) (client *http.Client, done func()) {
	errands := &Client{guard: e.guard, transport: e.guard.transport(authorities)}
	client = errands.HTTP(e.most)
	client.Transport = errand{client.Transport}
	return client, errands.transport.CloseIdleConnections
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
