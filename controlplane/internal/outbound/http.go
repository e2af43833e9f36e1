package outbound

import (
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
)

// CheckURL is the function's, but for what the operator allowed: plain http to a loopback address that is written as one and lies in an
// allowed range, as a provider on the same machine has it. No name is trusted to stay there.
func (g Guard) CheckURL(text string) error {
	if u, err := url.Parse(text); err == nil && u.Scheme == "http" {
		if ip, err := netip.ParseAddr(u.Hostname()); err == nil && ip.IsLoopback() {
			if err := g.Check(ip); err != nil {
				return err // says what is missing: in https it would be refused too
			}
			u.Scheme = "https"
			text = u.String()
		}
	}
	return CheckURL(text)
}

// HTTP returns a client for libraries that make requests themselves: each connection passes the guard, each address has the form that
// CheckURL asks for, redirects are few, and of an answer no more than so many bytes are read.
func (c *Client) HTTP(most int64) *http.Client {
	bounded := *c.http
	bounded.Transport = &boundedTransport{next: c.http.Transport, guard: c.guard, most: most}
	return &bounded
}

// boundedTransport holds every request to the guard's form, and every answer to a size.
type boundedTransport struct {
	next  http.RoundTripper
	guard Guard
	most  int64
}

// RoundTrip implements http.RoundTripper.
func (t *boundedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := t.guard.CheckURL(r.URL.String()); err != nil {
		return nil, fmt.Errorf("the address isn't fetched: %w", err)
	}
	answer, err := t.next.RoundTrip(r)
	if err != nil {
		return nil, err
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
