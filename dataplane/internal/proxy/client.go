package proxy

import (
	"net/netip"
	"strings"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
)

// clientAddress returns where the request came from: the peer, unless the peer is a trusted proxy. Then the addresses of
// X-Forwarded-For count from its right end, each named by the one before, until one that is not trusted: further left a
// client may have written anything. What cannot be read ends the walk at the last trusted hop.
func clientAddress(ex *pipeline.Exchange, trusted func(netip.Addr) bool) netip.Addr {
	address := ex.Client.Peer.Addr()
	if !address.IsValid() || !trusted(address) {
		return address
	}
	fields := ex.Request.Header.Fields()
	for i := len(fields) - 1; i >= 0; i-- {
		if !pipeline.EqualFold(fields[i].Name, forwardedForHeader) {
			continue
		}
		rest := fields[i].Value
		for rest != "" {
			last := rest
			if comma := strings.LastIndexByte(rest, ','); comma >= 0 {
				rest, last = rest[:comma], rest[comma+1:]
			} else {
				rest = ""
			}
			hop, ok := parseHop(strings.TrimSpace(last))
			if !ok {
				return address
			}
			address = hop
			if !trusted(address) {
				return address
			}
		}
	}
	return address
}

// parseHop reads an address, with or without a port.
func parseHop(s string) (netip.Addr, bool) {
	if ip, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")); err == nil {
		return ip.Unmap().WithZone(""), true
	}
	if with, err := netip.ParseAddrPort(s); err == nil {
		return with.Addr().Unmap().WithZone(""), true
	}
	return netip.Addr{}, false
}
