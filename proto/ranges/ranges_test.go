package ranges_test

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/ranges"
)

func TestASetHoldsWhatTheirPrefixesHold(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	address := func() netip.Addr {
		if r.IntN(2) == 0 {
			return netip.AddrFrom4([4]byte{byte(10 + r.IntN(2)), byte(r.IntN(3)), 0, byte(r.IntN(4))})
		}
		return netip.AddrFrom16([16]byte{0: 0xfd, 1: byte(r.IntN(2)), 15: byte(r.IntN(4))})
	}
	for range 300 {
		var prefixes []netip.Prefix
		for range r.IntN(6) {
			a := address()
			prefixes = append(prefixes, netip.PrefixFrom(a, r.IntN(a.BitLen()+1)).Masked())
		}
		set := ranges.NewSet(prefixes)
		for range 50 {
			a := address()
			want := slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(a) })
			if set.Contains(a) != want {
				t.Fatalf("%v in %v: %v", a, prefixes, !want)
			}
		}
	}
}

func TestMappedAddressesAreLookedUpAsIPv4AndZonesAreIgnored(t *testing.T) {
	set, err := ranges.ParseAll([]string{"192.0.2.0/24", "fe80::/10"})
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{
		"192.0.2.9": true, "::ffff:192.0.2.9": true, "::ffff:192.0.3.9": false, "::192.0.2.9": false, "fe80::1%eth0": true,
	} {
		if set.Contains(netip.MustParseAddr(text)) != want {
			t.Errorf("%s: %v", text, !want)
		}
	}
	everything, err := ranges.ParseAll([]string{"::/0"})
	if err != nil || everything.Contains(netip.MustParseAddr("::ffff:192.0.2.9")) || set.Contains(netip.Addr{}) {
		t.Errorf("all of IPv6 holds an IPv4 address, or no address is in a set: %v", err)
	}
}

func TestAnEntryHasOneFormAndTheRightOneIsTold(t *testing.T) {
	for given, want := range map[string]string{
		"192.0.2.7": "192.0.2.7/32", "2001:db8::7": "2001:db8::7/128", "10.0.0.0/8": "10.0.0.0/8", "::/0": "::/0",
	} {
		if got, err := ranges.Parse(given); err != nil || got.String() != want {
			t.Errorf("%s is read as %s, %v", given, got, err)
		}
	}
	for given, right := range map[string]string{
		"10.0.0.1/8": "10.0.0.0/8", "2001:DB8::1": "2001:db8::1", "2001:db8:0:0::/64": "2001:db8::/64", "::ffff:192.0.2.7": "192.0.2.7",
		"::ffff:192.0.2.0/120": "IPv4", "fe80::1%eth0": "without zone", "10.1": "CIDR", "010.0.0.1": "CIDR", "0x7f.1": "CIDR", "10.0.0.0/33": "CIDR",
		"10.0.0.0/08": "CIDR", "10.0.0.1,": "CIDR", "2130706433": "CIDR", "example.com": "CIDR", "10.0.0.0-10.0.0.9": "CIDR",
	} {
		if _, err := ranges.Parse(given); err == nil || !strings.Contains(err.Error(), right) {
			t.Errorf("%q: %v, want a word of %s", given, err, right)
		}
		violations := ranges.Check([]string{given}, func(int) string { return "/x" })
		if len(violations) != 1 || !strings.Contains(violations[0].Detail, right) || violations[0].Pointer != "/x" {
			t.Errorf("%q: %+v", given, violations)
		}
	}
}

func TestTheSameEntryTwiceIsNamed(t *testing.T) {
	violations := ranges.Check([]string{"192.0.2.7", "10.0.0.0/8", "192.0.2.7/32", "10.0.0.0/9", ""}, func(i int) string { return problem.Pointer(i) })
	if len(violations) != 1 || violations[0].Pointer != "/2" || violations[0].Code != problem.ViolationNotUnique {
		t.Errorf("%+v", violations)
	}
}

func TestALookUpAmongManyDoesNotAllocate(t *testing.T) {
	prefixes := make([]netip.Prefix, 20_000)
	for i := range prefixes {
		prefixes[i] = netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), 24)
	}
	set, a, found := ranges.NewSet(prefixes), netip.MustParseAddr("::ffff:10.3.7.9"), true
	if n := testing.AllocsPerRun(100, func() { found = found && set.Contains(a) }); n != 0 || !found {
		t.Errorf("%v allocations, found: %v", n, found)
	}
}

func TestARangeIsNoSingleAddress(t *testing.T) {
	if flaw := ranges.Flaw("192.0.2.7"); !strings.Contains(flaw, "192.0.2.7/32") {
		t.Errorf("the range of one address isn't named: %s", flaw)
	}
	if flaw := ranges.Flaw("192.0.2.7/32"); flaw != "" {
		t.Error(flaw)
	}
}
