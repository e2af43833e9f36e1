package effort

import (
	"net/netip"
	"testing"
	"time"
)

var dawn = time.Unix(1_000_000, 0)

func callerOf(n int) Caller {
	return Caller{Address: netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})}
}

func TestACrowdOfNewCallersWashesAwayHardlyADebtAndTheTableIsBounded(t *testing.T) {
	c := newCallers(64 * 100)
	allowance := Allowance{PerAddress: 4 * time.Second, Refill: time.Hour}
	const debtors = 500
	for n := range debtors {
		c.book(c.of(callerOf(n), allowance), 5*time.Second, 1, dawn)
	}
	for n := range 100_000 {
		c.book(c.of(callerOf(1000+n), allowance), time.Millisecond, 1, dawn)
	}
	if held := c.count.Load(); held > 64*100 || held < 60*100 {
		t.Errorf("%d are held", held)
	}
	lost := 0
	for n := range debtors {
		if had := c.look(c.of(callerOf(n), allowance), dawn); had.part < 1 {
			lost++
		}
	}
	if lost > debtors/100 { // those forgotten are the least of a random few
		t.Errorf("%d of %d debts are forgotten", lost, debtors)
	}
	if c.forgotten.Load() < 90_000 {
		t.Errorf("%d that owed something were forgotten", c.forgotten.Load())
	}
}

func TestWhoOwesNothingIsForgotten(t *testing.T) {
	c := newCallers(1000)
	allowance := Allowance{PerAddress: time.Second, Refill: time.Second}
	a := c.of(callerOf(1), allowance)
	c.begin(a, time.Second, dawn)
	c.book(a, time.Second, 1, dawn)
	c.end(a, time.Second)
	if had := c.look(a, dawn.Add(999*time.Millisecond)); had.spent != time.Millisecond || had.coming != 0 {
		t.Errorf("%+v is left", had)
	}
	if c.look(a, dawn.Add(time.Second)); c.count.Load() != 1 {
		t.Error("what was dear a second ago is forgotten")
	}
	if c.look(a, dawn.Add(5*time.Minute)); c.count.Load() != 0 {
		t.Errorf("%d are remembered", c.count.Load())
	}
}

func TestWhatIsLookedAtOftenComesBackAsFast(t *testing.T) {
	c := newCallers(1000)
	a := c.of(callerOf(1), Allowance{PerAddress: 4 * time.Second, Refill: 10 * time.Second})
	c.book(a, 4*time.Second, 1, dawn)
	for n := range 5_000_000 / 10 {
		c.begin(a, 0, dawn.Add(time.Duration(n)*10*time.Microsecond))
	}
	if had := c.look(a, dawn.Add(5*time.Second)); had.spent < 1999*time.Millisecond || had.spent > 2001*time.Millisecond {
		t.Errorf("after half of the time %s of 4 s are left", had.spent)
	}
}

func TestAClockThatGoesBackBringsNothing(t *testing.T) {
	c := newCallers(1000)
	a := c.of(callerOf(1), Allowance{PerAddress: 4 * time.Second, Refill: 4 * time.Second})
	c.book(a, 4*time.Second, 1, dawn)
	for range 10 {
		c.look(a, dawn.Add(-time.Hour))
		c.begin(a, 0, dawn.Add(-time.Hour))
		c.begin(a, 0, dawn)
	}
	if had := c.look(a, dawn); had.spent != 4*time.Second {
		t.Errorf("%s is left", had.spent)
	}
}
