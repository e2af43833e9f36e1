// Package outbound is the one way in which the control plane reaches an address that a user wrote (an issuer's key set, a sign-in
// provider, a webhook): it is asked for from inside the operator's network, and must not reach what only that network may
// (server-side request forgery). There are three ways through, all held to the same:
//
//   - [Client.HTTP], for libraries that make requests themselves and read what is answered, refusals too (signin);
//   - [Client.Post], to tell an address something, of whose answer only the status counts (events);
//   - [Errands], to fetch with authorities of its own, for which nothing but a 200 is an answer (issuers).
//
// It owns the guard over every connection ([Guard]), checked after DNS on the very address that is connected to, so that no
// name that changes its mind (DNS rebinding), redirect, odd spelling of a number or address inside an address passes; the form
// that such an address must have ([Guard.CheckURL]), redirects, which lead to nobody else; and the bounds of time and size. It doesn't
// own what is fetched, or why.
//
// The environment's proxies (HTTP_PROXY) aren't used: behind one the guard would see the proxy's address alone.
package outbound

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"syscall"

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
// fragment. Plain http is for a loopback address that is written as one and lies in a range that the operator allowed, as a provider on the
// same machine has it: no name is trusted to stay there. Whether another host may be reached is known only when it is connected to.
func (g Guard) CheckURL(text string) error {
	u, err := url.Parse(text)
	if err != nil {
		return errors.New("it can't be read as a URL")
	}
	secure := u.Scheme == "https"
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil && u.Scheme == "http" && ip.IsLoopback() {
		if err := g.Check(ip); err != nil {
			return err // says what is missing: by https it would be refused too
		}
		secure = true
	}
	switch {
	case !secure:
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
