package backoff_test

import (
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/backoff"
)

var (
	home    = netip.MustParseAddr("192.0.2.1")
	another = netip.MustParseAddr("192.0.2.2")
	start   = time.Unix(1_000_000, 0)
)

func fail(a backoff.Attempt, n int, now time.Time) {
	for range n {
		a.Failed(now)
	}
}

func TestFiveFailuresOfAPairAreFreeThenTheWaitDoubles(t *testing.T) {
	table := backoff.New(1000)
	a := table.Of("basic", home, "alice")
	fail(a, 5, start)
	if w := a.Wait(start); w != 0 {
		t.Fatalf("waits %s after five", w)
	}
	for _, want := range []int{1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300} {
		a.Failed(start)
		if w := a.Wait(start); w != time.Duration(want)*time.Second {
			t.Fatalf("waits %s, want %d s", w, want)
		}
	}
	if w := a.Wait(start.Add(299 * time.Second)); w != time.Second {
		t.Errorf("%s left", w)
	}
	if w := a.Wait(start.Add(300 * time.Second)); w != 0 {
		t.Errorf("%s left once it is over", w)
	}
}

func TestNobodyElseWaitsForWhatAPairDid(t *testing.T) {
	table := backoff.New(1000)
	fail(table.Of("basic", home, "alice"), 10, start)
	for name, a := range map[string]backoff.Attempt{
		"another username there": table.Of("basic", home, "bob"),
		"the username elsewhere": table.Of("basic", another, "alice"),
		"another sort":           table.Of("jwt", home, "alice"),
		"without a name":         table.Of("basic", home, ""),
	} {
		if w := a.Wait(start) + a.AddressWait(start); w != 0 {
			t.Errorf("%s waits %s", name, w)
		}
	}
}

func TestAGoodCredentialBehindASharedAddressNeverWaitsForOthers(t *testing.T) {
	table := backoff.New(1 << 16)
	for i := range 10_000 {
		table.Of("basic", home, fmt.Sprint("guess-", i)).Failed(start)
		table.Of("basic", home, "").Failed(start)
	}
	alice := table.Of("basic", home, "alice")
	if w := alice.Wait(start); w != 0 {
		t.Errorf("waits %s for what others did", w)
	}
	if w := alice.AddressWait(start); w != 30*time.Second {
		t.Errorf("unknown credentials wait %s", w)
	}
}

func TestGuessersFromManyAddressesWaitAndTheOwnerElsewhereIsHeard(t *testing.T) {
	table := backoff.New(1 << 16)
	for i := range 200 {
		table.Of("basic", netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), "alice").Failed(start)
	}
	if w := table.Of("basic", netip.AddrFrom4([4]byte{10, 0, 0, 7}), "alice").Wait(start); w != 30*time.Second {
		t.Errorf("who has failed once waits %s", w)
	}
	if w := table.Of("basic", home, "alice").Wait(start); w != 0 {
		t.Errorf("the owner waits %s", w)
	}
}

func TestASuccessForgivesItsPairAndNothingElse(t *testing.T) {
	table := backoff.New(1000)
	alice, bob := table.Of("basic", home, "alice"), table.Of("basic", home, "bob")
	fail(alice, 40, start)
	fail(bob, 40, start)
	fail(table.Of("basic", home, ""), 60, start)
	alice.Passed()
	if alice.Wait(start) != 0 || bob.Wait(start) == 0 || bob.AddressWait(start) == 0 {
		t.Errorf("alice waits %s, bob %s, the address %s", alice.Wait(start), bob.Wait(start), bob.AddressWait(start))
	}
}

func TestAMinuteOfQuietForgivesAFailure(t *testing.T) {
	table := backoff.New(1000)
	a := table.Of("basic", home, "alice")
	fail(a, 5, start)
	later := start.Add(2*time.Minute + time.Second)
	fail(a, 2, later)
	if w := a.Wait(later); w != 0 {
		t.Errorf("waits %s although two were forgiven", w)
	}
	a.Failed(later)
	if w := a.Wait(later); w != time.Second {
		t.Errorf("waits %s", w)
	}
	end := later.Add(time.Hour)
	if a.Wait(end) != 0 || a.AddressWait(end) != 0 || table.Of("basic", another, "alice").Wait(end) != 0 {
		t.Error("an hour forgives not all")
	}
}

