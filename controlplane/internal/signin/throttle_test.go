package signin

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

func throttleAt(now *time.Time) *Throttle {
	t := NewThrottle()
	t.now = func() time.Time { return *now }
	return t
}

func TestFailuresOfAnAccountAreForgivenOneAMinute(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	throttle := throttleAt(&now)
	from := func(n int) netip.Addr { return netip.MustParseAddr(fmt.Sprintf("198.51.%d.1", n)) }
	for n := range accountBurst {
		if _, wait := throttle.Try(from(n), "ada"); wait > 0 {
			t.Fatalf("the attempt %d waits %v", n, wait)
		}
	}
	if _, wait := throttle.Try(from(100), "ADA"); wait != accountInterval {
		t.Errorf("one more waits %v", wait)
	}
	if _, wait := throttle.Try(from(100), "bob"); wait > 0 {
		t.Errorf("another account waits %v", wait)
	}
	now = now.Add(accountInterval)
	if _, wait := throttle.Try(from(101), "ada"); wait > 0 {
		t.Errorf("a minute later one waits %v", wait)
	}
	if _, wait := throttle.Try(from(102), "ada"); wait == 0 {
		t.Error("a minute forgives two")
	}
}

func TestAnAddressIsSlowedDownOverAllAccountsWithItsNeighbours(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	throttle := throttleAt(&now)
	for n := range addressBurst {
		if _, wait := throttle.Try(netip.MustParseAddr(fmt.Sprintf("2001:db8::%x", n+1)), fmt.Sprint("user-", n)); wait > 0 {
			t.Fatalf("the attempt %d waits %v", n, wait)
		}
	}
	if _, wait := throttle.Try(netip.MustParseAddr("2001:db8::ffff"), "another"); wait == 0 {
		t.Error("a neighbour goes on")
	}
	if _, wait := throttle.Try(netip.MustParseAddr("2001:db8:0:1::1"), "another"); wait > 0 {
		t.Errorf("a stranger waits %v", wait)
	}
}

func TestWhoSignedInFromAnAddressIsNotLockedOutByStrangers(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	throttle := throttleAt(&now)
	home := netip.MustParseAddr("192.0.2.1")
	for range 50 { // what passes counts for nothing
		passed, wait := throttle.Try(home, "ada")
		if wait > 0 {
			t.Fatalf("a good one waits %v", wait)
		}
		passed()
	}
	for n := range 200 {
		throttle.Try(netip.MustParseAddr(fmt.Sprintf("198.51.%d.1", n)), "ada")
	}
	if _, wait := throttle.Try(netip.MustParseAddr("203.0.113.1"), "ada"); wait == 0 {
		t.Error("strangers go on")
	}
	if _, wait := throttle.Try(home, "ada"); wait > 0 {
		t.Errorf("its owner waits %v", wait)
	}
	for range accountBurst {
		throttle.Try(home, "ada")
	}
	if _, wait := throttle.Try(home, "ada"); wait == 0 {
		t.Error("from there one guesses without end")
	}
}

func TestTheThrottlesMemoryIsBounded(t *testing.T) {
	throttle := NewThrottle()
	for n := range 3 * throttleCells {
		passed, wait := throttle.Try(netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}), fmt.Sprint("user-", n))
		if wait == 0 {
			passed()
		}
	}
	if throttle.addresses.Len() > throttleCells || throttle.accounts.Len() > throttleCells || throttle.familiar.Len() > throttleCells {
		t.Errorf("%d addresses, %d accounts, %d familiar", throttle.addresses.Len(), throttle.accounts.Len(), throttle.familiar.Len())
	}
}
