package access

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"
)

func TestAnAddressThatFailsTooOftenWaits(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	b := backoffAt(&now)
	address := netip.MustParseAddr("192.0.2.1")
	for i := range backoffBurst {
		if wait := b.Wait(address, "guess"); wait != 0 {
			t.Fatalf("it waits %v after %d failures", wait, i)
		}
		b.Failed(address, "guess")
	}
	if wait := b.Wait(address, "guess"); wait != backoffInterval {
		t.Fatalf("after the burst it waits %v", wait)
	}
	if wait := b.Wait(netip.MustParseAddr("192.0.2.2"), "guess"); wait != 0 {
		t.Fatalf("its neighbour waits %v", wait)
	}
	if wait := b.Wait(netip.MustParseAddr("::ffff:192.0.2.1"), "guess"); wait == 0 {
		t.Fatal("the same address, mapped into IPv6, doesn't wait")
	}
	now = now.Add(backoffInterval)
	if wait := b.Wait(address, "guess"); wait != 0 {
		t.Fatalf("it still waits %v after a failure was forgiven", wait)
	}
}

func TestAnIPv6CallerCannotEscapeWithinItsNetwork(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	b := backoffAt(&now)
	network := netip.MustParseAddr("2001:db8:0:1::").As16()
	for i := range backoffBurst {
		binary.BigEndian.PutUint64(network[8:], uint64(i+1))
		b.Failed(netip.AddrFrom16(network), "guess")
	}
	if wait := b.Wait(netip.MustParseAddr("2001:db8:0:1:ffff::9"), "guess"); wait == 0 {
		t.Fatal("another address of the same /64 doesn't wait")
	}
	if wait := b.Wait(netip.MustParseAddr("2001:db8:0:2::1"), "guess"); wait != 0 {
		t.Fatalf("the next network waits %v", wait)
	}
}

func TestAGoodTokenNeverWaitsUntilItFails(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	b := backoffAt(&now)
	address := netip.MustParseAddr("192.0.2.1")
	b.Passed("good")
	for range backoffBurst {
		b.Failed(address, "guess")
	}
	if b.Wait(address, "guess") == 0 || b.Wait(address, "good") != 0 {
		t.Fatalf("the guess waits %v, the good token %v", b.Wait(address, "guess"), b.Wait(address, "good"))
	}
	b.Failed(address, "good") // deleted meanwhile
	if b.Wait(address, "good") == 0 {
		t.Fatal("a token that was good doesn't wait")
	}
}

func TestTheBackoffIsBounded(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	b := backoffAt(&now)
	for i := range uint32(2 * backoffAddresses) {
		var raw [4]byte
		binary.BigEndian.PutUint32(raw[:], i)
		b.Failed(netip.AddrFrom4(raw), "guess")
		b.Passed(string(raw[:]))
	}
	if n := b.good.Len(); n != backoffTokens {
		t.Fatalf("%d tokens are kept, %d wanted", n, backoffTokens)
	}
	if n := b.failures.Len(); n != backoffAddresses {
		t.Fatalf("%d addresses are kept, %d wanted", n, backoffAddresses)
	}
}

func backoffAt(now *time.Time) *Backoff {
	b := NewBackoff()
	b.now = func() time.Time { return *now }
	return b
}
