package upstream

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"

	addresses "github.com/sallyport/sallyport/proto/address"
)

// ErrAddressRefused is why a target's address was not connected to.
var ErrAddressRefused = errors.New("address refused")

// Guard decides, after DNS and for every connection, which addresses may be connected to. Private ranges are where
// services live and are allowed; loopback, link-local, multicast and unspecified addresses, cloud metadata services and the
// edge's own listeners are refused unless allowed.
type Guard struct {
	allowed []netip.Prefix
	own     []netip.AddrPort
}

// NewGuard returns a guard that also lets through what lies in allowed. The edge's own listeners and metadata services
// need a range of exactly their address.
func NewGuard(allowed []netip.Prefix, own []netip.AddrPort) *Guard {
	return &Guard{allowed: allowed, own: own}
}

// Check returns an error that wraps ErrAddressRefused when the address may not be connected to.
func (g *Guard) Check(address netip.AddrPort) error {
	ip := addresses.Embedded(address.Addr())
	if g.isOwn(netip.AddrPortFrom(ip, address.Port())) {
		return g.unlessExactly(ip, "the gateway's own listener")
	}
	switch class := addresses.ClassOf(ip); class {
	case addresses.Public, addresses.Private, addresses.Special:
		return nil
	case addresses.Metadata:
		return g.unlessExactly(ip, class.String())
	default:
		return g.unlessInside(ip, class.String())
	}
}

// Control is the hook of net.Dialer: it runs after DNS, before connect, for each address tried.
func (g *Guard) Control(_, address string, _ syscall.RawConn) error {
	parsed, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %q is not an address", ErrAddressRefused, address)
	}
	return g.Check(parsed)
}

func (g *Guard) unlessInside(ip netip.Addr, what string) error {
	for _, p := range g.allowed {
		if p.Contains(ip) {
			return nil
		}
	}
	return fmt.Errorf("%w: %s is %s; allowed_target_ranges of the environment's settings can allow it", ErrAddressRefused, ip, what)
}

func (g *Guard) unlessExactly(ip netip.Addr, what string) error {
	for _, p := range g.allowed {
		if p.IsSingleIP() && p.Addr() == ip {
			return nil
		}
	}
	return fmt.Errorf("%w: %s is %s; only a range of exactly this address in allowed_target_ranges can allow it", ErrAddressRefused, ip, what)
}

// isOwn compares with the listeners. Of one that is bound to every address the caller names the machine's addresses; the whole
// loopback range is the machine's without being named.
func (g *Guard) isOwn(address netip.AddrPort) bool {
	for _, own := range g.own {
		if own.Port() != address.Port() {
			continue
		}
		if own.Addr() == address.Addr() || own.Addr().IsUnspecified() && address.Addr().IsLoopback() {
			return true
		}
	}
	return false
}