func TestAnAddressIsJudgedByHowManyCredentialsFailThere(t *testing.T) {
	table := backoff.New(1 << 16)
	fail(table.Of("api-key", home, "one and the same"), 10_000, start)
	if w := table.Of("api-key", home, "").AddressWait(start); w != 0 {
		t.Errorf("an outdated key that is shown all the time makes others wait %s", w)
	}
	for i := range 50 {
		table.Of("api-key", home, fmt.Sprint(i)).Failed(start)
	}
	if w := table.Of("api-key", home, "").AddressWait(start); w != time.Second {
		t.Errorf("fifty more credentials make others wait %s", w)
	}
}

func TestIPv6AddressesOfOneNetworkAreOne(t *testing.T) {
	table := backoff.New(1000)
	fail(table.Of("basic", netip.MustParseAddr("2001:db8::1"), "alice"), 60, start)
	fail(table.Of("basic", netip.MustParseAddr("2001:db8::1"), ""), 60, start)
	if table.Of("basic", netip.MustParseAddr("2001:db8::ffff:1"), "alice").Wait(start) == 0 {
		t.Error("the same /64 is somebody else")
	}
	if table.Of("basic", netip.MustParseAddr("2001:db8:0:1::1"), "").AddressWait(start) != 0 {
		t.Error("another /64 waits")
	}
	mapped := netip.MustParseAddr("::ffff:192.0.2.1")
	fail(table.Of("basic", mapped, "bob"), 10, start)
	if table.Of("basic", home, "bob").Wait(start) == 0 {
		t.Error("an IPv4 address mapped into IPv6 is somebody else")
	}
}

func TestTheTableIsBoundedAndTellsWhatItForgot(t *testing.T) {
	table := backoff.New(640)
	for i := range 20_000 {
		table.Of("basic", netip.AddrFrom4([4]byte{1, byte(i >> 16), byte(i >> 8), byte(i)}), fmt.Sprint(i)).Failed(start.Add(time.Duration(i)))
	}
	if s := table.Stats(); s.Keys > 640 || s.Keys == 0 || s.Evicted < 50_000 {
		t.Errorf("%+v", s)
	}
}

func TestWithoutATableNobodyWaits(t *testing.T) {
	var table *backoff.Table
	a := table.Of("basic", home, "alice")
	fail(a, 100, start)
	a.Passed()
	if a.Wait(start)+a.AddressWait(start) != 0 {
		t.Error("somebody waits")
	}
}

func TestATableMayBeUsedByMany(t *testing.T) {
	table := backoff.New(100)
	var all sync.WaitGroup
	for w := range 8 {
		all.Go(func() {
			for i := range 500 {
				a := table.Of("basic", netip.AddrFrom4([4]byte{byte(w), 0, 0, byte(i)}), fmt.Sprint(i%7))
				a.Failed(start)
				a.Wait(start)
				if i%3 == 0 {
					a.Passed()
				}
			}
		})
	}
	all.Wait()
	if s := table.Stats(); s.Keys < 0 {
		t.Errorf("%+v", s)
	}
}

func TestAskingAllocatesNothing(t *testing.T) {
	table := backoff.New(100)
	table.Of("basic", another, "bob").Failed(start)
	if n := testing.AllocsPerRun(100, func() {
		a := table.Of("basic", home, "alice")
		if a.Wait(start) != 0 || a.AddressWait(start) != 0 {
			t.Fail()
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAsk(b *testing.B) {
	table := backoff.New(backoff.DefaultKeys)
	table.Of("basic", another, "bob").Failed(start)
	b.ReportAllocs()
	for b.Loop() {
		table.Of("basic", home, "alice").Wait(start)
	}
}
