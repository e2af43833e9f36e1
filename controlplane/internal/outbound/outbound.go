// Package outbound is the one way in which the control plane fetches something for a user: an address that a user wrote
// (an issuer's key set, a feed, a webhook) is asked for from inside the operator's network, and must not reach what only that
// network may (server-side request forgery).
//
// It owns the guard over every connection ([Guard]), checked after DNS on the very address that is connected to, so that no
// name that changes its mind (DNS rebinding), redirect, odd spelling of a number or address inside an address passes; the form
// that such an address must have ([CheckURL]); and the bounds of a fetch ([Client]). It doesn't own what is fetched, or why.
//
// The environment's proxies (HTTP_PROXY) aren't used: behind one the guard would see the proxy's address alone.
package outbound

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"

	addresses "github.com/sallyport/sallyport/proto/address"
)

// ErrAddressRefused is why an address was not connected to.
var ErrAddressRefused = errors.New("address refused")

// Guard decides which addresses may be connected to: public ones, and what the operator of the control plane has allowed.
type Guard struct {
	allowed []netip.Prefix
}

// NewGuard returns a guard that also lets through what lies in allowed. A metadata service needs a range of exactly its address.
func NewGuard(allowed []netip.Prefix) Guard { return Guard{allowed: allowed} }

// Check returns an error that wraps ErrAddressRefused when the address may not be connected to.
func (g Guard) Check(ip netip.Addr) error {
	ip = addresses.Embedded(ip)
	class := addresses.ClassOf(ip)
	if class == addresses.Public {
		return nil
	}
	for _, p := range g.allowed {
		if p.Contains(ip) && (class != addresses.Metadata || p.IsSingleIP()) {
			return nil
		}
	}
	return fmt.Errorf("%w: %s is %s, and not among what the control plane may reach", ErrAddressRefused, ip, class)
}

// control is the hook of net.Dialer: it runs after DNS, before connect, for each address tried.
func (g Guard) control(_, address string, _ syscall.RawConn) error {
	parsed, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %q is not an address", ErrAddressRefused, address)
	}
	return g.Check(parsed.Addr())
}

// CheckURL returns what is wrong with an address that a user wrote: it must be https, name a host, and hold no user, password or
// fragment. Whether its host may be reached is known only when it is connected to.
func CheckURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return errors.New("it can't be read as a URL")
	case u.Scheme != "https":
		return errors.New("it must begin with https://")
	case u.Hostname() == "":
		return errors.New("it names no host")
	case u.User != nil:
		return errors.New("it must hold no user or password: a URL ends up in logs")
	case u.Fragment != "" || u.RawFragment != "":
		return errors.New("it must hold no fragment (#…): nobody is asked for it")
	}
	return nil
}

// Bounds of a fetch.
const (
	connectTimeout = 5 * time.Second
	fetchTimeout   = 15 * time.Second
	maxRedirects   = 3
	maxHeaderBytes = 64 << 10
)

// Client fetches. It is safe for concurrent use.
type Client struct {
	http  *http.Client
	guard Guard
}

// NewClient returns a client whose every connection the guard checks.
func NewClient(guard Guard) *Client {
	dialer := &net.Dialer{Timeout: connectTimeout, Control: guard.control}
	return &Client{guard: guard, http: &http.Client{
		Timeout:       fetchTimeout,
		CheckRedirect: guard.checkRedirect,
		Transport: &http.Transport{
			Proxy: nil, DialContext: dialer.DialContext, TLSHandshakeTimeout: connectTimeout, ResponseHeaderTimeout: fetchTimeout,
			MaxResponseHeaderBytes: maxHeaderBytes, MaxConnsPerHost: 4, MaxIdleConns: 16, IdleConnTimeout: 30 * time.Second, ForceAttemptHTTP2: true,
		},
	}}
}

// checkRedirect follows a few, each of which must have the form that the first address must have.
func (g Guard) checkRedirect(r *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return fmt.Errorf("more than %d redirects", maxRedirects)
	}
	if err := g.CheckURL(r.URL.String()); err != nil {
		return fmt.Errorf("the address redirects to one that isn't fetched: %w", err)
	}
	return nil
}

// ErrTooLarge is why an answer was given up.
var ErrTooLarge = errors.New("the answer is larger than it may be")

// Get fetches what an address holds, at most so many bytes of it: a 200, or an error that names no more than the status.
func (c *Client) Get(ctx context.Context, address string, most int64) ([]byte, error) {
	if err := c.guard.CheckURL(address); err != nil {
		return nil, fmt.Errorf("the address isn't fetched: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("prepare the fetch: %w", err)
	}
	answer, err := c.http.Do(request)
	if err != nil {
		return nil, fmt.Errorf("fetch: %w", err)
	}
	defer func() { _ = answer.Body.Close() }() // it was read, or is given up
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("fetch: the status is %d", answer.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, most+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read what was fetched: %w", err)
	case int64(len(body)) > most:
		return nil, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, most)
	}
	return body, nil
}
