package dataplane

import (
	"fmt"
	"net"
	"net/netip"
)

// ownAddresses returns, of the listeners that there are (nil: there is none), where the node can be reached at its listeners, which no service may be: requests would go in circles.
// A listener bound to every address is reached at each of the machine's; one that the machine gets later isn't known.
func ownAddresses(listeners ...net.Listener) ([]netip.AddrPort, error) {
	var own []netip.AddrPort
	for _, listener := range listeners {
		if listener == nil {
			continue
		}
		bound, err := netip.ParseAddrPort(listener.Addr().String())
		if err != nil {
			return nil, fmt.Errorf("address of a listener: %w", err)
		}
		own = append(own, netip.AddrPortFrom(bound.Addr().Unmap(), bound.Port()))
		if !bound.Addr().IsUnspecified() {
			continue
		}
		machine, err := net.InterfaceAddrs()
		if err != nil {
			return nil, fmt.Errorf("addresses of the machine: %w", err)
		}
		for _, address := range machine {
			if prefix, err := netip.ParsePrefix(address.String()); err == nil {
				own = append(own, netip.AddrPortFrom(prefix.Addr().Unmap().WithZone(""), bound.Port()))
			}
		}
	}
	return own, nil
}
