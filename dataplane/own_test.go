package dataplane

import (
	"errors"
	"net"
	"net/netip"
	"testing"

	"github.com/sallyport/sallyport/dataplane/internal/upstream"
)

func TestNoServiceCanBeTheNodeItself(t *testing.T) {
	for _, where := range []string{"127.0.0.1:0", "0.0.0.0:0", ":0"} {
		listener, err := net.Listen("tcp", where)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = listener.Close() })
		own, err := ownAddresses(listener)
		if err != nil {
			t.Fatal(err)
		}
		machine, err := net.InterfaceAddrs()
		if err != nil {
			t.Fatal(err)
		}
		bound := netip.MustParseAddrPort(listener.Addr().String())
		guard := upstream.NewGuard([]netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}, own)
		for _, address := range machine {
			ip := netip.MustParsePrefix(address.String()).Addr().Unmap()
			if !bound.Addr().IsUnspecified() && bound.Addr() != ip {
				continue
			}
			if err := guard.Check(netip.AddrPortFrom(ip, bound.Port())); !errors.Is(err, upstream.ErrAddressRefused) {
				t.Errorf("listening on %s, %s may be connected to: %v", where, ip, err)
			}
		}
	}
}
