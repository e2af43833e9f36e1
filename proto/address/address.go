// Package address says what an IP address is, as far as it matters to whoever is about to connect to it on somebody's behalf.
//
// It owns the classes of addresses ([ClassOf]), and which address counts when one wraps another ([Embedded]). It doesn't decide
// who may connect where: the edge does that for targets, the control plane for what it fetches.
//
// Sources: the IANA registries of special-purpose addresses for IPv4 and IPv6 (RFC 6890 and what has updated it), and the
// documentation of the clouds for their metadata services.
package address

import "net/netip"

// Class is what an address is.
type Class uint8

// The classes.
const (
	Public      Class = iota // anywhere on the Internet
	Private                  // a network of somebody's own: RFC 1918, RFC 4193, RFC 6598
	Special                  // set aside for documentation, benchmarks, protocols: nothing that is to be reached lives there
	Loopback                 // this machine
	LinkLocal                // this link
	Metadata                 // a cloud hands out credentials there to whoever asks from the machine
	Unspecified              // "this host"
	NotUnicast               // multicast, broadcast, reserved
)

var classNames = [...]string{
	Public: "public", Private: "private", Special: "set aside for special purposes", Loopback: "loopback", LinkLocal: "link-local",
	Metadata: "a metadata service", Unspecified: "unspecified", NotUnicast: "not unicast",
}

// String says what the class is, as a sentence goes on with it: "10.0.0.1 is private".
func (c Class) String() string {
	if int(c) >= len(classNames) {
		return "unknown"
	}
	return classNames[c]
}

var metadata = [...]netip.Addr{
	netip.MustParseAddr("169.254.169.254"),
	netip.MustParseAddr("169.254.170.2"),
	netip.MustParseAddr("169.254.170.23"),
	netip.MustParseAddr("100.100.100.200"),
	netip.MustParseAddr("192.0.0.192"),
	netip.MustParseAddr("fd00:ec2::254"),
	netip.MustParseAddr("fd00:ec2::23"),
	netip.MustParseAddr("fd20:ce::254"),
}

var (
	// Ranges of IPv6 that carry an IPv4 address inside: what counts is the one inside.
	nat64      = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052
	sixToFour  = netip.MustParsePrefix("2002::/16")    // RFC 3056
	compatible = netip.MustParsePrefix("::/96")        // RFC 4291 §2.5.5.1

	thisHost = netip.MustParsePrefix("0.0.0.0/8")
	reserved = netip.MustParsePrefix("240.0.0.0/4")

	shared  = netip.MustParsePrefix("100.64.0.0/10")
	special = [...]netip.Prefix{
		netip.MustParsePrefix("192.0.0.0/24"),
		netip.MustParsePrefix("192.0.2.0/24"),
		netip.MustParsePrefix("192.88.99.0/24"),
		netip.MustParsePrefix("198.18.0.0/15"),
		netip.MustParsePrefix("198.51.100.0/24"),
		netip.MustParsePrefix("203.0.113.0/24"),
		netip.MustParsePrefix("64:ff9b:1::/48"),
		netip.MustParsePrefix("100::/64"),
		netip.MustParsePrefix("2001::/23"),
		netip.MustParsePrefix("2001:db8::/32"),
		netip.MustParsePrefix("3fff::/20"),
		netip.MustParsePrefix("5f00::/16"),
		netip.MustParsePrefix("fec0::/10"),
	}
)

// ClassOf returns what an address is; of one that wraps another, what that one is.
func ClassOf(ip netip.Addr) Class {
	ip = Embedded(ip)
	switch {
	case isMetadata(ip):
		return Metadata
	case ip.IsLoopback():
		return Loopback
	case ip.IsLinkLocalUnicast():
		return LinkLocal
	case !ip.IsValid() || ip.IsUnspecified() || thisHost.Contains(ip):
		return Unspecified
	case ip.IsMulticast() || reserved.Contains(ip):
		return NotUnicast
	case ip.IsPrivate() || shared.Contains(ip):
		return Private
	case isSpecial(ip):
		return Special
	}
	return Public
}

// Embedded returns the address that counts: without zone, and the IPv4 address inside an IPv6 one that only wraps it.
func Embedded(ip netip.Addr) netip.Addr {
	ip = ip.Unmap().WithZone("")
	if !ip.Is6() {
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

func isMetadata(ip netip.Addr) bool {
	for _, m := range metadata {
		if ip == m {
			return true
		}
	}
	return false
}

func isSpecial(ip netip.Addr) bool {
	for _, p := range special {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}
