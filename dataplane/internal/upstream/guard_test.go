package upstream

import (
	"errors"
	"net/netip"
	"testing"
)

func TestGuardRefusesWhatNoServiceMayBeAt(t *testing.T) {
	guard := NewGuard(nil, []netip.AddrPort{netip.MustParseAddrPort("10.0.0.9:8443")})
	for _, refused := range []string{
		"127.0.0.1:80", "127.255.0.3:80", "[::1]:80", "[::ffff:127.0.0.1]:80",
		"169.254.1.1:80", "[fe80::1]:80", "[fe80::1%eth0]:80",
		"169.254.169.254:80", "[fd00:ec2::254]:80", "100.100.100.200:80",
		"0.0.0.0:80", "0.1.2.3:80", "[::]:80", "224.0.0.1:80", "[ff02::1]:80", "255.255.255.255:80",
		"[64:ff9b::7f00:1]:80", "[2002:7f00:1::]:80", "[::127.0.0.1]:80", "[64:ff9b::a9fe:a9fe]:80",
		"10.0.0.9:8443",
	} {
		if err := guard.Check(netip.MustParseAddrPort(refused)); !errors.Is(err, ErrAddressRefused) {
			t.Errorf("%s: got %v, want it refused", refused, err)
		}
	}
	for _, allowed := range []string{"10.0.0.9:80", "192.168.1.1:80", "172.16.0.1:443", "[fd00::7]:80", "93.184.216.34:443", "[2606:2800::1]:443"} {
		if err := guard.Check(netip.MustParseAddrPort(allowed)); err != nil {
			t.Errorf("%s: got %v, want it allowed", allowed, err)
		}
	}
}

func TestGuardOpensOnlyWhatTheEnvironmentAllows(t *testing.T) {
	own := []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:8443")}
	tests := []struct {
		allowed, address string
		want             bool
	}{
		{"127.0.0.0/8", "127.0.0.1:80", true},
		{"127.0.0.0/8", "[::1]:80", false},
		{"127.0.0.0/8", "127.0.0.1:8443", false}, // own listener: a wide range does not open it
		{"127.0.0.1/32", "127.0.0.1:8443", true},
		{"169.254.0.0/16", "169.254.1.1:80", true},
		{"169.254.0.0/16", "169.254.169.254:80", false},
		{"169.254.169.254/32", "169.254.169.254:80", true},
	}
	for _, tt := range tests {
		guard := NewGuard([]netip.Prefix{netip.MustParsePrefix(tt.allowed)}, own)
		err := guard.Check(netip.MustParseAddrPort(tt.address))
		if (err == nil) != tt.want {
			t.Errorf("%s with %s allowed: got %v, want allowed=%v", tt.address, tt.allowed, err, tt.want)
		}
	}
}
