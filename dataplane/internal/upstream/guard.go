package upstream

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"
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

// metadata are addresses at which clouds hand credentials to whoever asks from the machine.
var metadata = []netip.Addr{
	netip.MustParseAddr("169.254.169.254"),
	netip.MustParseAddr("169.254.170.2"),
	netip.MustParseAddr("169.254.170.23"),
	netip.MustParseAddr("100.100.100.200"),
	netip.MustParseAddr("192.0.0.192"),
	netip.MustParseAddr("fd00:ec2::254"),
	netip.MustParseAddr("fd00:ec2::23"),
	netip.MustParseAddr("fd20:ce::254"),
}

// Ranges of IPv6 that carry an IPv4 address inside: what counts is the one inside.
var (
	nat64      = netip.MustParsePrefix("64:ff9b::/96")
	sixToFour  = netip.MustParsePrefix("2002::/16")
	compatible = netip.MustParsePrefix("::/96")
	thisHost   = netip.MustParsePrefix("0.0.0.0/8")
	reserved   = netip.MustParsePrefix("240.0.0.0/4")
)

// Check returns an error that wraps ErrAddressRefused when the address may not be connected to.
func (g *Guard) Check(address netip.AddrPort) error {
	ip := embedded(address.Addr())
	switch {
	case g.isOwn(netip.AddrPortFrom(ip, address.Port())):
		return g.unlessExactly(ip, "the gateway's own listener")
	case isMetadata(ip):
		return g.unlessExactly(ip, "a metadata service")
	case ip.IsLoopback():
		return g.unlessInside(ip, "loopback")
	case ip.IsLinkLocalUnicast():
		return g.unlessInside(ip, "link-local")
	case ip.IsUnspecified() || thisHost.Contains(ip):
		return g.unlessInside(ip, "unspecified")
	case ip.IsMulticast() || reserved.Contains(ip):
		return g.unlessInside(ip, "not unicast")
	}
	return nil
}

// control is the hook of net.Dialer: it runs after DNS, before connect, for each address tried.
func (g *Guard) control(_, address string, _ syscall.RawConn) error {
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

func isMetadata(ip netip.Addr) bool {
	for _, m := range metadata {
		if ip == m {
			return true
		}
	}
	return false
}

// embedded returns the address that counts: without zone, and the IPv4 address inside an IPv6 one that only wraps it.
func embedded(ip netip.Addr) netip.Addr {
	ip = ip.Unmap().WithZone("")
	if ip.Is4() {
		return ip
	}
	b := ip.As16()
	switch {
	case nat64.Contains(ip):
		return netip.AddrFrom4([4]byte(b[12:16]))
	case sixToFour.Contains(ip):
		return netip.AddrFrom4([4]byte(b[2:6]))
	case compatible.Contains(ip) && !ip.IsUnspecified() && !ip.IsLoopback():
		return netip.AddrFrom4([4]byte(b[12:16]))
	}
	return ip
}
