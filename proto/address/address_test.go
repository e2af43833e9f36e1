package address

import (
	"net/netip"
	"testing"
)

func TestAnAddressIsWhatItLeadsTo(t *testing.T) {
	for class, addresses := range map[Class][]string{
		Public:      {"93.184.216.34", "2606:2800::1", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"},
		Private:     {"10.0.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "fd00::7", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::"},
		Special:     {"192.0.2.1", "198.18.0.1", "203.0.113.9", "192.0.0.8", "2001:db8::1", "fec0::1", "64:ff9b:1::1", "2001::1"},
		Loopback:    {"127.0.0.1", "127.255.0.3", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "::127.0.0.1"},
		LinkLocal:   {"169.254.1.1", "fe80::1", "fe80::1%eth0"},
		Metadata:    {"169.254.169.254", "fd00:ec2::254", "100.100.100.200", "64:ff9b::a9fe:a9fe", "::ffff:169.254.169.254", "192.0.0.192"},
		Unspecified: {"0.0.0.0", "0.1.2.3", "::", "::ffff:0.0.0.0"},
		NotUnicast:  {"224.0.0.1", "255.255.255.255", "240.0.0.1", "ff02::1"},
	} {
		for _, text := range addresses {
			if got := ClassOf(netip.MustParseAddr(text)); got != class {
				t.Errorf("%s is %s, want %s", text, got, class)
			}
		}
	}
	if ClassOf(netip.Addr{}) != Unspecified {
		t.Error("no address at all can be connected to")
	}
	if Class(200).String() != "unknown" || Metadata.String() != "a metadata service" {
		t.Error("a class doesn't say what it is")
	}
}
